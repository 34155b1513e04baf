//! The bridge's ports, as controllers know them.

use super::connection::Unasked;
use super::{Agent, PortInfo};
use crate::convert;
use crate::wire::Message;
use crate::wire::error::{WireError, kind, port_mod_failed};
use crate::wire::port::{Port, PortMod, PortReason, PortStatus, config};
use dataplane::state::{BridgeId, OfPort, PortFlags, PortId};
use dataplane::switch::Switch;
use std::collections::BTreeMap;
use std::time::Instant;

/// Bits that a port-mod may change.
const CONFIG_MASK: u32 =
    config::PORT_DOWN | config::NO_RECV | config::NO_FLOOD | config::NO_FWD | config::NO_PACKET_IN;

/// See the module.
#[derive(Default)]
pub(super) struct Ports {
    infos: Vec<PortInfo>,
    known: BTreeMap<u32, Known>,
}

/// A port as it was told last.
pub(super) struct Known {
    pub(super) port: Port,
    pub(super) since: Instant,
}

impl Ports {
    pub(super) fn has(&self, number: u32) -> bool {
        self.known.contains_key(&number)
    }

    /// All of them, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    /// Makes the list of ports anew; gives what is to be told.
    fn refresh(&mut self, switch: &Switch, bridge: BridgeId) -> Vec<PortStatus> {
        let datapath = switch.datapath();
        let flags = |number: OfPort| {
            let id = datapath.bridge(bridge)?.port(number)?;
            Some(datapath.port(id)?.flags)
        };
        let mut old = std::mem::take(&mut self.known);
        let mut changes = Vec::new();
        for info in &self.infos {
            let port = convert::port::to_wire(info, flags(info.ofport).unwrap_or_default());
            let before = old.remove(&port.port_no);
            let (reason, since) = match &before {
                None => (Some(PortReason::Add), Instant::now()),
                Some(known) => ((known.port != port).then_some(PortReason::Modify), known.since),
            };
            changes.extend(reason.map(|reason| PortStatus { reason, port: port.clone() }));
            self.known.insert(port.port_no, Known { port, since });
        }
        let gone = old.into_values();
        // A number that is used again is told of as gone before it is told of as new.
        changes.splice(
            0..0,
            gone.map(|known| PortStatus { reason: PortReason::Delete, port: known.port }),
        );
        changes
    }
}

impl Agent {
    /// The bridge's ports; controllers are told of what changed.
    pub fn set_ports(&mut self, switch: &Switch, ports: Vec<PortInfo>) {
        self.ports.infos = ports;
        self.refresh_ports(switch);
    }

    fn refresh_ports(&mut self, switch: &Switch) {
        for status in self.ports.refresh(switch, self.info.id) {
            let reason = status.reason as u8;
            self.tell(Unasked::PortStatus, reason, &Message::PortStatus(status));
        }
    }

    pub(super) fn port_mod(&mut self, switch: &mut Switch, m: &PortMod) -> Result<(), WireError> {
        let refuse = |code| Err(WireError::new(kind::PORT_MOD_FAILED, code));
        let id = port_id(switch, self.info.id, m.port_no);
        let (Some(known), Some(id)) = (self.ports.known.get(&m.port_no), id) else {
            return refuse(port_mod_failed::BAD_PORT);
        };
        if known.port.hw_addr != m.hw_addr {
            return refuse(port_mod_failed::BAD_HW_ADDR);
        }
        if m.mask & !CONFIG_MASK != 0 {
            return refuse(port_mod_failed::BAD_CONFIG);
        }
        // The ports have nothing to advertise: virtual devices do not negotiate.
        if m.advertise & !known.port.supported != 0 {
            return refuse(port_mod_failed::BAD_ADVERTISE);
        }
        switch.update_port(id, |port| {
            let mut flags: PortFlags = port.flags;
            convert::port::set_flags(&mut flags, m.config, m.mask);
            port.flags = flags;
        });
        self.refresh_ports(switch);
        Ok(())
    }
}

/// The packet path's number of a port.
pub(super) fn port_id(switch: &Switch, bridge: BridgeId, number: u32) -> Option<PortId> {
    switch.datapath().bridge(bridge)?.port(OfPort(number))
}
