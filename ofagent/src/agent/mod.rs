//! The switch side of the protocol, for one bridge: connections and their roles, requests and answers,
//! and what is told to controllers unasked.
//!
//! Without any I/O: [`crate::channel`] brings messages and takes what the outboxes hold.

mod buffers;
mod connection;
mod limit;
mod modify;
mod multipart;
mod packet;
mod ports;
mod role;
mod serve;

use crate::convert;
use crate::outbox::Outbox;
use crate::wire::error::{ErrorMessage, WireError};
use crate::wire::{Message, message_type};
use buffers::Buffers;
use connection::{Connection, Unasked};
use dataplane::state::{BridgeId, OfPort};
use dataplane::switch::Switch;
use dataplane::table::Removed;
use ports::Ports;
use std::collections::BTreeMap;

pub use limit::RateLimit;

/// Bytes of a message that its error gives back, at most. (Section 7.4.4 wants 64 at least; more
/// lets a peer show the whole of most messages.)
const ERROR_DATA: usize = 1024;
/// Transaction id of what is sent unasked.
const UNASKED: u32 = 0;

/// Names a connection of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnKind {
    /// A controller, active or passive.
    Controller,
    /// The management socket: told nothing unasked until it asks (Open vSwitch: a service connection).
    Service,
}

/// The bridge, for the answers to features and description requests.
#[derive(Clone, Debug)]
pub struct BridgeInfo {
    /// Its number in the packet path.
    pub id: BridgeId,
    /// Its name.
    pub name: String,
    /// Datapath id.
    pub datapath_id: u64,
}

/// A port, as far as the packet path does not know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// Its OpenFlow number.
    pub ofport: OfPort,
    /// Its name.
    pub name: String,
    /// Address of its device; zero where it has none.
    pub hw_addr: [u8; 6],
    /// Whether its link is up.
    pub link_up: bool,
    /// kbit/s; 0: unknown.
    pub speed: u32,
}

/// See the module.
pub struct Agent {
    info: BridgeInfo,
    connections: BTreeMap<ConnId, Connection>,
    next: u64,
    ports: Ports,
    buffers: Buffers,
    /// Of the last election of a master.
    generation_id: Option<u64>,
    rate_limit: Option<RateLimit>,
    packet_ins_dropped: u64,
}

impl Agent {
    /// An agent without connections.
    #[must_use]
    pub fn new(info: BridgeInfo) -> Self {
        Self {
            info,
            connections: BTreeMap::new(),
            next: 0,
            ports: Ports::default(),
            buffers: Buffers::default(),
            generation_id: None,
            rate_limit: None,
            packet_ins_dropped: 0,
        }
    }

    /// A connection that has negotiated its version.
    pub fn connected(&mut self, kind: ConnKind) -> ConnId {
        let id = ConnId(self.next);
        self.next += 1;
        self.connections.insert(id, Connection::new(kind));
        id
    }

    /// A connection has ended. Nothing else of it does: its flows stay.
    pub fn disconnected(&mut self, conn: ConnId) {
        self.connections.remove(&conn);
    }

    /// Limits packet-ins, for each controller and each reason; `None`: no limit.
    pub fn set_rate_limit(&mut self, limit: Option<RateLimit>) {
        self.rate_limit = limit;
    }

    /// Packet-ins that a connection was not sent: it does not read, or has had its rate.
    #[must_use]
    pub fn packet_ins_dropped(&self) -> u64 {
        self.packet_ins_dropped
    }

    /// Serves a message; `raw` is the whole of it, for errors. Changes are staged in `switch`; whoever
    /// calls commits when it has no more messages at hand.
    pub fn receive(
        &mut self,
        switch: &mut Switch,
        conn: ConnId,
        message: Result<(u32, Message), WireError>,
        raw: &[u8],
    ) {
        let (xid, served) = match message {
            Ok((xid, message)) => (xid, self.serve(switch, conn, xid, message)),
            // A message has its header at least, but nothing here depends on it.
            Err(error) => (raw.get(4..8).map_or(0, be32), Err(error)),
        };
        let Err(error) = served else { return };
        tracing::debug!(bridge = self.info.name, xid, "refused: {error}");
        // Two that answer errors with errors would never stop.
        if raw.get(1) == Some(&message_type::ERROR) {
            return;
        }
        let data = raw[..raw.len().min(ERROR_DATA)].to_vec();
        self.send(conn, xid, &Message::Error(ErrorMessage { error, data }));
    }

    /// What is to be sent on a connection.
    pub fn outbox(&mut self, conn: ConnId) -> Option<&mut Outbox> {
        Some(&mut self.connections.get_mut(&conn)?.outbox)
    }

    /// A rule went that somebody wants to hear of.
    pub fn flow_removed(&mut self, removed: &Removed) {
        let message = convert::flow::removed_to_wire(removed);
        let reason = message.reason;
        self.tell(Unasked::FlowRemoved, reason, &Message::FlowRemoved(message));
    }

    fn send(&mut self, conn: ConnId, xid: u32, message: &Message) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.outbox.send(xid, message);
        }
    }

    /// Sends a message to all who want it.
    fn tell(&mut self, what: Unasked, reason: u8, message: &Message) {
        for connection in self.connections.values_mut().filter(|c| c.wants(what, reason)) {
            connection.outbox.send(UNASKED, message);
        }
    }
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b))
}
