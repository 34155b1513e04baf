//! Ports: made, changed, removed; their devices taken and given back.

use super::numbers::Numbers;
use super::{Link, Reconciler, RunningPort};
use crate::config::{Bridge, Port, PortType};
use crate::net::taken::Taken;
use crate::net::{self, Mac};
use dataplane::port::af_packet::AfPacketPort;
use dataplane::state::{OfPort, PortFlags, PortId, PortKind, VxlanConfig};
use dataplane::switch::PortSpec;
use std::sync::Arc;

/// Longest inner frame of a tunnel whose underlay is not known yet: that over MTU 1500 and IPv4.
const DEFAULT_TUNNEL_FRAME: u16 = 1464;

impl Reconciler {
    /// Removes the running ports that `bridge` shall not have, or not in this way.
    pub(super) fn del_ports(&mut self, bridge: &Bridge, numbers: &Numbers) {
        let Some(running) = self.bridges.get(&bridge.name) else { return };
        let gone: Vec<String> = running
            .ports
            .iter()
            .filter(|(name, now)| {
                bridge.port(name).is_none_or(|new| {
                    numbers.find(&bridge.name, name) != Some(now.ofport)
                        || !can_become(&now.config.kind, &new.kind)
                })
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.del_port(&bridge.name, &name);
        }
    }

    /// Makes a port, or changes the one that runs.
    pub(super) fn converge_port(
        &mut self,
        bridge: &str,
        port: &Port,
        number: u32,
    ) -> anyhow::Result<()> {
        let Some(on) = self.bridges.get_mut(bridge) else { return Ok(()) };
        if let Some(running) = on.ports.get_mut(&port.name) {
            if running.config == *port {
                return Ok(());
            }
            running.config = port.clone();
            self.switch.update_port(running.id, |p| {
                p.vlan = port.vlan.clone();
                if let PortType::Vxlan(config) = &port.kind {
                    p.kind = PortKind::Vxlan(Arc::new(config.clone()));
                }
            });
            if let Some(b) = self.switch.datapath().bridge(on.id) {
                // What was learned there may be of VLANs or remotes that are no longer its own.
                b.fdb.flush(running.id);
            }
            self.mtu_stale = true;
            return Ok(());
        }
        let id = self.switch.reserve_port_id();
        let (kind, link) = match &port.kind {
            PortType::System => (PortKind::System, Link::Missing),
            PortType::Vxlan(config) => (PortKind::Vxlan(Arc::new(config.clone())), Link::Up),
            PortType::Patch { .. } => (PortKind::Patch(None), Link::Missing),
        };
        self.switch.add_port(PortSpec {
            id,
            bridge: on.id,
            name: port.name.clone(),
            ofport: OfPort(number),
            kind,
            vlan: port.vlan.clone(),
            flags: PortFlags { link_up: link == Link::Up, ..Default::default() },
            max_frame: DEFAULT_TUNNEL_FRAME,
        })?;
        let running = RunningPort {
            id,
            ofport: number,
            config: port.clone(),
            device: None,
            link,
            mtu: None,
            mac: None,
            speed: 0,
            problem: None,
        };
        on.ports.insert(port.name.clone(), running);
        if port.kind == PortType::System {
            self.find_device(bridge, &port.name);
        }
        Ok(())
    }

    /// Takes a system port's device, if it exists.
    pub(super) fn find_device(&mut self, bridge: &str, name: &str) {
        match self.netlink.link_by_name(name) {
            Ok(Some(link)) => {
                let up = link.carries();
                let seen = Seen { ifindex: link.ifindex, up, mtu: link.mtu, mac: link.mac };
                self.device_seen(bridge, name, &seen);
            }
            Ok(None) => self.device_gone(bridge, name),
            Err(e) => self.port_problem(bridge, name, e.to_string()),
        }
    }

    /// A system port's device exists.
    pub(super) fn device_seen(&mut self, bridge: &str, name: &str, seen: &Seen) {
        let Seen { ifindex, up, mtu, mac } = *seen;
        let Some(port) = self.port_mut(bridge, name) else { return };
        let same = port.device.as_ref().is_some_and(|d| d.ifindex() == ifindex);
        if !same {
            if port.device.is_some() {
                self.release_device(bridge, name);
            }
            if let Err(e) = self.take_device(bridge, name, ifindex) {
                self.port_problem(bridge, name, format!("{e:#}"));
                return;
            }
        }
        let Some(port) = self.port_mut(bridge, name) else { return };
        let link = if up { Link::Up } else { Link::Down };
        port.mac = mac.map(|m| m.0);
        port.speed = speed(name);
        if port.link == link && port.mtu == Some(mtu) {
            return;
        }
        tracing::info!("port {name}: link {}, mtu {mtu}", link.name());
        port.link = link;
        port.mtu = Some(mtu);
        let id = port.id;
        self.switch.update_port(id, |p| {
            p.flags.link_up = up;
            // The device's own header is not part of its MTU.
            p.max_frame = u16::try_from(mtu + 14).unwrap_or(u16::MAX);
        });
        self.mtu_stale = true;
    }

    /// A system port's device does not exist (any more); the port stays, with its number.
    pub(super) fn device_gone(&mut self, bridge: &str, name: &str) {
        self.release_device(bridge, name);
        let Some(port) = self.port_mut(bridge, name) else { return };
        if port.link != Link::Missing {
            tracing::info!("port {name}: its device has gone");
        }
        port.link = Link::Missing;
        port.mtu = None;
        port.mac = None;
        port.speed = 0;
        port.problem = None;
        let id = port.id;
        self.switch.update_port(id, |p| p.flags.link_up = false);
        self.mtu_stale = true;
    }

    /// Removes a port; gives its device back; removes a veth that was made for it.
    pub(super) fn del_port(&mut self, bridge: &str, name: &str) {
        self.release_device(bridge, name);
        let Some(on) = self.bridges.get_mut(bridge) else { return };
        if let Some(port) = on.ports.remove(name) {
            self.switch.del_port(port.id);
        }
        // Of a port that only changes, the veth stays.
        if self.desired.bridge(bridge).is_none_or(|b| b.port(name).is_none()) {
            self.detach_container(name);
        }
    }

    /// Tells patch ports who their peers are.
    pub(super) fn link_patches(&mut self) {
        let ids: Vec<(String, String, PortId, String)> = self.patches();
        for (bridge, name, id, peer) in &ids {
            let other = ids.iter().find(|(_, n, ..)| n == peer).map(|p| p.2);
            let link = if other.is_some() { Link::Up } else { Link::Missing };
            if self.switch.datapath().port(*id).is_some_and(|p| p.kind != PortKind::Patch(other)) {
                self.switch.update_port(*id, |p| {
                    p.kind = PortKind::Patch(other);
                    p.flags.link_up = other.is_some();
                });
            }
            if let Some(port) = self.port_mut(bridge, name) {
                port.link = link;
            }
        }
    }

    /// Patch ports: bridge, name, id, peer.
    fn patches(&self) -> Vec<(String, String, PortId, String)> {
        let ports = self.bridges.iter().flat_map(|(b, on)| on.ports.values().map(move |p| (b, p)));
        ports
            .filter_map(|(bridge, p)| match &p.config.kind {
                PortType::Patch { peer } => {
                    Some((bridge.clone(), p.config.name.clone(), p.id, peer.clone()))
                }
                _ => None,
            })
            .collect()
    }

    pub(super) fn port_mut(&mut self, bridge: &str, name: &str) -> Option<&mut RunningPort> {
        self.bridges.get_mut(bridge)?.ports.get_mut(name)
    }

    fn port_problem(&mut self, bridge: &str, name: &str, problem: String) {
        let Some(port) = self.port_mut(bridge, name) else { return };
        if port.problem.as_ref() != Some(&problem) {
            tracing::warn!("port {name}: {problem}");
            port.problem = Some(problem);
        }
    }

    fn take_device(&mut self, bridge: &str, name: &str, ifindex: u32) -> anyhow::Result<()> {
        let Some(port) = self.bridges.get_mut(bridge).and_then(|b| b.ports.get_mut(name)) else {
            return Ok(());
        };
        let note = Taken::Interface { ifindex, name: name.into() };
        self.taken.will_take(note.clone())?;
        let taken = AfPacketPort::attach(name, port.id).map_err(anyhow::Error::from);
        let taken = taken.and_then(|mut device| {
            let receiver = device.receiver()?;
            self.switch.set_io(port.id, Some(receiver), &mut || device.transmitter())?;
            Ok(device)
        });
        match taken {
            Ok(device) => {
                port.problem = None;
                port.device = Some(device);
                Ok(())
            }
            Err(e) => {
                self.switch.clear_io(port.id);
                self.taken.gave_back(&note)?;
                Err(e)
            }
        }
    }

    /// Gives a port's device back.
    fn release_device(&mut self, bridge: &str, name: &str) {
        let Some(port) = self.bridges.get_mut(bridge).and_then(|b| b.ports.get_mut(name)) else {
            return;
        };
        let Some(device) = port.device.take() else { return };
        let note = Taken::Interface { ifindex: device.ifindex(), name: name.into() };
        self.switch.clear_io(port.id);
        drop(device);
        if let Err(e) = self.taken.gave_back(&note) {
            tracing::warn!("{e}");
        }
    }

    /// Removes the veth that was made for a port, if one was.
    pub(super) fn detach_container(&mut self, name: &str) {
        let Some(container) = self.containers.remove(name) else { return };
        if let Err(e) = net::attach::detach(&mut self.netlink, &container.target, &container.ifname)
        {
            tracing::warn!("{e}");
            return;
        }
        let note = super::links::veth_note(name, &container);
        if let Err(e) = self.taken.gave_back(&note) {
            tracing::warn!("{e}");
        }
    }
}

/// What the kernel says of a port's device.
pub(super) struct Seen {
    pub(super) ifindex: u32,
    /// Frames can pass.
    pub(super) up: bool,
    /// Bytes.
    pub(super) mtu: u32,
    pub(super) mac: Option<Mac>,
}

/// A device's speed in kbit/s; 0: it does not say, or has none as long as its link is down.
fn speed(device: &str) -> u32 {
    // In Mbit/s, -1 for unknown (Documentation/ABI/testing/sysfs-class-net in the kernel).
    let text = std::fs::read_to_string(format!("/sys/class/net/{device}/speed"));
    let megabits: u32 = text.ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0);
    megabits.saturating_mul(1000)
}

/// Whether a running port can be changed into what it shall be, without being made anew.
fn can_become(now: &PortType, new: &PortType) -> bool {
    match (now, new) {
        (PortType::System, PortType::System) => true,
        (PortType::Patch { .. }, PortType::Patch { .. }) => true,
        (PortType::Vxlan(a), PortType::Vxlan(b)) => same_socket(a, b),
        _ => false,
    }
}

fn same_socket(a: &VxlanConfig, b: &VxlanConfig) -> bool {
    a.dst_port == b.dst_port
}
