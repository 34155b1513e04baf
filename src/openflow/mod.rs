//! Bridges and their controllers: joins each bridge of the packet path with an OpenFlow agent and
//! its connections.
//!
//! The daemon's loop says what became ready ([`OpenFlow::ready`]) and then gives a turn to all
//! ([`OpenFlow::turn`]). A turn does a bounded part of what is at hand, so nobody who sends or reads
//! much or nothing keeps the control thread from others.

mod status;

use dataplane::state::BridgeId;
use dataplane::switch::{Event, Switch};
use mio::{Registry, Token};
use ofagent::agent::{Agent, BridgeInfo, PortInfo, RateLimit};
use ofagent::channel::{Channels, Settings, Target};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between publications of changed tables while changes keep coming in. A barrier does not wait
/// for it.
const COMMIT_INTERVAL: Duration = Duration::from_millis(2);

/// Tokens of a bridge: its slot, from 1, times this, and what is above it.
const SLOT: usize = 1 << 32;

/// See the module.
pub struct OpenFlow {
    registry: Registry,
    rundir: PathBuf,
    bridges: BTreeMap<String, Controlled>,
    /// The last slot that was given to a bridge.
    slot: usize,
    committed: Instant,
    /// Something was served since.
    uncommitted: bool,
}

/// A bridge under control.
struct Controlled {
    info: BridgeInfo,
    slot: usize,
    agent: Agent,
    channels: Channels,
    ports: Vec<PortInfo>,
    fail_open: bool,
}

/// What a bridge's configuration says of its controllers.
#[derive(Debug)]
pub struct Control {
    /// Connections.
    pub channels: Settings,
    /// Of packet-ins, for each controller and reason; `None`: no limit.
    pub rate_limit: Option<RateLimit>,
}

impl OpenFlow {
    /// Nothing yet; sockets are made in `rundir`.
    #[must_use]
    pub fn new(registry: Registry, rundir: &Path) -> Self {
        Self {
            registry,
            rundir: rundir.into(),
            bridges: BTreeMap::new(),
            slot: 0,
            committed: Instant::now(),
            uncommitted: false,
        }
    }

    /// Whether a token is one of those used here.
    #[must_use]
    pub fn owns(token: Token) -> bool {
        token.0 >= SLOT
    }

    /// Puts a bridge under control, or changes how it is controlled.
    ///
    /// # Errors
    /// When the system refuses another epoll handle.
    pub fn set_bridge(&mut self, info: BridgeInfo, mut control: Control) -> std::io::Result<()> {
        let now = Instant::now();
        let same = |c: &Controlled| c.info.id == info.id && c.info.datapath_id == info.datapath_id;
        if !self.bridges.get(&info.name).is_some_and(same) {
            self.bridges.remove(&info.name);
            self.slot += 1;
            let socket = self.rundir.join(format!("{}.mgmt", info.name));
            let registry = self.registry.try_clone()?;
            let channels = Channels::new(&info.name, socket, registry, self.slot * SLOT);
            let controlled = Controlled {
                agent: Agent::new(info.clone()),
                slot: self.slot,
                channels,
                ports: Vec::new(),
                fail_open: false,
                info: info.clone(),
            };
            self.bridges.insert(info.name.clone(), controlled);
        }
        if let Some(bridge) = self.bridges.get_mut(&info.name) {
            for target in &mut control.channels.controllers {
                if let Target::Unix(path) | Target::Punix(path) = target {
                    // join() leaves absolute paths alone.
                    *path = self.rundir.join(&*path);
                }
            }
            bridge.agent.set_rate_limit(control.rate_limit);
            bridge.channels.configure(&mut bridge.agent, control.channels, now);
        }
        Ok(())
    }

    /// Closes the connections of all bridges but these.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.bridges.retain(|name, _| keep(name));
    }

    /// Tells a bridge's controllers of its ports, if something about them changed.
    pub fn set_ports(&mut self, switch: &Switch, bridge: &str, ports: Vec<PortInfo>) {
        if let Some(bridge) = self.bridges.get_mut(bridge)
            && bridge.ports != ports
        {
            bridge.ports.clone_from(&ports);
            bridge.agent.set_ports(switch, ports);
        }
    }

    /// Something happened at a token of these.
    pub fn ready(&mut self, token: Token) {
        let slot = token.0 / SLOT;
        if let Some(b) = self.bridges.values_mut().find(|b| b.slot == slot) {
            b.channels.ready(&mut b.agent, token, Instant::now());
        }
    }

    /// Serves all bridges, and says when it wants the next turn at the latest.
    pub fn turn(&mut self, switch: &mut Switch) -> Option<Instant> {
        let now = Instant::now();
        for b in self.bridges.values_mut() {
            b.channels.tick(&mut b.agent, now);
            self.uncommitted |= b.channels.read(&mut b.agent, switch, now);
            // Packets for controllers are not even copied while nobody is there.
            switch.set_controllers(b.info.id, b.channels.any_ready());
            let fail_open = b.channels.fail_open(now);
            if fail_open != b.fail_open {
                b.fail_open = fail_open;
                let what = if fail_open {
                    "no controller for three inactivity probes: forwarding like a learning bridge"
                } else {
                    "forwarding by the flow tables again"
                };
                tracing::warn!("bridge {}: {what}", b.info.name);
                switch.set_fail_open(b.info.id, fail_open);
            }
        }
        if self.uncommitted && now.saturating_duration_since(self.committed) >= COMMIT_INTERVAL {
            switch.commit();
            self.committed = now;
            self.uncommitted = false;
        }
        self.packet_ins(switch);
        self.events(switch);
        let mut next: Option<Instant> = self.uncommitted.then(|| self.committed + COMMIT_INTERVAL);
        for b in self.bridges.values_mut() {
            b.channels.write(&mut b.agent, now);
            let due = if b.channels.has_work(&mut b.agent) {
                Some(now)
            } else {
                b.channels.deadline(now)
            };
            next = next.into_iter().chain(due).min();
        }
        next
    }

    /// Hands packets to the agents of their bridges.
    fn packet_ins(&mut self, switch: &Switch) {
        for packet in switch.packet_ins() {
            if let Some(b) = by_id(&mut self.bridges, packet.to.bridge) {
                b.agent.packet_in(&packet);
            }
        }
    }

    /// Tells agents what happened to flows.
    fn events(&mut self, switch: &mut Switch) {
        for event in switch.take_events() {
            match event {
                Event::FlowRemoved { bridge, removed } => {
                    if let Some(b) = by_id(&mut self.bridges, bridge) {
                        b.agent.flow_removed(&removed);
                    }
                }
            }
        }
    }
}

fn by_id(bridges: &mut BTreeMap<String, Controlled>, id: BridgeId) -> Option<&mut Controlled> {
    bridges.values_mut().find(|b| b.info.id == id)
}
