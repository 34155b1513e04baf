//! Meter-mod (section 7.3.4.4).

use super::bytes::{Put, Reader};
use super::error::{WireError, bad_request, kind, meter_mod_failed};

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

/// `enum ofp_meter_band_type`.
pub mod band_type {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const DROP: u16 = 1;
    pub const DSCP_REMARK: u16 = 2;
}

impl Band {
    /// Bytes of every band that is known.
    const LEN: usize = 16;

    /// All bands that fill `r`.
    pub(super) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, WireError> {
        let mut r = Reader::new(r.rest(), WireError::bad_request(bad_request::BAD_LEN));
        let mut bands = Vec::with_capacity(r.left() / Self::LEN);
        while !r.is_empty() {
            let mut ahead = r;
            let kind = ahead.u16()?;
            let len = usize::from(ahead.u16()?);
            if !matches!(kind, band_type::DROP | band_type::DSCP_REMARK) {
                return Err(WireError::new(kind::METER_MOD_FAILED, meter_mod_failed::BAD_BAND));
            }
            let mut body = r.part(len)?;
            body.skip(4)?;
            let rate = body.u32()?;
            let burst = body.u32()?;
            let prec_level = body.u8()?;
            body.skip(3)?;
            body.end()?;
            bands.push(if kind == band_type::DROP {
                Self::Drop { rate, burst }
            } else {
                Self::DscpRemark { rate, burst, prec_level }
            });
        }
        Ok(bands)
    }

    pub(super) fn encode_list(bands: &[Self], out: &mut Vec<u8>) {
        for band in bands {
            let (kind, rate, burst, prec_level) = match *band {
                Self::Drop { rate, burst } => (band_type::DROP, rate, burst, 0),
                Self::DscpRemark { rate, burst, prec_level } => {
                    (band_type::DSCP_REMARK, rate, burst, prec_level)
                }
            };
            out.u16(kind);
            out.u16(Self::LEN as u16);
            out.u32(rate);
            out.u32(burst);
            out.u8(prec_level);
            out.zeros(3);
        }
    }
}

impl MeterModCommand {
    fn from_wire(command: u16) -> Result<Self, WireError> {
        Ok(match command {
            0 => Self::Add,
            1 => Self::Modify,
            2 => Self::Delete,
            _ => return Err(WireError::new(kind::METER_MOD_FAILED, meter_mod_failed::BAD_COMMAND)),
        })
    }
}

impl MeterMod {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let command = r.u16()?;
        let flags = r.u16()?;
        let meter_id = r.u32()?;
        Ok(Self {
            command: MeterModCommand::from_wire(command)?,
            flags,
            meter_id,
            bands: Band::decode_list(r)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u16(self.command as u16);
        out.u16(self.flags);
        out.u32(self.meter_id);
        Band::encode_list(&self.bands, out);
    }
}
