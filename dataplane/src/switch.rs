//! The control thread's side of the datapath: it makes bridges, ports and flow-mods into the next
//! snapshot, and hands receivers and transmitters to the workers.
//!
//! One thread owns a [`Switch`]. Every change ends in `Switch::publish`, which gives the snapshot
//! the next epoch; the packet path is never stopped.

mod tables;

pub use self::tables::Event;

use crate::action::Action;
use crate::drop::DropReason;
use crate::fdb::{Fdb, FdbConfig};
use crate::port::vxlan::{VxlanReceiver, VxlanTransmitter};
use crate::port::{Receive, Transmit};
use crate::retired::Retired;
use crate::state::{
    Bridge, BridgeId, Datapath, OfPort, Port, PortFlags, PortId, PortKind, Shared, VlanConfig,
};
use crate::stats::{PortCounters, PortStats, SwitchStats, WorkerCounters};
use crate::table::Pipeline;
use crate::upcall::{PacketIns, PacketOut, Upcalls};
use crate::vtep::{TunnelTable, UnderlayRoute};
use crate::worker::{Command, Handle, RxId, spawn};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No such bridge.
    #[error("bridge {0} does not exist")]
    NoBridge(String),
    /// The bridge's name is taken.
    #[error("a bridge named {0} already exists")]
    BridgeExists(String),
    /// The OpenFlow port number is taken or reserved.
    #[error("port number {number} on bridge {bridge} is {why}")]
    OfPort {
        /// The number asked for.
        number: u32,
        /// On which bridge.
        bridge: String,
        /// "taken by …" or "reserved".
        why: String,
    },
    /// A socket, thread or descriptor was refused by the kernel.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// A new port.
#[derive(Clone, Debug)]
pub struct PortSpec {
    /// From [`Switch::reserve_port_id`].
    pub id: PortId,
    /// Its bridge.
    pub bridge: BridgeId,
    /// Its name.
    pub name: String,
    /// Its OpenFlow number.
    pub ofport: OfPort,
    /// What it is.
    pub kind: PortKind,
    /// VLANs.
    pub vlan: VlanConfig,
    /// Configuration and link state.
    pub flags: PortFlags,
    /// See [`Port::max_frame`].
    pub max_frame: u16,
}

/// Makes a transmitter; called once for each worker.
pub type MakeTransmitter<'a> = dyn FnMut() -> io::Result<Box<dyn Transmit>> + 'a;

/// All counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// By port.
    pub ports: BTreeMap<PortId, PortStats>,
    /// What belongs to no port.
    pub switch: SwitchStats,
}

/// See the module.
pub struct Switch {
    shared: Arc<Shared>,
    upcalls: Arc<Upcalls>,
    /// What the control thread itself drops.
    counters_here: WorkerCounters,
    next: Datapath,
    workers: Vec<Handle>,
    next_port: u32,
    next_rx: usize,
    /// Worker and receiver of each port that has one.
    receivers: BTreeMap<PortId, (usize, RxId)>,
    counters: BTreeMap<PortId, Vec<Arc<PortCounters>>>,
    /// VXLAN sockets by UDP port: worker, receiver.
    vxlan: BTreeMap<u16, (usize, RxId)>,
    underlay: Vec<UnderlayRoute>,
    /// `next` differs from what is published.
    dirty: bool,
    retired: Retired,
    events: Vec<Event>,
}

impl Switch {
    /// A switch without bridges, with `workers` threads (at least one).
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn new(workers: usize) -> io::Result<Self> {
        let (shared, upcalls) = (Arc::new(Shared::default()), Arc::new(Upcalls::default()));
        let workers = (0..workers.max(1))
            .map(|i| spawn(i, Arc::clone(&shared), Arc::clone(&upcalls)))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            shared,
            upcalls,
            counters_here: WorkerCounters::default(),
            next: Datapath::default(),
            workers,
            next_port: 0,
            next_rx: 0,
            receivers: BTreeMap::new(),
            counters: BTreeMap::new(),
            vxlan: BTreeMap::new(),
            underlay: Vec::new(),
            dirty: false,
            retired: Retired::start()?,
            events: Vec::new(),
        })
    }

    /// The snapshot in force.
    #[must_use]
    pub fn datapath(&self) -> Arc<Datapath> {
        self.shared.0.load_full()
    }

    /// Whether every worker still runs.
    #[must_use]
    pub fn workers_alive(&self) -> bool {
        self.workers.iter().all(Handle::is_alive)
    }

    /// The number of the next port, for those who must know it before the port exists.
    pub fn reserve_port_id(&mut self) -> PortId {
        let id = PortId(self.next_port);
        self.next_port += 1;
        id
    }

    /// Adds a bridge without ports and flows.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn add_bridge(&mut self, name: &str, fdb: FdbConfig) -> Result<BridgeId, SwitchError> {
        if self.next.bridges.iter().flatten().any(|b| b.name == name) {
            return Err(SwitchError::BridgeExists(name.into()));
        }
        let id = BridgeId(self.next.bridges.len() as u32);
        self.next.bridges.push(Some(Arc::new(Bridge {
            id,
            name: name.into(),
            ports: Vec::new(),
            fdb: Arc::new(Fdb::new(fdb)),
            pipeline: Arc::new(Pipeline::default()),
            controllers: false,
            fail_open: false,
        })));
        self.publish();
        Ok(id)
    }

    /// Removes a bridge and its ports.
    pub fn del_bridge(&mut self, id: BridgeId) {
        let Some(bridge) = self.next.bridge(id).cloned() else { return };
        for (_, port) in &bridge.ports {
            self.del_port(*port);
        }
        self.next.bridges[id.0 as usize] = None;
        self.publish();
    }

    /// Adds a port. VXLAN and patch ports need no receiver or transmitter of their own.
    ///
    /// # Errors
    /// When the bridge does not exist, the number is taken or a VXLAN socket is refused.
    pub fn add_port(&mut self, spec: PortSpec) -> Result<(), SwitchError> {
        let bridge = self
            .next
            .bridge(spec.bridge)
            .ok_or_else(|| SwitchError::NoBridge(format!("{:?}", spec.bridge)))?;
        let refuse = |why: String| SwitchError::OfPort {
            number: spec.ofport.0,
            bridge: bridge.name.clone(),
            why,
        };
        let valid = spec.ofport == OfPort::LOCAL || (1..OfPort::MAX.0).contains(&spec.ofport.0);
        if !valid {
            return Err(refuse("reserved (OpenFlow 1.3 section 7.2.1)".into()));
        }
        if let Some(other) = bridge.port(spec.ofport).and_then(|p| self.next.port(p)) {
            return Err(refuse(format!("taken by {}", other.name)));
        }
        if let PortKind::Vxlan(config) = &spec.kind {
            self.open_vxlan(config.dst_port)?;
        }
        let counters: Vec<_> = self.workers.iter().map(|_| Arc::default()).collect();
        for (worker, c) in self.workers.iter().zip(&counters) {
            worker.send(Command::AddPort(spec.id, Arc::clone(c)));
            if matches!(spec.kind, PortKind::Vxlan(_)) {
                let transmit = VxlanTransmitter::new().map_err(|source| SwitchError::Io {
                    what: format!("port {}: no VXLAN sending socket", spec.name),
                    source,
                })?;
                worker.send(Command::SetTransmitter(spec.id, Some(Box::new(transmit))));
            }
        }
        self.counters.insert(spec.id, counters);
        let index = spec.id.0 as usize;
        if self.next.ports.len() <= index {
            self.next.ports.resize(index + 1, None);
        }
        let at = self.next.bridges[spec.bridge.0 as usize].as_mut().expect("looked up above");
        let at = Arc::make_mut(at);
        at.ports.push((spec.ofport, spec.id));
        at.ports.sort_unstable();
        self.next.ports[index] = Some(Arc::new(Port {
            id: spec.id,
            name: spec.name,
            bridge: spec.bridge,
            ofport: spec.ofport,
            kind: spec.kind,
            vlan: spec.vlan,
            flags: spec.flags,
            max_frame: spec.max_frame,
        }));
        self.tunnels_changed();
        self.publish();
        Ok(())
    }

    /// Gives a port its device: a receiver for one of the workers, a transmitter for each. What it
    /// had before is dropped first.
    ///
    /// # Errors
    /// When `transmitter` fails; the port then has neither.
    pub fn set_io(
        &mut self,
        id: PortId,
        receiver: Option<Box<dyn Receive>>,
        transmitter: &mut MakeTransmitter<'_>,
    ) -> io::Result<()> {
        self.clear_io(id);
        let made = self.workers.iter().map(|_| transmitter()).collect::<io::Result<Vec<_>>>()?;
        for (worker, t) in self.workers.iter().zip(made) {
            worker.send(Command::SetTransmitter(id, Some(t)));
        }
        if let Some(receiver) = receiver {
            let at = self.give_receiver(receiver);
            self.receivers.insert(id, at);
        }
        Ok(())
    }

    /// Takes a port's device away (it has gone, or another comes). The port stays, with its number.
    /// The halves have been dropped when this returns.
    pub fn clear_io(&mut self, id: PortId) {
        if let Some((worker, rx)) = self.receivers.remove(&id) {
            self.workers[worker].send(Command::RemoveReceiver(rx));
        }
        for worker in &self.workers {
            worker.send(Command::SetTransmitter(id, None));
        }
        self.sync();
    }

    /// Changes what the packet path knows of a port.
    pub fn update_port(&mut self, id: PortId, change: impl FnOnce(&mut Port)) {
        let Some(Some(port)) = self.next.ports.get_mut(id.0 as usize) else { return };
        change(Arc::make_mut(port));
        self.tunnels_changed();
        self.publish();
    }

    /// Says what MTU the underlay has toward where, for tunnels whose remote a flow chooses.
    pub fn set_underlay(&mut self, routes: Vec<UnderlayRoute>) {
        if self.underlay != routes {
            self.underlay = routes;
            self.tunnels_changed();
            self.publish();
        }
    }

    /// Removes a port.
    pub fn del_port(&mut self, id: PortId) {
        let Some(port) = self.next.ports.get_mut(id.0 as usize).and_then(Option::take) else {
            return;
        };
        if let Some(bridge) = self.next.bridges[port.bridge.0 as usize].as_mut() {
            let bridge = Arc::make_mut(bridge);
            bridge.ports.retain(|(_, p)| *p != id);
            bridge.fdb.flush(id);
        }
        self.tunnels_changed();
        // Workers see the port gone before its queues are.
        self.publish();
        self.clear_io(id);
        for worker in &self.workers {
            worker.send(Command::RemovePort(id));
        }
        self.counters.remove(&id);
        if let PortKind::Vxlan(config) = &port.kind {
            self.close_vxlan(config.dst_port);
        }
        self.sync();
    }

    /// A bridge's tables, groups and meters with all changes, committed or not.
    #[must_use]
    pub fn pipeline(&self, bridge: BridgeId) -> Option<Arc<Pipeline>> {
        Some(Arc::clone(&self.next.bridge(bridge)?.pipeline))
    }

    /// Brings all changes into force that were not yet.
    pub fn commit(&mut self) {
        if self.dirty {
            self.publish();
        }
    }

    /// Commits, and waits until no worker works with anything older, and all packet-outs are sent
    /// (a turn, microseconds). From then on every frame that is received meets the new state.
    pub fn barrier(&mut self) {
        self.commit();
        for worker in &self.workers {
            worker.barrier(self.next.epoch);
        }
    }

    /// Sends a controller's packet. Packet-outs of a bridge are done in their order, and see all
    /// flow-mods before them where they run flow tables or groups. False if too many wait already
    /// ([`crate::worker::MAX_PACKET_OUTS`]): it is dropped and counted, as is one for a bridge that
    /// does not exist.
    pub fn packet_out(&mut self, bridge: BridgeId, out: PacketOut) -> bool {
        // A packet that only goes to ports needs nothing of what is staged.
        let plain = |a: &Action| match a {
            Action::Output(output) => output.port != OfPort::TABLE,
            Action::Group(_) | Action::Resubmit { .. } => false,
            _ => true,
        };
        if !out.actions.iter().all(plain) {
            self.commit();
        }
        let worker = &self.workers[bridge.0 as usize % self.workers.len()];
        let sent = worker.packet_out(bridge, Box::new(out));
        if !sent {
            self.counters_here.dropped(DropReason::PacketOutQueueFull, 1);
        }
        sent
    }

    /// The packets that wait for controllers. Ends when none does; if it is dropped before, the
    /// waker is rung again.
    pub fn packet_ins(&self) -> PacketIns<'_> {
        self.upcalls.drain()
    }

    /// Says what wakes the control thread when packets for controllers come. Once; later calls
    /// change nothing.
    pub fn set_waker(&self, waker: Arc<mio::Waker>) {
        self.upcalls.set_waker(waker);
    }

    /// Says whether anybody takes what a bridge sends to CONTROLLER; at once. At first, nobody does.
    pub fn set_controllers(&mut self, bridge: BridgeId, controllers: bool) {
        if let Some(Some(b)) = self.next.bridges.get_mut(bridge.0 as usize)
            && b.controllers != controllers
        {
            Arc::make_mut(b).controllers = controllers;
            self.publish();
        }
    }

    /// Makes a bridge treat every packet by NORMAL instead of its flow tables, or by its tables
    /// again; at once.
    pub fn set_fail_open(&mut self, bridge: BridgeId, fail_open: bool) {
        if let Some(Some(b)) = self.next.bridges.get_mut(bridge.0 as usize)
            && b.fail_open != fail_open
        {
            Arc::make_mut(b).fail_open = fail_open;
            self.publish();
        }
    }

    /// Sums of all counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for (id, counters) in &self.counters {
            let sum = stats.ports.entry(*id).or_default();
            counters.iter().for_each(|c| sum.add(c));
        }
        stats.switch.add(&self.counters_here);
        for worker in &self.workers {
            stats.switch.add(&worker.counters);
        }
        stats
    }

    /// Waits until the workers have done all commands.
    pub fn sync(&self) {
        self.workers.iter().for_each(Handle::sync);
    }

    fn publish(&mut self) {
        self.next.epoch += 1;
        self.dirty = false;
        self.retired.add(self.shared.0.swap(Arc::new(self.next.clone())));
    }

    fn tunnels_changed(&mut self) {
        let tunnels = self.next.ports.iter().flatten().filter_map(|p| match &p.kind {
            PortKind::Vxlan(config) => Some((p.id, Arc::clone(config))),
            _ => None,
        });
        let table = TunnelTable::new(tunnels.collect()).with_underlay(self.underlay.clone());
        self.next.tunnels = Arc::new(table);
    }

    fn give_receiver(&mut self, receiver: Box<dyn Receive>) -> (usize, RxId) {
        let mut load = vec![0; self.workers.len()];
        let given = self.receivers.values().chain(self.vxlan.values());
        given.for_each(|(w, _)| load[*w] += 1);
        let worker = (0..load.len()).min_by_key(|w| load[*w]).unwrap_or(0);
        let id = RxId(self.next_rx);
        self.next_rx += 1;
        self.workers[worker].send(Command::AddReceiver(id, receiver));
        (worker, id)
    }

    fn open_vxlan(&mut self, dst_port: u16) -> Result<(), SwitchError> {
        if self.vxlan.contains_key(&dst_port) {
            return Ok(());
        }
        let receiver =
            VxlanReceiver::open(dst_port, Arc::clone(&self.shared)).map_err(|source| {
                SwitchError::Io {
                    what: format!(
                        "UDP port {dst_port} for VXLAN cannot be bound (is a kernel vxlan device \
                         or another switch using it? `ss -ulnp` shows; dst_port chooses another)"
                    ),
                    source,
                }
            })?;
        let at = self.give_receiver(Box::new(receiver));
        self.vxlan.insert(dst_port, at);
        Ok(())
    }

    fn close_vxlan(&mut self, dst_port: u16) {
        let used = self
            .next
            .ports
            .iter()
            .flatten()
            .any(|p| matches!(&p.kind, PortKind::Vxlan(config) if config.dst_port == dst_port));
        if used {
            return;
        }
        if let Some((worker, rx)) = self.vxlan.remove(&dst_port) {
            self.workers[worker].send(Command::RemoveReceiver(rx));
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // Nothing is forwarded into ports that are being given back.
        self.next = Datapath::default();
        self.publish();
        self.workers.clear();
    }
}
