//! Packet-in (section 7.4.1).

use super::bytes::{Put, Reader};
use super::error::WireError;
use super::oxm::Match;
use super::oxm::Unknown;

/// `OFPR_NO_MATCH`.
pub const REASON_NO_MATCH: u8 = 0;
/// `OFPR_ACTION`.
pub const REASON_ACTION: u8 = 1;
/// `OFPR_INVALID_TTL`.
pub const REASON_INVALID_TTL: u8 = 2;

/// `ofp_packet_in`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PacketIn {
    pub buffer_id: u32,
    /// Whole length of the packet.
    pub total_len: u16,
    pub reason: u8,
    pub table_id: u8,
    pub cookie: u64,
    pub matching: Match,
    /// The packet, or its first bytes.
    pub data: Vec<u8>,
}

impl PacketIn {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let buffer_id = r.u32()?;
        let total_len = r.u16()?;
        let reason = r.u8()?;
        let table_id = r.u8()?;
        let cookie = r.u64()?;
        let matching = Match::decode(r, Unknown::Ignore)?;
        r.skip(2)?;
        let data = r.rest().to_vec();
        Ok(Self { buffer_id, total_len, reason, table_id, cookie, matching, data })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.buffer_id);
        out.u16(self.total_len);
        out.u8(self.reason);
        out.u8(self.table_id);
        out.u64(self.cookie);
        self.matching.encode(out);
        // So that the packet's IP header is aligned.
        out.zeros(2);
        out.extend_from_slice(&self.data);
    }
}
