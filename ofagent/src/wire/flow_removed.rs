//! Flow-removed (section 7.4.2).

use super::bytes::{Put, Reader};
use super::error::WireError;
use super::oxm::Match;
use super::oxm::Unknown;

/// `ofp_flow_removed`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct FlowRemoved {
    pub cookie: u64,
    pub priority: u16,
    /// `OFPRR_*`.
    pub reason: u8,
    pub table_id: u8,
    pub duration_sec: u32,
    pub duration_nsec: u32,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub packet_count: u64,
    pub byte_count: u64,
    pub matching: Match,
}

impl FlowRemoved {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            cookie: r.u64()?,
            priority: r.u16()?,
            reason: r.u8()?,
            table_id: r.u8()?,
            duration_sec: r.u32()?,
            duration_nsec: r.u32()?,
            idle_timeout: r.u16()?,
            hard_timeout: r.u16()?,
            packet_count: r.u64()?,
            byte_count: r.u64()?,
            matching: Match::decode(r, Unknown::Ignore)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u64(self.cookie);
        out.u16(self.priority);
        out.u8(self.reason);
        out.u8(self.table_id);
        out.u32(self.duration_sec);
        out.u32(self.duration_nsec);
        out.u16(self.idle_timeout);
        out.u16(self.hard_timeout);
        out.u64(self.packet_count);
        out.u64(self.byte_count);
        self.matching.encode(out);
    }
}
