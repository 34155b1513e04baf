//! What goes to the controllers: packets, and why.
//!
//! Workers hand packets over through bounded queues; what finds its queue full is counted and
//! dropped, so a flood of packet-ins never holds a worker up.

use crate::flow::FlowKey;
use crate::packet::Packet;
use crate::state::{BridgeId, OfPort};
use std::sync::Arc;

/// Why a packet goes to the controllers (`OFPR_*`, OpenFlow 1.3 section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No rule but the table-miss rule matched.
    NoMatch,
    /// An action sent it.
    Action,
    /// Its TTL ran out.
    InvalidTtl,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = 3;
}

/// What a decision says of packets for the controllers; the same for all packets of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToController {
    /// The bridge whose controllers are meant.
    pub bridge: BridgeId,
    /// Why.
    pub reason: Reason,
    /// The table of the rule.
    pub table: u8,
    /// The rule's cookie; `u64::MAX` where no rule did it.
    pub cookie: u64,
    /// Bytes of the packet for the controller (`OFPCML_*`).
    pub max_len: u16,
    /// Open vSwitch's controller id; 0: all whose id is 0.
    pub controller: u16,
    /// The port that the packet came in by.
    pub in_port: OfPort,
    /// Metadata, registers and tunnel fields as they were; of other fields nothing.
    pub key: FlowKey,
}

/// A packet for the controllers.
#[derive(Debug)]
pub struct PacketIn {
    /// To whom, and why.
    pub to: Arc<ToController>,
    /// The frame as it was, with what its sender left undone.
    pub packet: Packet,
}
