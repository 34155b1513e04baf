//! What the operator wants to know of controllers.

use super::OpenFlow;
use crate::control::message::{ControlInfo, ControllerInfo};
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
            role: None,
            version: (!s.connections.is_empty()).then(|| "OpenFlow13".into()),
            error: s.error,
            since: s.since.as_secs(),
        });
        ControlInfo {
            datapath_id: format!("{:016x}", b.info.datapath_id),
            fail_open: b.fail_open,
            rate_limited: b.limit.dropped,
            controllers: controllers.collect(),
        }
    }
}
