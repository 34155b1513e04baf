//! Changes of flow tables, groups and meters (sections 7.3.4.1, 7.3.4.2 and 7.3.4.4).

use super::Agent;
use crate::convert;
use crate::wire::NO_BUFFER;
use crate::wire::error::WireError;
use crate::wire::flow_mod::{FlowMod, FlowModCommand};
use crate::wire::group_mod::GroupMod;
use crate::wire::meter_mod::MeterMod;
use dataplane::action::Action;
use dataplane::packet::Packet;
use dataplane::state::OfPort;
use dataplane::switch::Switch;
use dataplane::upcall::PacketOut;

impl Agent {
    pub(super) fn flow_mod(&mut self, switch: &mut Switch, m: &FlowMod) -> Result<(), WireError> {
        let change = convert::flow::mod_from_wire(m)?;
        switch.flow_mod(self.info.id, &change).map_err(|error| {
            tracing::debug!(bridge = self.info.name, "flow-mod: {error}");
            convert::error::flow_mod(&error)
        })?;
        let deletes = matches!(m.command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
        if m.buffer_id == NO_BUFFER || deletes {
            return Ok(());
        }
        // "This is effectively equivalent to sending a two-message sequence of a flow mod and a
        // packet-out forwarding to the OFPP_TABLE logical port."
        let buffered = self.take_buffer(m.buffer_id)?;
        let out = PacketOut {
            in_port: buffered.in_port,
            actions: vec![Action::output(OfPort::TABLE)],
            packet: Packet::copied(&buffered.frame),
        };
        switch.packet_out(self.info.id, out);
        Ok(())
    }

    pub(super) fn group_mod(&mut self, switch: &mut Switch, m: &GroupMod) -> Result<(), WireError> {
        let change = convert::group::mod_from_wire(m)?;
        switch.group_mod(self.info.id, &change).map_err(|error| {
            tracing::debug!(bridge = self.info.name, "group-mod: {error}");
            convert::error::group_mod(&error)
        })
    }

    pub(super) fn meter_mod(&mut self, switch: &mut Switch, m: &MeterMod) -> Result<(), WireError> {
        let change = convert::meter::mod_from_wire(m);
        switch.meter_mod(self.info.id, &change).map_err(|error| {
            tracing::debug!(bridge = self.info.name, "meter-mod: {error}");
            convert::error::meter_mod(&error)
        })
    }
}
