//! What runs, for those who ask.

use super::{Link, Reconciler, RunningBridge, RunningPort};
use crate::config::setting::format_mac;
use crate::config::{PortType, Setting};
use crate::control::message::{
    BridgeInfo, DropCount, FdbInfo, FdbReply, PortCounters, PortInfo, ShowReply, StatsReply,
};
use crate::net::mtu;
use anyhow::Context;
use dataplane::drop::DropReason;
use dataplane::port::tap::TapPort;
use dataplane::state::{OfPort, clock_ms};
use dataplane::stats::PortStats;
use std::collections::BTreeMap;

impl Reconciler {
    pub(super) fn show(&self) -> ShowReply {
        let mut warnings = Vec::new();
        if !self.switch.workers_alive() {
            warnings.push("a worker thread has died; restart vxswitch and report this".into());
        }
        if self.unfinished {
            warnings.push("not all of the desired state could be applied; see the log".into());
        }
        ShowReply {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            config: self.config_file.display().to_string(),
            bridges: self.ordered().map(|b| self.bridge_info(b)).collect(),
            warnings,
        }
    }

    /// Bridges in the order of the desired state.
    fn ordered(&self) -> impl Iterator<Item = &RunningBridge> {
        self.desired.bridges.iter().filter_map(|b| self.bridges.get(&b.name))
    }

    fn bridge_info(&self, bridge: &RunningBridge) -> BridgeInfo {
        let flows = self.switch.datapath().bridge(bridge.id).map_or(0, |b| b.pipeline.len());
        let mut ports: Vec<PortInfo> =
            bridge.ports.values().map(|p| self.port_info(bridge, p)).collect();
        ports.push(self.local_info(bridge));
        ports.sort_by_key(|p| p.ofport);
        BridgeInfo {
            name: bridge.config.name.clone(),
            mtu: bridge.mtu,
            flows,
            fail_mode: bridge.config.fail_mode.name().into(),
            control: self.openflow.status(&bridge.config.name),
            ports,
        }
    }

    fn local_info(&self, bridge: &RunningBridge) -> PortInfo {
        let up = self.switch.datapath().port(bridge.local).is_some_and(|p| p.flags.link_up);
        let link = match (&bridge.tap, up) {
            (None, _) => Link::Missing,
            (Some(_), true) => Link::Up,
            (Some(_), false) => Link::Down,
        };
        PortInfo {
            name: bridge.config.name.clone(),
            ofport: OfPort::LOCAL.0,
            kind: "internal".into(),
            link: link.name().into(),
            mtu: Some(bridge.mtu),
            options: BTreeMap::new(),
            notes: bridge.tap.as_ref().map(TapPort::notes).unwrap_or_default().to_vec(),
            warnings: Vec::new(),
        }
    }

    fn port_info(&self, bridge: &RunningBridge, port: &RunningPort) -> PortInfo {
        let mut options: BTreeMap<String, String> = port
            .config
            .settings()
            .into_iter()
            .filter(|s| s.key != "type" && s.key != "ofport")
            .filter_map(|s| Some((s.key.clone(), Setting::text(&s, "").ok()?.to_owned())))
            .collect();
        if let Some(c) = self.containers.get(&port.config.name) {
            options.insert("peer".into(), format!("{} in {}", c.ifname, c.target));
        }
        let mut warnings: Vec<String> = port.problem.iter().cloned().collect();
        let tunnels = bridge.ports.values().filter(|p| matches!(p.config.kind, PortType::Vxlan(_)));
        if port.config.kind == PortType::System
            && let Some(overlay) = tunnels.filter_map(|p| p.mtu).min()
            && let Some(own) = port.mtu
        {
            warnings.extend(mtu::warning(&port.config.name, own, overlay));
        }
        PortInfo {
            name: port.config.name.clone(),
            ofport: port.ofport,
            kind: port.config.kind.name().into(),
            link: port.link.name().into(),
            mtu: port.mtu,
            options,
            notes: port.device.as_ref().map(|d| d.notes().to_vec()).unwrap_or_default(),
            warnings,
        }
    }

    pub(super) fn fdb(&self, bridge: &str) -> anyhow::Result<FdbReply> {
        let running = self.running(bridge)?;
        let datapath = self.switch.datapath();
        let on = datapath.bridge(running.id).context("the bridge is being removed")?;
        let entries = on.fdb.entries(clock_ms()).into_iter().map(|e| {
            let port = datapath.port(e.port);
            FdbInfo {
                ofport: port.map(|p| p.ofport.0),
                port: port.map(|p| p.name.clone()).unwrap_or_default(),
                vlan: e.vlan,
                mac: format_mac(&e.mac),
                age: e.age_s,
            }
        });
        Ok(FdbReply { entries: entries.collect() })
    }

    pub(super) fn stats(&self) -> StatsReply {
        let stats = self.switch.stats();
        let mut reply = StatsReply::default();
        let mut sums = stats.switch.drops;
        let none = PortStats::default();
        for bridge in self.ordered() {
            let local = (OfPort::LOCAL.0, bridge.config.name.as_str(), bridge.local);
            let mut ports: Vec<_> =
                bridge.ports.iter().map(|(name, p)| (p.ofport, name.as_str(), p.id)).collect();
            ports.push(local);
            ports.sort_unstable();
            for (ofport, name, id) in ports {
                let s = stats.ports.get(&id).unwrap_or(&none);
                for (sum, n) in sums.iter_mut().zip(&s.drops) {
                    *sum += n;
                }
                reply.ports.push(PortCounters {
                    bridge: bridge.config.name.clone(),
                    port: name.into(),
                    ofport,
                    rx_packets: s.rx_packets,
                    rx_bytes: s.rx_bytes,
                    tx_packets: s.tx_packets,
                    tx_bytes: s.tx_bytes,
                    drops: DropReason::ALL
                        .iter()
                        .zip(s.drops)
                        .filter(|(_, n)| *n > 0)
                        .map(|(r, n)| (r.name().to_owned(), n))
                        .collect(),
                });
            }
        }
        let counts = DropReason::ALL.iter().zip(sums).filter(|(_, n)| *n > 0);
        reply.drops = counts
            .map(|(reason, count)| DropCount {
                reason: reason.name().into(),
                meaning: reason.sentence().into(),
                count,
            })
            .collect();
        reply.too_big_sent = stats.switch.too_big_sent;
        reply.too_big_suppressed = stats.switch.too_big_suppressed;
        reply
    }

    /// A bridge that runs.
    pub(super) fn running(&self, bridge: &str) -> anyhow::Result<&RunningBridge> {
        self.bridges.get(bridge).with_context(|| {
            let names: Vec<&str> = self.bridges.keys().map(String::as_str).collect();
            let list = if names.is_empty() { "there is none".into() } else { names.join(", ") };
            format!("no bridge \"{bridge}\"; expected one of: {list}")
        })
    }
}
