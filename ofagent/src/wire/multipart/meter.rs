//! Meter statistics, configuration and features (sections 7.3.5.12 to 7.3.5.14).

use super::group::{decode_pairs, encode_pairs};
use super::{BAD_LEN, Item, multipart_type};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;
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

impl Item for MeterStats {
    const KIND: u16 = multipart_type::METER;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let meter_id = r.u32()?;
        let len = usize::from(r.u16()?).checked_sub(6).ok_or(BAD_LEN)?;
        let mut r = r.part(len)?;
        r.skip(6)?;
        Ok(Self {
            meter_id,
            flow_count: r.u32()?,
            packet_in_count: r.u64()?,
            byte_in_count: r.u64()?,
            duration_sec: r.u32()?,
            duration_nsec: r.u32()?,
            bands: decode_pairs(&mut r)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u32(self.meter_id);
        out.zeros(8);
        out.u32(self.flow_count);
        out.u64(self.packet_in_count);
        out.u64(self.byte_in_count);
        out.u32(self.duration_sec);
        out.u32(self.duration_nsec);
        encode_pairs(&self.bands, out);
        out.patch_len(start + 4, start);
    }
}

impl Item for MeterConfig {
    const KIND: u16 = multipart_type::METER_CONFIG;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = usize::from(r.peek_u16()?);
        let mut r = r.part(len)?;
        r.skip(2)?;
        Ok(Self { flags: r.u16()?, meter_id: r.u32()?, bands: Band::decode_list(&mut r)? })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u16(0);
        out.u16(self.flags);
        out.u32(self.meter_id);
        Band::encode_list(&self.bands, out);
        out.patch_len(start, start);
    }
}

impl MeterFeatures {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let max_meter = r.u32()?;
        let band_types = r.u32()?;
        let capabilities = r.u32()?;
        let max_bands = r.u8()?;
        let max_color = r.u8()?;
        r.skip(2)?;
        Ok(Self { max_meter, band_types, capabilities, max_bands, max_color })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.max_meter);
        out.u32(self.band_types);
        out.u32(self.capabilities);
        out.u8(self.max_bands);
        out.u8(self.max_color);
        out.zeros(2);
    }
}
