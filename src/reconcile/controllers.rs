//! Controllers: what the configuration says of them, and what they are told of ports.

use super::{Link, Plan, Reconciler, RunningBridge, RunningPort, local_mac};
use crate::config::{Bridge, Config};
use crate::control::message::ControlInfo;
use crate::openflow::Control;
use dataplane::state::OfPort;
use ofagent::agent::{BridgeInfo, PortInfo, RateLimit};
use ofagent::channel::{Settings, Target, Tls};
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Reconciler {
    /// Key and certificates, where some controller needs them.
    pub(super) fn load_tls(desired: &Config) -> Result<Option<Arc<Tls>>, String> {
        let mut targets = desired.bridges.iter().flat_map(|b| &b.controllers);
        match &desired.ssl {
            Some(files) if targets.any(Target::is_tls) => {
                Tls::load(files).map(|tls| Some(Arc::new(tls)))
            }
            _ => Ok(None),
        }
    }

    /// Brings the bridges under the control that the plan says.
    pub(super) fn converge_control(&mut self, plan: &Plan) -> Vec<String> {
        let bridges = &self.bridges;
        self.openflow.retain(|name| bridges.contains_key(name));
        let mut problems = Vec::new();
        for bridge in &plan.desired.bridges {
            let Some(running) = self.bridges.get(&bridge.name) else { continue };
            let info = BridgeInfo {
                id: running.id,
                name: bridge.name.clone(),
                datapath_id: datapath_id(bridge),
            };
            if let Err(e) = self.openflow.set_bridge(info, control(bridge, plan.tls.clone())) {
                problems.push(format!("bridge \"{}\": {e}", bridge.name));
            }
        }
        self.tell_ports();
        problems
    }

    /// Tells the agents of ports, where something about them changed.
    pub(super) fn tell_ports(&mut self) {
        for (name, bridge) in &self.bridges {
            let mut ports: Vec<PortInfo> =
                bridge.ports.values().map(|p| port_info(bridge, p)).collect();
            ports.push(PortInfo {
                ofport: OfPort::LOCAL,
                name: name.clone(),
                hw_addr: bridge.mac,
                link_up: self.switch.datapath().port(bridge.local).is_some_and(|p| p.flags.link_up),
                speed: 0,
            });
            ports.sort_by_key(|p| p.ofport);
            self.openflow.set_ports(&self.switch, name, ports);
        }
    }

    /// Gives a bridge other controllers.
    pub(super) fn controller_set(
        &mut self,
        bridge: &str,
        targets: &[String],
    ) -> anyhow::Result<()> {
        let setting = format!("controller={}", targets.join(","));
        self.bridge_set(bridge, &setting)
    }

    /// A bridge's controllers as they are.
    pub(super) fn controller_list(&self, bridge: &str) -> anyhow::Result<ControlInfo> {
        self.running(bridge)?;
        Ok(self.openflow.status(bridge))
    }

    /// Says what wakes the control thread when there are packets for controllers.
    pub fn wake_by(&self, waker: mio::Waker) {
        self.switch.set_waker(Arc::new(waker));
    }

    /// Serves controllers. Gives the time of the next turn at the latest.
    pub fn serve_controllers(&mut self) -> Option<Instant> {
        self.openflow.turn(&mut self.switch)
    }

    /// Something happened at a token of the controllers.
    pub fn controller_ready(&mut self, token: mio::Token) {
        self.openflow.ready(token);
    }
}

fn port_info(bridge: &RunningBridge, port: &RunningPort) -> PortInfo {
    let name = &port.config.name;
    PortInfo {
        ofport: OfPort(port.ofport),
        name: name.clone(),
        // Ports without a device have an address too, as in Open vSwitch; but always the same one.
        hw_addr: port
            .mac
            .unwrap_or_else(|| local_mac::of(&format!("{}/{name}", bridge.config.name))),
        link_up: port.link == Link::Up,
        speed: port.speed,
    }
}

fn control(bridge: &Bridge, tls: Option<Arc<Tls>>) -> Control {
    Control {
        channels: Settings {
            controllers: bridge.controllers.clone(),
            fail_mode: bridge.fail_mode,
            inactivity_probe: Duration::from_millis(bridge.inactivity_probe.into()),
            max_backoff: Duration::from_millis(bridge.max_backoff.into()),
            tls,
        },
        rate_limit: bridge.controller_rate_limit.map(|rate| {
            // Defaults of Open vSwitch.
            let burst = bridge.controller_burst_limit.unwrap_or(rate / 4).max(25);
            RateLimit { rate, burst }
        }),
    }
}

/// As configured, or 16 zero bits and LOCAL's MAC address (OpenFlow 1.3 section 7.3.1).
fn datapath_id(bridge: &Bridge) -> u64 {
    let [a, b, c, d, e, f] = bridge.mac.unwrap_or_else(|| local_mac::of(&bridge.name));
    bridge.datapath_id.unwrap_or(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}
