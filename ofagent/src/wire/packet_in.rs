//! Packet-in (section 7.4.1).

use super::oxm::Match;

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
