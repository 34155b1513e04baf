//! Group statistics, description and features (sections 7.3.5.9 to 7.3.5.11).

use crate::wire::group_mod::{Bucket, GroupType};

/// `ofp_group_stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct GroupStats {
    pub group_id: u32,
    pub ref_count: u32,
    pub packet_count: u64,
    pub byte_count: u64,
    pub duration_sec: u32,
    pub duration_nsec: u32,
    /// Packets and bytes of each bucket.
    pub buckets: Vec<(u64, u64)>,
}

/// `ofp_group_desc`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct GroupDesc {
    pub kind: GroupType,
    pub group_id: u32,
    pub buckets: Vec<Bucket>,
}

/// `ofp_group_features`; arrays are by [`GroupType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct GroupFeatures {
    pub types: u32,
    /// `OFPGFC_*`.
    pub capabilities: u32,
    pub max_groups: [u32; 4],
    /// Bits of `OFPAT_*`.
    pub actions: [u32; 4],
}
