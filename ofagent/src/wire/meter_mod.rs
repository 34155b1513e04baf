//! Meter-mod (section 7.3.4.4).

/// `ofp_meter_band_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// `OFPMBT_DROP`.
    Drop {
        /// Rate, kbit/s or packets/s.
        rate: u32,
        /// Burst, kbit or packets.
        burst: u32,
    },
    /// `OFPMBT_DSCP_REMARK`.
    DscpRemark {
        /// Rate, kbit/s or packets/s.
        rate: u32,
        /// Burst, kbit or packets.
        burst: u32,
        /// Levels that the drop precedence is raised by.
        prec_level: u8,
    },
}

/// `enum ofp_meter_mod_command`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
#[repr(u16)]
pub enum MeterModCommand {
    Add = 0,
    Modify = 1,
    Delete = 2,
}

/// `ofp_meter_mod`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct MeterMod {
    pub command: MeterModCommand,
    /// `OFPMF_*`, as sent.
    pub flags: u16,
    pub meter_id: u32,
    pub bands: Vec<Band>,
}
