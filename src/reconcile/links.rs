//! What netlink says came and went; veths into containers, and containers that restart.

use super::Reconciler;
use super::ports::Seen;
use crate::config::PortType;
use crate::net::attach::{self, ContainerPort};
use crate::net::monitor::{Event, LinkEvent, LinkEventKind};
use crate::net::taken::Taken;
use dataplane::port::tap::TapPort;

impl Reconciler {
    /// Serves netlink's news.
    pub fn network_changed(&mut self) {
        let mut events = match self.monitor.next_events() {
            Ok(events) => events,
            Err(e) => {
                tracing::warn!("netlink: {e}");
                return;
            }
        };
        if events.contains(&Event::Resync) {
            match self.monitor.resync(&mut self.netlink) {
                Ok(missed) => events.extend(missed),
                Err(e) => tracing::warn!("netlink: {e}"),
            }
        }
        let mut links = false;
        for event in events {
            match event {
                Event::Link(link) => {
                    links = true;
                    self.link_changed(&link);
                }
                // Routes may change by the thousand: the next tick looks at them once.
                Event::Underlay | Event::Resync => self.mtu_stale = true,
            }
        }
        if links && self.mtu_stale {
            self.work_out_mtus();
        }
        if links {
            self.tell_ports();
        }
    }

    fn link_changed(&mut self, event: &LinkEvent) {
        // A link under a tunnel may have another MTU now.
        self.mtu_stale = true;
        if self.bridges.contains_key(&event.name) {
            self.local_changed(event);
            return;
        }
        let Some((bridge, _)) = self.bridges.iter().find(|(_, b)| {
            b.ports.get(&event.name).is_some_and(|p| p.config.kind == PortType::System)
        }) else {
            return;
        };
        let bridge = bridge.clone();
        match event.kind {
            LinkEventKind::New => {
                let LinkEvent { ifindex, up, mtu, mac, .. } = *event;
                self.device_seen(&bridge, &event.name, &Seen { ifindex, up, mtu, mac });
            }
            LinkEventKind::Gone => {
                let device = self.port_mut(&bridge, &event.name).and_then(|p| p.device.as_ref());
                // An old device's end is no news when a new one is there already.
                if device.is_none_or(|d| d.ifindex() == event.ifindex) {
                    self.device_gone(&bridge, &event.name);
                }
            }
        }
    }

    /// Somebody did something to a TAP of ours.
    fn local_changed(&mut self, event: &LinkEvent) {
        let Some(bridge) = self.bridges.get_mut(&event.name) else { return };
        if bridge.tap.as_ref().map(TapPort::ifindex) != Some(event.ifindex) {
            return;
        }
        let local = bridge.local;
        if event.kind == LinkEventKind::Gone {
            tracing::warn!("bridge {}: somebody removed its device; making it anew", event.name);
            self.switch.clear_io(local);
            bridge.tap = None;
            self.unfinished = true;
        } else {
            bridge.mtu = event.mtu;
            bridge.mac = event.mac.map_or(bridge.mac, |m| m.0);
        }
        let up = event.kind == LinkEventKind::New && event.up;
        let is_up = self.switch.datapath().port(local).map(|p| p.flags.link_up);
        if is_up != Some(up) {
            self.switch.update_port(local, |p| p.flags.link_up = up);
        }
    }

    /// Makes the veth pair of a container's port.
    pub(super) fn attach_container(
        &mut self,
        name: &str,
        container: &ContainerPort,
    ) -> anyhow::Result<()> {
        self.taken.will_take(veth_note(name, container))?;
        if let Err(e) = attach::attach(&mut self.netlink, container) {
            self.taken.gave_back(&veth_note(name, container))?;
            return Err(e.into());
        }
        Ok(())
    }

    /// Makes the veths anew of containers that were restarted.
    pub(super) fn restore_containers(&mut self) {
        let missing: Vec<(String, ContainerPort)> = self
            .containers
            .iter()
            .filter(|(name, _)| {
                let ports = self.bridges.values().filter_map(|b| b.ports.get(*name));
                ports.into_iter().any(|p| p.device.is_none())
            })
            .map(|(name, container)| (name.clone(), container.clone()))
            .collect();
        for (name, mut container) in missing {
            let bridge = self.bridges.iter().find(|(_, b)| b.ports.contains_key(&name));
            container.mtu = container.mtu.or(bridge.map(|(_, b)| b.mtu).filter(|m| *m != 0));
            match self.attach_container(&name, &container) {
                Ok(()) => tracing::info!("port {name}: {} is back", container.target),
                Err(e) => tracing::debug!("port {name}: {e:#}"),
            }
        }
    }
}

/// The record of a veth pair.
pub(super) fn veth_note(name: &str, container: &ContainerPort) -> Taken {
    Taken::Veth {
        host_ifname: name.into(),
        target: container.target.clone(),
        ifname: container.ifname.clone(),
    }
}
