//! Packet-out (section 7.3.7).

use super::action::Action;

/// `ofp_packet_out`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PacketOut {
    /// [`super::NO_BUFFER`]: `data` is the packet.
    pub buffer_id: u32,
    pub in_port: u32,
    pub actions: Vec<Action>,
    pub data: Vec<u8>,
}
