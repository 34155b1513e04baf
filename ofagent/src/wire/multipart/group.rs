//! Group statistics, description and features (sections 7.3.5.9 to 7.3.5.11).

use super::{Item, multipart_type};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;
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

impl Item for GroupStats {
    const KIND: u16 = multipart_type::GROUP;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = usize::from(r.peek_u16()?);
        let mut r = r.part(len)?;
        r.skip(4)?;
        let group_id = r.u32()?;
        let ref_count = r.u32()?;
        r.skip(4)?;
        Ok(Self {
            group_id,
            ref_count,
            packet_count: r.u64()?,
            byte_count: r.u64()?,
            duration_sec: r.u32()?,
            duration_nsec: r.u32()?,
            buckets: decode_pairs(&mut r)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.zeros(4);
        out.u32(self.group_id);
        out.u32(self.ref_count);
        out.zeros(4);
        out.u64(self.packet_count);
        out.u64(self.byte_count);
        out.u32(self.duration_sec);
        out.u32(self.duration_nsec);
        encode_pairs(&self.buckets, out);
        out.patch_len(start, start);
    }
}

/// `ofp_bucket_counter` and `ofp_meter_band_stats`: packets and bytes of each.
pub(super) fn decode_pairs(r: &mut Reader<'_>) -> Result<Vec<(u64, u64)>, WireError> {
    let mut pairs = Vec::with_capacity(r.left() / 16);
    while !r.is_empty() {
        pairs.push((r.u64()?, r.u64()?));
    }
    Ok(pairs)
}

pub(super) fn encode_pairs(pairs: &[(u64, u64)], out: &mut Vec<u8>) {
    for (packets, bytes) in pairs {
        out.u64(*packets);
        out.u64(*bytes);
    }
}

impl Item for GroupDesc {
    const KIND: u16 = multipart_type::GROUP_DESC;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = usize::from(r.peek_u16()?);
        let mut r = r.part(len)?;
        r.skip(2)?;
        let kind = GroupType::from_wire(r.u8()?)?;
        r.skip(1)?;
        Ok(Self { kind, group_id: r.u32()?, buckets: Bucket::decode_list(&mut r)? })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u16(0);
        out.u8(self.kind as u8);
        out.zeros(1);
        out.u32(self.group_id);
        for bucket in &self.buckets {
            bucket.encode(out);
        }
        out.patch_len(start, start);
    }
}

impl GroupFeatures {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            types: r.u32()?,
            capabilities: r.u32()?,
            max_groups: [r.u32()?, r.u32()?, r.u32()?, r.u32()?],
            actions: [r.u32()?, r.u32()?, r.u32()?, r.u32()?],
        })
    }

    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.types);
        out.u32(self.capabilities);
        for word in self.max_groups.iter().chain(&self.actions) {
            out.u32(*word);
        }
    }
}
