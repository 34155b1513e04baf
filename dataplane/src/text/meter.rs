//! Meters as text, as `ovs-ofctl add-meter` takes them and `dump-meters` prints them.

use super::error::ParseError;
use super::{split, value};
use crate::table::meter::{
    Band, BandKind, FLAG_BURST, FLAG_KBPS, FLAG_PKTPS, FLAG_STATS, METER_ALL, METER_MAX,
    MeterCommand, MeterMod,
};
use std::fmt::Write;

/// Flags, in the order in which they are printed.
const FLAGS: &[(&str, u16)] =
    &[("kbps", FLAG_KBPS), ("pktps", FLAG_PKTPS), ("burst", FLAG_BURST), ("stats", FLAG_STATS)];
/// What begins the bands.
const BANDS: [&str; 2] = ["bands=", "band="];

/// Parses a meter: `meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100,type=dscp_remark,...`.
/// A delete names the meter only, or `meter=all`.
pub fn parse_meter(text: &str, command: MeterCommand) -> Result<MeterMod, ParseError> {
    let found = BANDS.iter().find_map(|b| text.split_once(b));
    let (head, bands) = found.map_or((text, None), |(head, bands)| (head, Some(bands)));
    let (mut id, mut flags) = (None, 0);
    for part in split(head)? {
        if let Some((_, flag)) = FLAGS.iter().find(|f| f.0 == part) {
            flags |= flag;
            continue;
        }
        id = Some(match part.split_once('=') {
            Some(("meter", "all")) if command == MeterCommand::Delete => METER_ALL,
            Some(("meter", number)) => {
                let number = value::bounded(part, number, 32)? as u32;
                if number == 0 || number > METER_MAX {
                    let problem = format!("expected a meter of 1 to {METER_MAX}");
                    return Err(ParseError::new(part, problem));
                }
                number
            }
            _ => {
                let expected = "expected meter=NUMBER, kbps, pktps, burst, stats or bands=...";
                return Err(ParseError::new(part, expected));
            }
        });
    }
    let missing = |what: &str| ParseError::new(text.trim(), format!("expected {what}"));
    let id = id.ok_or_else(|| missing("meter=NUMBER"))?;
    if command == MeterCommand::Delete {
        if flags != 0 || bands.is_some() {
            return Err(missing("a delete to name the meter only"));
        }
        return Ok(MeterMod { command, id, flags, bands: Vec::new() });
    }
    if (flags & FLAG_KBPS != 0) == (flags & FLAG_PKTPS != 0) {
        return Err(missing("either kbps or pktps"));
    }
    let bands = bands.ok_or_else(|| missing("bands=..."))?;
    Ok(MeterMod { command, id, flags, bands: parse_bands(bands, flags)? })
}

/// `type=drop,rate=R[,burst_size=B]` and `type=dscp_remark,rate=R,prec_level=L[,burst_size=B]`, one
/// behind the other.
fn parse_bands(text: &str, flags: u16) -> Result<Vec<Band>, ParseError> {
    let mut bands: Vec<Band> = Vec::new();
    for part in split(text)? {
        let expected = "expected type=drop, type=dscp_remark, rate=, burst_size= or prec_level=";
        let (name, argument) =
            part.split_once('=').ok_or_else(|| ParseError::new(part, expected))?;
        if name == "type" {
            let kind = match argument {
                "drop" => BandKind::Drop,
                "dscp_remark" => BandKind::DscpRemark(0),
                _ => return Err(ParseError::new(part, expected)),
            };
            bands.push(Band { kind, rate: 0, burst: 0 });
            continue;
        }
        let Some(band) = bands.last_mut() else {
            return Err(ParseError::new(part, "a band begins with its type"));
        };
        match name {
            "rate" => band.rate = value::bounded(part, argument, 32)? as u32,
            "burst_size" if flags & FLAG_BURST == 0 => {
                return Err(ParseError::new(part, "burst_size needs the flag burst"));
            }
            "burst_size" => band.burst = value::bounded(part, argument, 32)? as u32,
            "prec_level" => match &mut band.kind {
                BandKind::DscpRemark(level) => *level = value::bounded(part, argument, 8)? as u8,
                BandKind::Drop => {
                    return Err(ParseError::new(part, "only dscp_remark has a prec_level"));
                }
            },
            _ => return Err(ParseError::new(part, expected)),
        }
    }
    match bands.iter().find(|b| b.rate == 0) {
        Some(_) => Err(ParseError::new(text.trim(), "expected a rate in every band")),
        None => Ok(bands),
    }
}

/// A meter as `ovs-ofctl -O OpenFlow13 dump-meters` prints it: a line for the meter, one for each band.
/// [`parse_meter`] reads it again.
#[must_use]
pub fn format_meter(id: u32, flags: u16, bands: &[Band]) -> String {
    let mut text = format!("meter={id}");
    // Writing to a String does not fail.
    for (name, _) in FLAGS.iter().filter(|f| flags & f.1 != 0) {
        let _ = write!(text, " {name}");
    }
    text.push_str(" bands=");
    for band in bands {
        let kind = match band.kind {
            BandKind::Drop => "drop",
            BandKind::DscpRemark(_) => "dscp_remark",
        };
        let _ = write!(text, "\ntype={kind} rate={}", band.rate);
        if flags & FLAG_BURST != 0 {
            let _ = write!(text, " burst_size={}", band.burst);
        }
        if let BandKind::DscpRemark(level) = band.kind {
            let _ = write!(text, " prec_level={level}");
        }
    }
    text
}
