//! Groups (OpenFlow 1.3 sections 5.6 and 6.5).

pub use super::group_mod::{GroupCommand, GroupMod, GroupModError, GroupTable};
use super::rule::{Counts, groups_of};
use crate::action::Action;
use crate::state::OfPort;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;

/// Highest number of a group (`OFPG_MAX`).
pub const GROUP_MAX: u32 = 0xffff_ff00;
/// All groups (`OFPG_ALL`, delete only).
pub const GROUP_ALL: u32 = 0xffff_fffc;
/// No group, a wildcard in filters (`OFPG_ANY`).
pub const GROUP_ANY: u32 = u32::MAX;
/// Most groups of a bridge.
pub const MAX_GROUPS: usize = 1 << 20;
/// Most buckets of a group (a group-mod of 64 KB holds some 4000 of the smallest).
pub const MAX_BUCKETS: usize = 4096;

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

impl Group {
    /// The groups that its buckets send to, each once.
    #[must_use]
    pub fn children(&self) -> SmallVec<[u32; 2]> {
        groups_of(self.buckets.iter().flat_map(|b| &b.actions))
    }
}
