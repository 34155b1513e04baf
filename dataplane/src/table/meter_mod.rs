//! The meters of a bridge, and meter-mods on them (OpenFlow 1.3.5 sections 6.6 and 7.3.4.4).

use super::meter::{
    BandKind, FLAG_BURST, FLAG_KBPS, FLAG_PKTPS, FLAG_STATS, METER_ALL, METER_MAX, Meter,
    MeterCommand, MeterMod,
};
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// Most meters of a bridge.
pub const MAX_METERS: usize = 65_536;
/// Most bands of a meter.
pub const MAX_BANDS: usize = 16;

/// Why a meter-mod was refused (`OFPMMFC_*`); nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MeterModError {
    /// `OFPMMFC_METER_EXISTS`.
    #[error("meter {0} exists already")]
    Exists(u32),
    /// `OFPMMFC_INVALID_METER`.
    #[error("{0:#x} is no number for a meter: they go from 1 to {METER_MAX:#x}")]
    Invalid(u32),
    /// `OFPMMFC_UNKNOWN_METER`.
    #[error("meter {0} does not exist")]
    Unknown(u32),
    /// `OFPMMFC_BAD_FLAGS`.
    #[error(
        "flags {0:#x}: rates are in kilobits or in packets, not in both, and there is no flag \
         above 0x8"
    )]
    BadFlags(u16),
    /// `OFPMMFC_BAD_RATE`.
    #[error("band {0}: its rate is 0")]
    BadRate(usize),
    /// `OFPMMFC_BAD_BAND_VALUE`.
    #[error("band {0}: it would raise the drop precedence by 0 levels")]
    BadBandValue(usize),
    /// `OFPMMFC_OUT_OF_METERS`.
    #[error("the bridge has {MAX_METERS} meters, and no room for more")]
    OutOfMeters,
    /// `OFPMMFC_OUT_OF_BANDS`.
    #[error("{0} bands: a meter has {MAX_BANDS} at most")]
    OutOfBands(usize),
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

    /// All meters, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Meter>> {
        self.meters.values()
    }

    /// Number of meters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meters.len()
    }

    /// Whether there is no meter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meters.is_empty()
    }

    /// Does a meter-mod, wholly or (on an error) not at all; gives back the meters that went.
    pub(super) fn apply(&mut self, m: &MeterMod) -> Result<Vec<u32>, MeterModError> {
        match m.command {
            MeterCommand::Add => {
                if !(1..=METER_MAX).contains(&m.id) {
                    return Err(MeterModError::Invalid(m.id));
                }
                if self.meters.contains_key(&m.id) {
                    return Err(MeterModError::Exists(m.id));
                }
                check(m)?;
                if self.meters.len() >= MAX_METERS {
                    return Err(MeterModError::OutOfMeters);
                }
                let meter = Meter::new(m.id, m.flags, m.bands.clone());
                self.meters.insert(m.id, Arc::new(meter));
            }
            MeterCommand::Modify => {
                let old = self.get(m.id).ok_or(MeterModError::Unknown(m.id))?;
                check(m)?;
                let meter = old.modified(m.flags, m.bands.clone());
                self.meters.insert(m.id, Arc::new(meter));
            }
            MeterCommand::Delete if m.id == METER_ALL => {
                return Ok(self.meters.drain().map(|(id, _)| id).collect());
            }
            MeterCommand::Delete => {
                // "If no meter entry with the specified meter identifier currently exists, no
                // error is recorded."
                return Ok(self.meters.remove(&m.id).map(|_| m.id).into_iter().collect());
            }
        }
        Ok(Vec::new())
    }
}

/// Whether a meter may look like this.
fn check(m: &MeterMod) -> Result<(), MeterModError> {
    let both = FLAG_KBPS | FLAG_PKTPS;
    if m.flags & both == both || m.flags & !(both | FLAG_BURST | FLAG_STATS) != 0 {
        return Err(MeterModError::BadFlags(m.flags));
    }
    if m.bands.len() > MAX_BANDS {
        return Err(MeterModError::OutOfBands(m.bands.len()));
    }
    for (at, band) in m.bands.iter().enumerate() {
        if band.rate == 0 {
            return Err(MeterModError::BadRate(at));
        }
        if band.kind == BandKind::DscpRemark(0) {
            return Err(MeterModError::BadBandValue(at));
        }
    }
    Ok(())
}
