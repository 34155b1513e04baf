//! Which request is served by what.

use super::buffers::BUFFERS;
use super::{Agent, ConnId};
use crate::wire::Message;
use crate::wire::error::{
    WireError, bad_request, kind, queue_op_failed, switch_config_failed, table_mod_failed,
};
use crate::wire::experimenter::{Experimenter, NICIRA};
use crate::wire::features::{FeaturesReply, SwitchConfig, capability};
use crate::wire::queue::QueueConfigReply;
use crate::wire::role::ControllerRole;
use crate::wire::table_mod::TableMod;
use crate::wire::{PORT_ANY, TABLE_ALL};
use dataplane::switch::Switch;
use dataplane::table::pipeline::LAST_TABLE;

/// `OFPTC_DEPRECATED_MASK`: bits of older versions, that mean nothing now (section 7.3.3).
const TABLE_CONFIG_MASK: u32 = 3;
/// `NXPIF_STANDARD`: packet-ins as the protocol has them.
const STANDARD_PACKET_IN: u32 = 0;

impl Agent {
    pub(super) fn serve(
        &mut self,
        switch: &mut Switch,
        conn: ConnId,
        xid: u32,
        message: Message,
    ) -> Result<(), WireError> {
        let Some(connection) = self.connections.get_mut(&conn) else { return Ok(()) };
        if connection.role == ControllerRole::Slave && changes_the_switch(&message) {
            return Err(WireError::bad_request(bad_request::IS_SLAVE));
        }
        match message {
            // The channel has seen to the first; what an error says is for those who read logs.
            Message::Hello(_) | Message::EchoReply(_) => {}
            Message::Error(e) => {
                tracing::warn!(bridge = self.info.name, xid, "the controller says: {}", e.error);
            }
            Message::EchoRequest(data) => connection.outbox.send(xid, &Message::EchoReply(data)),
            Message::FeaturesRequest => {
                let features = FeaturesReply {
                    datapath_id: self.info.datapath_id,
                    n_buffers: BUFFERS,
                    n_tables: LAST_TABLE + 1,
                    auxiliary_id: 0,
                    capabilities: capability::FLOW_STATS
                        | capability::TABLE_STATS
                        | capability::PORT_STATS
                        | capability::GROUP_STATS
                        | capability::QUEUE_STATS,
                };
                connection.outbox.send(xid, &Message::FeaturesReply(features));
            }
            Message::GetConfigRequest => {
                let miss_send_len = connection.miss_send_len;
                let config = SwitchConfig { flags: 0, miss_send_len };
                connection.outbox.send(xid, &Message::GetConfigReply(config));
            }
            Message::SetConfig(config) => {
                // Fragments are forwarded as they are; dropping and reassembling are not offered.
                // A slave may not say how they are treated anyhow.
                if config.flags != 0 && connection.role != ControllerRole::Slave {
                    let code = switch_config_failed::BAD_FLAGS;
                    return Err(WireError::new(kind::SWITCH_CONFIG_FAILED, code));
                }
                connection.miss_send_len = config.miss_send_len;
            }
            Message::PacketOut(out) => self.packet_out(switch, out)?,
            Message::FlowMod(m) => self.flow_mod(switch, &m)?,
            Message::GroupMod(m) => self.group_mod(switch, &m)?,
            Message::MeterMod(m) => self.meter_mod(switch, &m)?,
            Message::PortMod(m) => self.port_mod(switch, &m)?,
            Message::TableMod(m) => self.table_mod(switch, m)?,
            Message::MultipartRequest(request) => self.multipart(switch, conn, xid, request)?,
            Message::BarrierRequest => {
                switch.barrier();
                connection.outbox.send(xid, &Message::BarrierReply);
            }
            Message::QueueGetConfigRequest(port) => {
                if port != PORT_ANY && !self.ports.has(port) {
                    let code = queue_op_failed::BAD_PORT;
                    return Err(WireError::new(kind::QUEUE_OP_FAILED, code));
                }
                let reply = QueueConfigReply { port, queues: Vec::new() };
                connection.outbox.send(xid, &Message::QueueGetConfigReply(reply));
            }
            Message::RoleRequest(role) => self.role_request(conn, xid, role)?,
            Message::GetAsyncRequest => {
                connection.outbox.send(xid, &Message::GetAsyncReply(connection.asynchronous));
            }
            Message::SetAsync(config) => connection.asynchronous = config,
            Message::Experimenter(Experimenter::SetPacketInFormat(STANDARD_PACKET_IN)) => {}
            Message::Experimenter(Experimenter::SetControllerId(id)) => {
                connection.controller_id = id;
            }
            // Who asks for one of Open vSwitch's own formats takes the standard one too.
            Message::Experimenter(Experimenter::SetPacketInFormat(_)) => {
                return Err(WireError::bad_request(bad_request::BAD_EXP_TYPE));
            }
            Message::Experimenter(Experimenter::Other { experimenter: NICIRA, .. }) => {
                return Err(WireError::bad_request(bad_request::BAD_EXP_TYPE));
            }
            Message::Experimenter(Experimenter::Other { .. }) => {
                return Err(WireError::bad_request(bad_request::BAD_EXPERIMENTER));
            }
            // These are for controllers.
            Message::FeaturesReply(_)
            | Message::GetConfigReply(_)
            | Message::PacketIn(_)
            | Message::FlowRemoved(_)
            | Message::PortStatus(_)
            | Message::MultipartReply(_)
            | Message::BarrierReply
            | Message::QueueGetConfigReply(_)
            | Message::RoleReply(_)
            | Message::GetAsyncReply(_) => {
                return Err(WireError::bad_request(bad_request::BAD_TYPE));
            }
        }
        Ok(())
    }

    /// There is nothing to configure in a table of OpenFlow 1.3; what older versions had is kept and
    /// shown.
    fn table_mod(&self, switch: &mut Switch, m: TableMod) -> Result<(), WireError> {
        let refuse = |code| Err(WireError::new(kind::TABLE_MOD_FAILED, code));
        if m.config & !TABLE_CONFIG_MASK != 0 {
            return refuse(table_mod_failed::BAD_CONFIG);
        }
        let table = (m.table_id != TABLE_ALL).then_some(m.table_id);
        if switch.table_mod(self.info.id, table, m.config).is_err() {
            return refuse(table_mod_failed::BAD_TABLE);
        }
        Ok(())
    }
}

/// Whether a slave may not send it (section 6.3.4).
fn changes_the_switch(message: &Message) -> bool {
    use crate::wire::multipart::RequestBody;
    match message {
        Message::PacketOut(_)
        | Message::FlowMod(_)
        | Message::GroupMod(_)
        | Message::MeterMod(_)
        | Message::PortMod(_)
        | Message::TableMod(_) => true,
        Message::MultipartRequest(request) => {
            matches!(&request.body, RequestBody::TableFeatures(tables) if !tables.is_empty())
        }
        _ => false,
    }
}
