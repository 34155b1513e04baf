//! Flow and aggregate statistics (sections 7.3.5.2 and 7.3.5.3).

use super::{Item, multipart_type};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;
use crate::wire::instruction::Instruction;
use crate::wire::oxm::Match;
use crate::wire::oxm::Unknown;

/// `ofp_flow_stats_request` and `ofp_aggregate_stats_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct FlowStatsRequest {
    /// `OFPTT_ALL`: all.
    pub table_id: u8,
    pub out_port: u32,
    pub out_group: u32,
    pub cookie: u64,
    pub cookie_mask: u64,
    pub matching: Match,
}

/// `ofp_flow_stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct FlowStats {
    pub table_id: u8,
    pub duration_sec: u32,
    pub duration_nsec: u32,
    pub priority: u16,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    /// `OFPFF_*`.
    pub flags: u16,
    pub cookie: u64,
    pub packet_count: u64,
    pub byte_count: u64,
    pub matching: Match,
    pub instructions: Vec<Instruction>,
}

/// `ofp_aggregate_stats_reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct AggregateStats {
    pub packet_count: u64,
    pub byte_count: u64,
    pub flow_count: u32,
}

impl FlowStatsRequest {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let table_id = r.u8()?;
        r.skip(3)?;
        let out_port = r.u32()?;
        let out_group = r.u32()?;
        r.skip(4)?;
        Ok(Self {
            table_id,
            out_port,
            out_group,
            cookie: r.u64()?,
            cookie_mask: r.u64()?,
            matching: Match::decode(r, Unknown::Refuse)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u8(self.table_id);
        out.zeros(3);
        out.u32(self.out_port);
        out.u32(self.out_group);
        out.zeros(4);
        out.u64(self.cookie);
        out.u64(self.cookie_mask);
        self.matching.encode(out);
    }
}

impl Item for FlowStats {
    const KIND: u16 = multipart_type::FLOW;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = usize::from(r.peek_u16()?);
        let mut r = r.part(len)?;
        r.skip(2)?;
        let table_id = r.u8()?;
        r.skip(1)?;
        let duration_sec = r.u32()?;
        let duration_nsec = r.u32()?;
        let priority = r.u16()?;
        let idle_timeout = r.u16()?;
        let hard_timeout = r.u16()?;
        let flags = r.u16()?;
        r.skip(4)?;
        Ok(Self {
            table_id,
            duration_sec,
            duration_nsec,
            priority,
            idle_timeout,
            hard_timeout,
            flags,
            cookie: r.u64()?,
            packet_count: r.u64()?,
            byte_count: r.u64()?,
            matching: Match::decode(&mut r, Unknown::Ignore)?,
            instructions: Instruction::decode_list(&mut r)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u16(0);
        out.u8(self.table_id);
        out.zeros(1);
        out.u32(self.duration_sec);
        out.u32(self.duration_nsec);
        out.u16(self.priority);
        out.u16(self.idle_timeout);
        out.u16(self.hard_timeout);
        out.u16(self.flags);
        out.zeros(4);
        out.u64(self.cookie);
        out.u64(self.packet_count);
        out.u64(self.byte_count);
        self.matching.encode(out);
        Instruction::encode_list(&self.instructions, out);
        out.patch_len(start, start);
    }
}

impl AggregateStats {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let packet_count = r.u64()?;
        let byte_count = r.u64()?;
        let flow_count = r.u32()?;
        r.skip(4)?;
        Ok(Self { packet_count, byte_count, flow_count })
    }

    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        out.u64(self.packet_count);
        out.u64(self.byte_count);
        out.u32(self.flow_count);
        out.zeros(4);
    }
}
