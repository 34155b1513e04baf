//! Desired state to running state: the only writer of what runs.
//!
//! `Reconciler::converge` compares the desired state with what runs and does what is missing: a
//! bridge or port that did not change is not touched, so its traffic is not disturbed. What failed
//! for a reason outside (a device that does not exist, a container that restarts) is tried again
//! when netlink tells of a change, or at a tick.
//!
//! The desired state is the file's, changed by the command line's verbs. They are not written back to
//! the file; a reload applies the difference between the old file and the new one
//! ([`crate::config::merge`]).

mod controllers;
mod flows;
mod links;
mod local_mac;
mod mtu;
mod numbers;
mod ports;
mod report;
mod requests;

use crate::config::{Bridge, Config, Port, check::check, file, merge::merge};
use crate::control::RunDir;
use crate::net::attach::ContainerPort;
use crate::net::monitor::Monitor;
use crate::net::taken::{Taken, TakenFile};
use crate::net::{self, Netlink, attach};
use crate::openflow::OpenFlow;
use anyhow::{Context, bail};
use dataplane::fdb::FdbConfig;
use dataplane::port::af_packet::AfPacketPort;
use dataplane::port::guard::release_leftovers;
use dataplane::port::tap::TapPort;
use dataplane::state::{BridgeId, OfPort, PortFlags, PortId, PortKind, VlanConfig};
use dataplane::switch::{PortSpec, Switch};
use flows::FileFlows;
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use numbers::Numbers;
use ofagent::channel::Tls;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ticks (seconds) between attempts at what could not be done.
const RETRY_TICKS: u32 = 5;

/// See the module.
pub struct Reconciler {
    config_file: PathBuf,
    /// The file as it was last applied.
    from_file: Config,
    /// What shall be.
    desired: Config,
    /// Veth pairs into containers that the command line asked for, by the near end's name.
    containers: HashMap<String, ContainerPort>,
    switch: Switch,
    openflow: OpenFlow,
    bridges: BTreeMap<String, RunningBridge>,
    netlink: Netlink,
    monitor: Monitor,
    taken: TakenFile,
    /// Something desired does not run; tried again at a tick.
    unfinished: bool,
    /// Routes or links changed since MTUs were worked out.
    mtu_stale: bool,
    ticks: u32,
}

/// A bridge that runs.
struct RunningBridge {
    id: BridgeId,
    /// As it was last applied.
    config: Bridge,
    local: PortId,
    /// LOCAL's device; `None` when somebody removed it.
    tap: Option<TapPort>,
    /// LOCAL's address, as the device has it.
    mac: [u8; 6],
    ports: BTreeMap<String, RunningPort>,
    /// Of LOCAL and of veths that the switch made, bytes.
    mtu: u32,
    /// The file's flows as they were last applied.
    flows: FileFlows,
}

/// A port that runs, though its device may be missing.
struct RunningPort {
    id: PortId,
    ofport: u32,
    /// As it was last applied.
    config: Port,
    device: Option<AfPacketPort>,
    link: Link,
    /// The device's MTU, or the longest IP packet in the tunnel, bytes.
    mtu: Option<u32>,
    /// The device's address; `None`: there is no device.
    mac: Option<[u8; 6]>,
    /// The device's speed, kbit/s; 0: it does not say.
    speed: u32,
    /// What is wrong with it.
    problem: Option<String>,
}

/// State of a port's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Up,
    Down,
    Missing,
}

impl Link {
    fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Missing => "missing",
        }
    }
}

/// A desired state that was found possible: nothing of it has been applied yet.
struct Plan {
    desired: Config,
    numbers: Numbers,
    flows: BTreeMap<String, FileFlows>,
    tls: Option<Arc<Tls>>,
}

impl Reconciler {
    /// Brings a configuration into force, after what a dead switch left was cleared away.
    ///
    /// # Errors
    /// When something of it cannot be; then nothing stays.
    pub fn start(
        config_file: &Path,
        config: Config,
        rundir: &RunDir,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let mut netlink = Netlink::open()?;
        let mut monitor = Monitor::open()?;
        let (mut taken, leftovers) = TakenFile::open(rundir.path())?;
        for left in leftovers {
            match clear(&mut netlink, &left) {
                Ok(()) => taken.gave_back(&left)?,
                Err(e) => tracing::warn!("left by a vxswitch that died: {e:#}"),
            }
        }
        // What there is already is looked at when ports come up; only changes are news.
        monitor.resync(&mut netlink)?;
        let switch = Switch::new(config.workers).context("cannot start the worker threads")?;
        let mut this = Self {
            config_file: config_file.into(),
            from_file: Config::default(),
            desired: Config::default(),
            containers: HashMap::new(),
            switch,
            openflow: OpenFlow::new(registry.try_clone()?, rundir.path()),
            bridges: BTreeMap::new(),
            netlink,
            monitor,
            taken,
            unfinished: false,
            mtu_stale: false,
            ticks: 0,
        };
        let done = this.plan(config.clone()).and_then(|plan| this.carry_out(plan));
        match done {
            Ok(()) => {
                this.from_file = config;
                Ok(this)
            }
            Err(e) => {
                this.stop();
                Err(e)
            }
        }
    }

    /// Has netlink's news polled under `token`; [`Self::network_changed`] serves them.
    ///
    /// # Errors
    /// When epoll refuses.
    pub fn register(&self, registry: &Registry, token: Token) -> std::io::Result<()> {
        SourceFd(&self.monitor.fd()).register(registry, token, Interest::READABLE)
    }

    /// Reads the file again and applies what changed in it.
    ///
    /// # Errors
    /// What is wrong with it, or what the system refused half way. Then everything is as it was,
    /// unless something was waiting to be tried again already: then that goes on with the new file.
    pub fn reload(&mut self) -> anyhow::Result<()> {
        let new = file::load(&self.config_file)?;
        if new.workers != self.from_file.workers || new.rundir != self.from_file.rundir {
            bail!("[switch] changed; expected a restart for that, everything else can be reloaded");
        }
        let merged = merge(&self.from_file, &new, &self.desired);
        let plan = self.plan(merged).context("not reloaded")?;
        let was_unfinished = self.unfinished;
        let result = self.carry_out_or_undo(plan);
        if result.is_ok() || was_unfinished {
            self.from_file = new;
        }
        result
    }

    /// Checks a desired state against itself, the files of flows and the numbers that are taken.
    fn plan(&self, desired: Config) -> anyhow::Result<Plan> {
        let mut wrong: Vec<String> = check(&desired)
            .iter()
            .map(|p| if p.line.0.is_some() { p.in_file(&self.config_file) } else { p.to_string() })
            .collect();
        let numbers = Numbers::assign(&desired, |bridge, port| self.number_of(bridge, port))
            .unwrap_or_else(|problems| {
                wrong.extend(problems);
                Numbers::default()
            });
        let mut flows = BTreeMap::new();
        for bridge in &desired.bridges {
            match FileFlows::load(bridge, &numbers) {
                Ok(loaded) => drop(flows.insert(bridge.name.clone(), loaded)),
                Err(problems) => wrong.extend(problems),
            }
        }
        let tls = Self::load_tls(&desired).unwrap_or_else(|problem| {
            wrong.push(problem);
            None
        });
        if !wrong.is_empty() {
            bail!(wrong.join("\n"));
        }
        Ok(Plan { desired, numbers, flows, tls })
    }

    /// The number that a port runs with.
    fn number_of(&self, bridge: &str, port: &str) -> Option<u32> {
        self.bridges.get(bridge)?.ports.get(port).map(|p| p.ofport)
    }

    /// Applies a plan.
    fn carry_out(&mut self, plan: Plan) -> anyhow::Result<()> {
        self.desired = plan.desired.clone();
        let problems = self.converge(&plan);
        self.unfinished = !problems.is_empty();
        if problems.is_empty() { Ok(()) } else { bail!(problems.join("\n")) }
    }

    /// Does what is missing for the running state to be the desired one. Gives what failed.
    fn converge(&mut self, plan: &Plan) -> Vec<String> {
        let mut problems = Vec::new();
        let gone: Vec<String> = self
            .bridges
            .keys()
            .filter(|name| plan.desired.bridge(name).is_none())
            .cloned()
            .collect();
        for name in gone {
            self.del_bridge(&name);
        }
        // Ports go first everywhere: a port may move from one bridge to another.
        for bridge in &plan.desired.bridges {
            self.del_ports(bridge, &plan.numbers);
        }
        for bridge in &plan.desired.bridges {
            if let Err(e) = self.converge_bridge(bridge) {
                problems.push(format!("bridge \"{}\": {e:#}", bridge.name));
                continue;
            }
            for port in &bridge.ports {
                let number = plan.numbers.of(&bridge.name, &port.name);
                if let Err(e) = self.converge_port(&bridge.name, port, number) {
                    problems.push(format!("port \"{}\": {e:#}", port.name));
                }
            }
        }
        self.link_patches();
        for bridge in &plan.desired.bridges {
            if let Some(flows) = plan.flows.get(&bridge.name)
                && let Err(e) = self.converge_flows(&bridge.name, flows)
            {
                problems.push(e);
            }
        }
        self.work_out_mtus();
        // Last, so that a controller finds everything there.
        problems.extend(self.converge_control(plan));
        problems
    }

    fn converge_bridge(&mut self, bridge: &Bridge) -> anyhow::Result<()> {
        let Some(running) = self.bridges.get_mut(&bridge.name) else {
            return self.add_bridge(bridge);
        };
        let before = std::mem::replace(&mut running.config, bridge.clone());
        let fdb = |b: &Bridge| (b.mac_table_size, b.mac_aging_time);
        if fdb(&before) != fdb(bridge)
            && let Some(b) = self.switch.datapath().bridge(running.id)
        {
            b.fdb.configure(bridge.mac_table_size, bridge.mac_aging_time);
        }
        let tap = running.tap.as_ref().map(TapPort::ifindex);
        match (tap, bridge.mac) {
            (None, _) => self.add_tap(&bridge.name)?,
            (Some(ifindex), Some(mac)) if before.mac != bridge.mac => {
                let mac = Some(net::Mac(mac));
                self.netlink.set_link(ifindex, &net::LinkChange { mac, ..Default::default() })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn add_bridge(&mut self, bridge: &Bridge) -> anyhow::Result<()> {
        let fdb = FdbConfig { size: bridge.mac_table_size, aging_s: bridge.mac_aging_time };
        let id = self.switch.add_bridge(&bridge.name, fdb)?;
        let local = self.switch.reserve_port_id();
        self.switch.add_port(PortSpec {
            id: local,
            bridge: id,
            name: bridge.name.clone(),
            ofport: OfPort::LOCAL,
            kind: PortKind::Local,
            vlan: VlanConfig::default(),
            flags: PortFlags { link_up: false, ..Default::default() },
            max_frame: u16::MAX,
        })?;
        let running = RunningBridge {
            id,
            config: bridge.clone(),
            local,
            tap: None,
            mac: bridge.mac.unwrap_or_else(|| local_mac::of(&bridge.name)),
            ports: BTreeMap::new(),
            mtu: 0,
            flows: FileFlows::default(),
        };
        self.bridges.insert(bridge.name.clone(), running);
        self.add_tap(&bridge.name).inspect_err(|_| self.del_bridge(&bridge.name))
    }

    /// Makes LOCAL's device and switches it on.
    fn add_tap(&mut self, name: &str) -> anyhow::Result<()> {
        let Some(bridge) = self.bridges.get_mut(name) else { return Ok(()) };
        let mac = bridge.config.mac.unwrap_or_else(|| local_mac::of(name));
        let mut tap = TapPort::create(name, bridge.local, Some(mac))?;
        let receiver = tap.receiver()?;
        self.switch.set_io(bridge.local, Some(receiver), &mut || tap.transmitter())?;
        let up = net::LinkChange { up: Some(true), ..Default::default() };
        self.netlink.set_link(tap.ifindex(), &up)?;
        self.switch.update_port(bridge.local, |p| p.flags.link_up = true);
        bridge.tap = Some(tap);
        bridge.mac = mac;
        bridge.mtu = 0; // nothing is known of the new device's
        self.mtu_stale = true;
        Ok(())
    }

    /// Removes a bridge, its ports and its device.
    fn del_bridge(&mut self, name: &str) {
        let Some(bridge) = self.bridges.get(name) else { return };
        let ports: Vec<String> = bridge.ports.keys().cloned().collect();
        for port in ports {
            self.del_port(name, &port);
        }
        if let Some(bridge) = self.bridges.remove(name) {
            self.switch.del_bridge(bridge.id);
            // The TAP ends with `bridge`, when no worker has it any more.
        }
    }

    /// Once a second.
    pub fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        self.switch.tick();
        if self.ticks.is_multiple_of(RETRY_TICKS) {
            self.restore_containers();
            if self.unfinished
                && let Ok(plan) = self.plan(self.desired.clone())
            {
                self.unfinished = !self.converge(&plan).is_empty();
            }
        }
        if self.mtu_stale {
            self.work_out_mtus();
        }
        self.tell_ports();
    }

    /// Removes everything that was made, and gives back everything that was taken.
    pub fn stop(mut self) {
        self.desired = Config::default();
        // Controllers go first: nobody shall be told that every port of a switch goes.
        self.openflow.retain(|_| false);
        let names: Vec<String> = self.bridges.keys().cloned().collect();
        for name in names {
            self.del_bridge(&name);
        }
        if let Err(e) = self.taken.close() {
            tracing::warn!("{e}");
        }
    }
}

/// Gives back, or removes, what a dead switch left.
fn clear(netlink: &mut Netlink, left: &Taken) -> anyhow::Result<()> {
    match left {
        Taken::Interface { name, ifindex } => {
            // A device of that name that is another one was never taken.
            if netlink.link_by_name(name)?.is_some_and(|l| l.ifindex == *ifindex) {
                release_leftovers(name).with_context(|| format!("cannot free {name}"))?;
            }
        }
        Taken::Veth { target, ifname, .. } => attach::detach(netlink, target, ifname)?,
    }
    Ok(())
}
