//! Meters (sections 7.3.4.4, 7.3.5.12 and 7.3.5.13).

use crate::wire::meter_mod::{Band as WireBand, MeterMod as WireMeterMod, MeterModCommand};
use crate::wire::multipart::meter::{MeterConfig, MeterStats};
use dataplane::table::meter::{Band, BandKind, Meter, MeterCommand, MeterMod};

/// A meter-mod from the wire.
#[must_use]
pub fn mod_from_wire(m: &WireMeterMod) -> MeterMod {
    let band = |b: &WireBand| match *b {
        WireBand::Drop { rate, burst } => Band { kind: BandKind::Drop, rate, burst },
        WireBand::DscpRemark { rate, burst, prec_level } => {
            Band { kind: BandKind::DscpRemark(prec_level), rate, burst }
        }
    };
    MeterMod {
        command: match m.command {
            MeterModCommand::Add => MeterCommand::Add,
            MeterModCommand::Modify => MeterCommand::Modify,
            MeterModCommand::Delete => MeterCommand::Delete,
        },
        id: m.meter_id,
        flags: m.flags,
        bands: m.bands.iter().map(band).collect(),
    }
}

/// A meter's configuration.
#[must_use]
pub fn config_to_wire(meter: &Meter) -> MeterConfig {
    let band = |b: &Band| match b.kind {
        BandKind::Drop => WireBand::Drop { rate: b.rate, burst: b.burst },
        BandKind::DscpRemark(prec_level) => {
            WireBand::DscpRemark { rate: b.rate, burst: b.burst, prec_level }
        }
    };
    MeterConfig {
        flags: meter.flags,
        meter_id: meter.id,
        bands: meter.bands.iter().map(band).collect(),
    }
}

/// A meter's counters; `flow_count` rules use it.
#[must_use]
pub fn stats_to_wire(meter: &Meter, flow_count: u32) -> MeterStats {
    let age = meter.created.elapsed();
    let band = |i| meter.band_counts(i).map_or((0, 0), |c| (c.packets(), c.bytes()));
    MeterStats {
        meter_id: meter.id,
        flow_count,
        packet_in_count: meter.counts().packets(),
        byte_in_count: meter.counts().bytes(),
        duration_sec: age.as_secs() as u32,
        duration_nsec: age.subsec_nanos(),
        bands: (0..meter.bands.len()).map(band).collect(),
    }
}
