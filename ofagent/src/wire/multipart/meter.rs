//! Meter statistics, configuration and features (sections 7.3.5.12 to 7.3.5.14).

use crate::wire::meter_mod::Band;

/// `ofp_meter_stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct MeterStats {
    pub meter_id: u32,
    pub flow_count: u32,
    pub packet_in_count: u64,
    pub byte_in_count: u64,
    pub duration_sec: u32,
    pub duration_nsec: u32,
    /// Packets and bytes in each band.
    pub bands: Vec<(u64, u64)>,
}

/// `ofp_meter_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct MeterConfig {
    /// `OFPMF_*`.
    pub flags: u16,
    pub meter_id: u32,
    pub bands: Vec<Band>,
}

/// `ofp_meter_features`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct MeterFeatures {
    pub max_meter: u32,
    /// Bits of `OFPMBT_*`.
    pub band_types: u32,
    /// Bits of `OFPMF_*`.
    pub capabilities: u32,
    pub max_bands: u8,
    pub max_color: u8,
}
