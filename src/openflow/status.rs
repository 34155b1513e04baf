//! What the operator wants to know of controllers.

use super::OpenFlow;
use crate::control::message::{ControlInfo, ControllerInfo};
use ofagent::wire::role::ControllerRole;
use std::time::Instant;

impl OpenFlow {
    /// How a bridge is controlled.
    #[must_use]
    pub fn status(&self, bridge: &str) -> ControlInfo {
        let Some(b) = self.bridges.get(bridge) else { return ControlInfo::default() };
        let controllers = b.channels.status(Instant::now()).into_iter().map(|s| ControllerInfo {
            target: s.target.to_string(),
            connected: !s.connections.is_empty(),
            connections: s.connections.len(),
            role: s
                .connections
                .iter()
                .filter_map(|c| b.agent.role(*c))
                .max_by_key(|r| rank(*r))
                .map(name),
            version: (!s.connections.is_empty()).then(|| "OpenFlow13".into()),
            error: s.error,
            since: s.since.as_secs(),
        });
        ControlInfo {
            datapath_id: format!("{:016x}", b.info.datapath_id),
            fail_open: b.fail_open,
            packet_ins_dropped: b.agent.packet_ins_dropped(),
            controllers: controllers.collect(),
        }
    }
}

/// Of several connections of a listener the mightiest is shown.
fn rank(role: ControllerRole) -> u8 {
    match role {
        ControllerRole::Slave => 0,
        ControllerRole::NoChange | ControllerRole::Equal => 1,
        ControllerRole::Master => 2,
    }
}

/// As Open vSwitch says it (ovs-vswitchd.conf.db(5), Controller `role`).
fn name(role: ControllerRole) -> String {
    match role {
        ControllerRole::Slave => "slave",
        ControllerRole::NoChange | ControllerRole::Equal => "other",
        ControllerRole::Master => "master",
    }
    .into()
}
