//! Meters (OpenFlow 1.3 sections 5.7 and 7.3.4.4).

use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// Highest number of a meter (`OFPM_MAX`).
pub const METER_MAX: u32 = 0xffff_0000;
/// All meters (`OFPM_ALL`, delete and statistics only).
pub const METER_ALL: u32 = u32::MAX;
/// `OFPMF_KBPS`: rates are in kilobits a second.
pub const FLAG_KBPS: u16 = 1;
/// `OFPMF_PKTPS`: rates are in packets a second.
pub const FLAG_PKTPS: u16 = 2;
/// `OFPMF_BURST`: bands say their burst size.
pub const FLAG_BURST: u16 = 4;
/// `OFPMF_STATS`: count.
pub const FLAG_STATS: u16 = 8;

/// What a band does to packets above its rate (`OFPMBT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BandKind {
    /// Drop.
    Drop,
    /// Raise the DSCP's drop precedence by this many levels.
    DscpRemark(u8),
}

/// A band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// What it does.
    pub kind: BandKind,
    /// Rate, kbit/s or packets/s.
    pub rate: u32,
    /// Burst size, kbit or packets.
    pub burst: u32,
}

/// `OFPMC_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterCommand {
    /// Add a meter.
    Add,
    /// Replace a meter's flags and bands.
    Modify,
    /// Remove a meter, and the rules that use it.
    Delete,
}

/// A change of the meters.
#[derive(Clone, Debug)]
pub struct MeterMod {
    /// What to do.
    pub command: MeterCommand,
    /// The meter; [`METER_ALL`]: all (delete only).
    pub id: u32,
    /// `FLAG_*`.
    pub flags: u16,
    /// Its bands.
    pub bands: Vec<Band>,
}

/// Why a meter-mod was refused (`OFPMMFC_*`); nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MeterModError {
    /// `OFPMMFC_METER_EXISTS`.
    #[error("meter {0} exists already")]
    Exists(u32),
    /// `OFPMMFC_UNKNOWN_METER`.
    #[error("meter {0} does not exist")]
    Unknown(u32),
}

/// A meter: its configuration, and how full its buckets are.
#[derive(Debug)]
pub struct Meter {
    /// Its number.
    pub id: u32,
    /// `FLAG_*`.
    pub flags: u16,
    /// Its bands.
    pub bands: Vec<Band>,
}

impl PartialEq for Meter {
    /// A meter is only equal to itself.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Meter {}

/// What a meter says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the rate.
    Pass,
    /// Drop it.
    Drop,
    /// Raise its drop precedence by so many levels.
    Remark(u8),
}

/// The meters of a bridge.
#[derive(Clone, Debug, Default)]
pub struct MeterTable {
    meters: HashMap<u32, Arc<Meter>>,
}

impl MeterTable {
    /// A meter.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Arc<Meter>> {
        self.meters.get(&id)
    }
}
