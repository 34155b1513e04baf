//! Groups (OpenFlow 1.3 sections 5.6 and 6.5).

use super::rule::Counts;
use crate::action::Action;
use crate::state::OfPort;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use thiserror::Error;

/// Highest number of a group (`OFPG_MAX`).
pub const GROUP_MAX: u32 = 0xffff_ff00;
/// All groups (`OFPG_ALL`, delete only).
pub const GROUP_ALL: u32 = 0xffff_fffc;
/// No group, a wildcard in filters (`OFPG_ANY`).
pub const GROUP_ANY: u32 = u32::MAX;

/// `OFPGT_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// All buckets, each on a copy of the packet.
    All,
    /// One bucket, by weight and the flow's hash.
    Select,
    /// The one bucket.
    Indirect,
    /// The first bucket that is live.
    FastFailover,
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Share (select only).
    pub weight: u16,
    /// The bucket is live while this port is; [`OfPort::ANY`]: none is watched.
    pub watch_port: OfPort,
    /// The bucket is live while this group has a live bucket; [`GROUP_ANY`]: none is watched.
    pub watch_group: u32,
    /// Its action set, as given.
    pub actions: Vec<Action>,
    /// Packets that it processed.
    pub counts: Arc<Counts>,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Its type.
    pub kind: GroupKind,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// Packets that it processed.
    pub counts: Arc<Counts>,
    /// When it was added.
    pub created: Instant,
}

/// `OFPGC_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCommand {
    /// Add a group.
    Add,
    /// Replace a group's type and buckets.
    Modify,
    /// Remove a group, and the rules that send to it.
    Delete,
}

/// A change of the groups (OpenFlow 1.3 section 7.3.4.2).
#[derive(Clone, Debug)]
pub struct GroupMod {
    /// What to do.
    pub command: GroupCommand,
    /// The group; [`GROUP_ALL`]: all (delete only).
    pub id: u32,
    /// Its type.
    pub kind: GroupKind,
    /// Its buckets; their counts are not looked at.
    pub buckets: Vec<Bucket>,
}

/// Why a group-mod was refused (`OFPGMFC_*`); nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GroupModError {
    /// `OFPGMFC_GROUP_EXISTS`.
    #[error("group {0} exists already")]
    Exists(u32),
    /// `OFPGMFC_UNKNOWN_GROUP`.
    #[error("group {0} does not exist")]
    Unknown(u32),
}

/// The groups of a bridge.
#[derive(Clone, Debug, Default)]
pub struct GroupTable {
    groups: HashMap<u32, Arc<Group>>,
}

impl GroupTable {
    /// A group.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }
}
