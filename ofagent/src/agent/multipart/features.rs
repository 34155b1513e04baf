//! What groups and meters can do (sections 7.3.5.11 and 7.3.5.14).

use crate::wire::multipart::group::GroupFeatures;
use crate::wire::multipart::meter::MeterFeatures;
use dataplane::table::group::MAX_GROUPS;
use dataplane::table::meter::{FLAG_BURST, FLAG_KBPS, FLAG_PKTPS, FLAG_STATS};
use dataplane::table::meter::{MAX_BANDS, MAX_METERS};

/// `OFPAT_*` of all actions: output, copy TTL out and in, MPLS TTL set and decrement, push and pop of
/// VLAN and MPLS, set-queue, group, IP TTL set and decrement, set-field, push and pop of PBB.
pub(super) const ACTIONS: [u16; 16] =
    [0, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27];

/// `OFPGFC_SELECT_WEIGHT`, `OFPGFC_SELECT_LIVENESS`, `OFPGFC_CHAINING` and `OFPGFC_CHAINING_CHECKS`.
const GROUP_CAPABILITIES: u32 = 0b1111;
/// `OFPGT_ALL`, `OFPGT_SELECT`, `OFPGT_INDIRECT` and `OFPGT_FF`, as bits.
const GROUP_TYPES: u32 = 0b1111;
/// `OFPMBT_DROP` and `OFPMBT_DSCP_REMARK`, as bits.
const BAND_TYPES: u32 = 1 << 1 | 1 << 2;

pub(super) fn groups() -> GroupFeatures {
    let actions = ACTIONS.iter().fold(0, |bits, a| bits | 1 << a);
    GroupFeatures {
        types: GROUP_TYPES,
        capabilities: GROUP_CAPABILITIES,
        max_groups: [MAX_GROUPS as u32; 4],
        actions: [actions; 4],
    }
}

pub(super) fn meters() -> MeterFeatures {
    MeterFeatures {
        max_meter: MAX_METERS as u32,
        band_types: BAND_TYPES,
        capabilities: u32::from(FLAG_KBPS | FLAG_PKTPS | FLAG_BURST | FLAG_STATS),
        max_bands: MAX_BANDS as u8,
        max_color: 0,
    }
}
