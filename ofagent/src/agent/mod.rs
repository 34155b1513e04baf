//! The switch side of the protocol, for one bridge: connections and their roles, requests and answers,
//! and what is told to controllers unasked.
//!
//! Without any I/O: [`crate::channel`] brings messages and takes what the outboxes hold.

use crate::outbox::Outbox;
use crate::wire::Message;
use crate::wire::error::WireError;
use dataplane::state::{BridgeId, OfPort};
use dataplane::switch::Switch;
use dataplane::table::Removed;
use dataplane::upcall::PacketIn;
use std::collections::BTreeMap;

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
    connections: BTreeMap<ConnId, Outbox>,
    next: u64,
}

impl Agent {
    /// An agent without connections.
    #[must_use]
    pub fn new(info: BridgeInfo) -> Self {
        Self { info, connections: BTreeMap::new(), next: 0 }
    }

    /// A connection that has negotiated its version.
    pub fn connected(&mut self, kind: ConnKind) -> ConnId {
        let _ = (kind, &self.info);
        let id = ConnId(self.next);
        self.next += 1;
        self.connections.insert(id, Outbox::default());
        id
    }

    /// A connection has ended.
    pub fn disconnected(&mut self, conn: ConnId) {
        self.connections.remove(&conn);
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
        let _ = (switch, conn, message, raw);
    }

    /// What is to be sent on a connection.
    pub fn outbox(&mut self, conn: ConnId) -> Option<&mut Outbox> {
        self.connections.get_mut(&conn)
    }

    /// The bridge's ports; controllers are told of what changed.
    pub fn set_ports(&mut self, switch: &Switch, ports: Vec<PortInfo>) {
        let _ = (switch, ports);
    }

    /// A packet for the controllers.
    pub fn packet_in(&mut self, packet: &PacketIn) {
        let _ = packet;
    }

    /// A rule went that somebody wants to hear of.
    pub fn flow_removed(&mut self, removed: &Removed) {
        let _ = removed;
    }
}
