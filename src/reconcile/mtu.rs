//! MTUs that follow from the underlay: of LOCAL, of veths that the switch made, of tunnels.

use super::{Reconciler, RunningPort};
use crate::config::PortType;
use crate::net::{attach, mtu};
use dataplane::state::{FlowOr, PortId};

impl Reconciler {
    /// Works out all MTUs anew and sets those that changed.
    pub(super) fn work_out_mtus(&mut self) {
        self.mtu_stale = false;
        let by_flow = |p: &RunningPort| matches!(&p.config.kind, PortType::Vxlan(c) if c.remote == FlowOr::Flow);
        if self.bridges.values().flat_map(|b| b.ports.values()).any(by_flow) {
            match mtu::underlay_routes(&mut self.netlink) {
                Ok(routes) => self.switch.set_underlay(routes),
                Err(e) => tracing::warn!("{e}"),
            }
        }
        let names: Vec<String> = self.bridges.keys().cloned().collect();
        for name in names {
            self.work_out_tunnels(&name);
            self.set_bridge_mtu(&name);
        }
    }

    /// How long a frame may be in each tunnel of a bridge.
    fn work_out_tunnels(&mut self, bridge: &str) {
        let Some(on) = self.bridges.get_mut(bridge) else { return };
        for port in on.ports.values_mut() {
            let PortType::Vxlan(tunnel) = &port.config.kind else { continue };
            let FlowOr::Fixed(remote) = tunnel.remote else { continue };
            match mtu::underlay(&mut self.netlink, remote, tunnel.local) {
                Ok(under) => {
                    port.problem = None;
                    port.mtu = Some(under.overlay_mtu);
                    let known = self.switch.datapath().port(port.id).map(|p| p.max_frame);
                    if known != Some(under.max_frame) {
                        self.switch.update_port(port.id, |p| p.max_frame = under.max_frame);
                    }
                }
                Err(e) => {
                    let problem = Some(e.to_string());
                    if port.problem != problem {
                        tracing::warn!("port {}: {e}", port.config.name);
                    }
                    // The MTU stays: it will most likely be the same when the route is back, and
                    // containers should not see it go up and down meanwhile.
                    port.problem = problem;
                }
            }
        }
    }

    /// Sets the MTU of LOCAL and of the veths into containers.
    fn set_bridge_mtu(&mut self, name: &str) {
        let Some(bridge) = self.bridges.get(name) else { return };
        let tunnels = bridge.ports.values().filter(|p| matches!(p.config.kind, PortType::Vxlan(_)));
        let devices = bridge.ports.values().filter(|p| {
            p.config.kind == PortType::System && !self.containers.contains_key(&p.config.name)
        });
        // Without a route, or with a remote that each flow chooses: what most underlays carry.
        let carries = |p: &RunningPort| p.mtu.unwrap_or(mtu::USUAL_OVERLAY_MTU);
        let worked_out = mtu::bridge_mtu(tunnels.map(carries), devices.filter_map(|p| p.mtu));
        let wanted = bridge.config.mtu.map_or(worked_out, u32::from);
        if bridge.mtu == wanted {
            return;
        }
        let local: PortId = bridge.local;
        let made: Vec<String> = bridge.ports.keys().cloned().collect();
        if bridge.tap.is_some()
            && let Err(e) = mtu::set(&mut self.netlink, name, wanted)
        {
            tracing::warn!("bridge {name}: {e}");
            return;
        }
        if let Some(bridge) = self.bridges.get_mut(name) {
            bridge.mtu = wanted;
        }
        self.switch.update_port(local, |p| {
            p.max_frame = u16::try_from(wanted + 14).unwrap_or(u16::MAX);
        });
        tracing::info!("bridge {name}: mtu {wanted}");
        for port in made {
            let Some(container) = self.containers.get(&port).filter(|c| c.mtu.is_none()) else {
                continue;
            };
            let (target, ifname) = (&container.target, &container.ifname);
            if let Err(e) = attach::set_mtu(&mut self.netlink, target, ifname, wanted) {
                tracing::warn!("port {port}: {e}");
            }
        }
    }
}
