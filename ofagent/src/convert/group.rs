//! Groups (sections 7.3.4.2, 7.3.5.9 and 7.3.5.10).

use super::action::{list_from_wire, list_to_wire};
use crate::wire::error::WireError;
use crate::wire::group_mod::{
    Bucket as WireBucket, GroupMod as WireGroupMod, GroupModCommand, GroupType,
};
use crate::wire::multipart::group::{GroupDesc, GroupStats};
use dataplane::flow::Match;
use dataplane::state::OfPort;
use dataplane::table::group::{Bucket, Group, GroupCommand, GroupKind, GroupMod};
use std::sync::Arc;

/// A group-mod from the wire.
///
/// # Errors
/// What is wrong with an action, as far as the tables need not be asked.
pub fn mod_from_wire(m: &WireGroupMod) -> Result<GroupMod, WireError> {
    let buckets = m.buckets.iter().map(bucket_from_wire).collect::<Result<_, _>>()?;
    Ok(GroupMod {
        command: match m.command {
            GroupModCommand::Add => GroupCommand::Add,
            GroupModCommand::Modify => GroupCommand::Modify,
            GroupModCommand::Delete => GroupCommand::Delete,
        },
        id: m.group_id,
        kind: match m.kind {
            GroupType::All => GroupKind::All,
            GroupType::Select => GroupKind::Select,
            GroupType::Indirect => GroupKind::Indirect,
            GroupType::FastFailover => GroupKind::FastFailover,
        },
        buckets,
    })
}

fn bucket_from_wire(b: &WireBucket) -> Result<Bucket, WireError> {
    Ok(Bucket {
        weight: b.weight,
        watch_port: OfPort(b.watch_port),
        watch_group: b.watch_group,
        actions: list_from_wire(&b.actions, &Match::default())?,
        counts: Arc::default(),
    })
}

/// A group's description.
#[must_use]
pub fn desc_to_wire(group: &Group) -> GroupDesc {
    let bucket = |b: &Bucket| WireBucket {
        weight: b.weight,
        watch_port: b.watch_port.0,
        watch_group: b.watch_group,
        actions: list_to_wire(&b.actions, &Match::default()),
    };
    GroupDesc {
        kind: match group.kind {
            GroupKind::All => GroupType::All,
            GroupKind::Select => GroupType::Select,
            GroupKind::Indirect => GroupType::Indirect,
            GroupKind::FastFailover => GroupType::FastFailover,
        },
        group_id: group.id,
        buckets: group.buckets.iter().map(bucket).collect(),
    }
}

/// A group's counters; `ref_count` rules and groups send to it.
#[must_use]
pub fn stats_to_wire(group: &Group, ref_count: u32) -> GroupStats {
    let age = group.created.elapsed();
    GroupStats {
        group_id: group.id,
        ref_count,
        packet_count: group.counts.packets(),
        byte_count: group.counts.bytes(),
        duration_sec: age.as_secs() as u32,
        duration_nsec: age.subsec_nanos(),
        buckets: group.buckets.iter().map(|b| (b.counts.packets(), b.counts.bytes())).collect(),
    }
}
