//! Worker threads: receive, decide, apply, send.
//!
//! A worker waits on the receiving halves that it was given, takes frames from those that are
//! ready, looks each one's decision up in its own caches, runs the decision's steps and sends what
//! they queued. One round over one port's batch is a *turn*; at its end every queue is flushed, the
//! buffers go back to the pool and the counters are added to the rules.
//!
//! A worker shares nothing that it writes, but for counters, meters and the queues to the
//! controllers. It loads the datapath's snapshot once a round over its ports, and shows in its
//! `Progress` which one it works with. Commands from the control thread come by a channel, with a
//! wake-up through the poll; packets from controllers are such commands.

mod handle;
mod packet_out;
mod progress;
mod sink;
mod sticky;

pub use handle::{Command, Handle, MAX_PACKET_OUTS, RxId, spawn};

use self::progress::Progress;
use self::sink::{Outlets, TxSlot};
use self::sticky::Sticky;
use crate::action::apply::apply;
use crate::cache::{self, Cache};
use crate::drop::DropReason;
use crate::flow::extract::extract_rare;
use crate::flow::{self, FlowKey, Layout};
use crate::packet::{Packet, Pool};
use crate::port::{Receive, Received, RxBatch, TxItem, TxReport};
use crate::state::{BridgeId, Datapath, PortId, Shared, clock_ms};
use crate::stats::WorkerCounters;
use crate::too_big::{self, Limiter};
use crate::translate::MAX_RECIRCULATIONS;
use crate::upcall::{PacketOut, Upcalls};
use crate::wire::ethernet;
use crossbeam_channel::Receiver;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Frames taken from one port before the next one has its turn.
const BUDGET: usize = 64;
/// Longest sleep: cached decisions age also when nothing comes in.
const MAX_SLEEP: Duration = Duration::from_secs(5);

struct RxSlot {
    receive: Box<dyn Receive>,
    ready: bool,
}

/// Where a packet of the turn came from, for answers to its sender.
#[derive(Clone, Copy)]
struct Origin {
    port: PortId,
    /// The outermost tag as received, TPID and TCI; zero without one.
    vlan: flow::Vlan,
}

struct Worker {
    poll: Poll,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    progress: Arc<Progress>,
    receivers: Vec<Option<RxSlot>>,
    ready: Vec<usize>,
    /// Packet-outs of the turn.
    packet_outs: usize,
    turn: Turn,
}

/// Everything that one turn works on; apart from the receivers, so that both can be borrowed.
struct Turn {
    pool: Pool,
    cache: Cache,
    /// The packet's in hand; only its packet part is ever written.
    key: FlowKey,
    batch: RxBatch,
    packets: Vec<Packet>,
    origins: Vec<Origin>,
    out: Outlets,
    report: TxReport,
    answers: Vec<(PortId, Packet)>,
    limiter: Limiter,
    sticky: Option<Sticky>,
}

impl Worker {
    fn new(
        poll: Poll,
        shared: Arc<Shared>,
        commands: Receiver<Command>,
        counters: Arc<WorkerCounters>,
        upcalls: Arc<Upcalls>,
        progress: Arc<Progress>,
    ) -> Self {
        let turn = Turn {
            pool: Pool::default(),
            cache: Cache::default(),
            key: FlowKey::default(),
            batch: RxBatch::default(),
            packets: Vec::new(),
            origins: Vec::new(),
            out: Outlets::new(counters, upcalls),
            report: TxReport::default(),
            answers: Vec::new(),
            limiter: Limiter::default(),
            sticky: None,
        };
        Self {
            poll,
            shared,
            commands,
            progress,
            receivers: Vec::new(),
            ready: Vec::new(),
            packet_outs: 0,
            turn,
        }
    }

    fn run(&mut self) {
        self.turn.sticky = Some(Sticky::new());
        let mut events = Events::with_capacity(256);
        loop {
            let rest = !self.ready.is_empty() || !self.commands.is_empty();
            let sleep = if rest { Duration::ZERO } else { MAX_SLEEP };
            if let Err(e) = self.poll.poll(&mut events, Some(sleep))
                && e.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!("worker: poll failed: {e}; this worker ends");
                return;
            }
            for event in &events {
                if let Some(Some(slot)) = self.receivers.get_mut(event.token().0)
                    && !slot.ready
                {
                    slot.ready = true;
                    self.ready.push(event.token().0);
                }
            }
            if !self.round() {
                return;
            }
            if events.is_empty() && self.ready.is_empty() {
                self.turn.cache.maintain(clock_ms());
            }
        }
    }

    /// The commands that have come, then a turn over each ready port, all by the same snapshot;
    /// false when told to stop.
    fn round(&mut self) -> bool {
        self.progress.busy();
        let shared = Arc::clone(&self.shared);
        let datapath = shared.0.load();
        self.progress.works_with(datapath.epoch);
        // Also without a wake-up: what the snapshot speaks of was announced before it.
        let go_on = self.obey();
        let mut i = 0;
        while i < self.ready.len() && go_on {
            let index = self.ready[i];
            let Some(slot) = &mut self.receivers[index] else {
                self.ready.swap_remove(i);
                continue;
            };
            let more = self.turn.run(&datapath, slot.receive.as_mut());
            if more {
                i += 1;
            } else {
                slot.ready = false;
                self.ready.swap_remove(i);
            }
        }
        self.progress.idle();
        go_on
    }

    /// Does the commands that have come, but so many packet-outs at most that ports have their turn;
    /// false when told to stop.
    fn obey(&mut self) -> bool {
        let mut go_on = true;
        while go_on && self.packet_outs < BUDGET {
            let Ok(command) = self.commands.try_recv() else { break };
            if let Command::PacketOut(bridge, out) = command {
                self.packet_out(bridge, *out);
            } else {
                self.finish_packet_outs();
                go_on = self.command(command);
            }
        }
        self.finish_packet_outs();
        go_on
    }

    fn command(&mut self, command: Command) -> bool {
        let out = &mut self.turn.out;
        match command {
            Command::AddReceiver(id, receive) => self.add_receiver(id, receive),
            Command::RemoveReceiver(id) => self.remove_receiver(id),
            Command::AddPort(port, counters) => out.slot(port).counters = Some(counters),
            Command::SetTransmitter(port, transmit) => out.slot(port).transmit = transmit,
            Command::RemovePort(port) => *out.slot(port) = TxSlot::default(),
            Command::PacketOut(bridge, out) => self.packet_out(bridge, *out),
            Command::Sync(done) => {
                let _ = done.send(());
            }
            Command::Stop => return false,
        }
        true
    }

    /// Packet-outs that came together make a turn, as frames of a port do. Each is done by the
    /// snapshot in force: it may have been sent behind a change that the round does not know yet.
    fn packet_out(&mut self, bridge: BridgeId, out: PacketOut) {
        if self.packet_outs == 0 {
            self.turn.out.begin();
        }
        self.turn.packet_out(&self.shared.0.load(), bridge, out, clock_ms());
        self.packet_outs += 1;
    }

    fn finish_packet_outs(&mut self) {
        if self.packet_outs > 0 {
            self.turn.finish(&self.shared.0.load(), clock_ms());
            self.progress.end_packet_outs(std::mem::take(&mut self.packet_outs));
        }
    }

    fn add_receiver(&mut self, id: RxId, receive: Box<dyn Receive>) {
        if self.receivers.len() <= id.0 {
            self.receivers.resize_with(id.0 + 1, || None);
        }
        let fd = receive.fd();
        if let Err(e) =
            self.poll.registry().register(&mut SourceFd(&fd), Token(id.0), Interest::READABLE)
        {
            tracing::error!("worker: cannot wait on a port's descriptor {fd}: {e}");
            return;
        }
        // Frames may have come before the registration, and their edge with them.
        self.receivers[id.0] = Some(RxSlot { receive, ready: true });
        self.ready.push(id.0);
    }

    fn remove_receiver(&mut self, id: RxId) {
        if let Some(slot) = self.receivers.get_mut(id.0).and_then(Option::take) {
            let fd = slot.receive.fd();
            // Closing the descriptor would do it too; a descriptor shared by dup would not.
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        }
        self.ready.retain(|r| *r != id.0);
    }
}

impl Turn {
    /// One turn over one receiver. True when the receiver has more.
    fn run(&mut self, datapath: &Datapath, receive: &mut dyn Receive) -> bool {
        let now = clock_ms();
        self.out.begin();
        let mut batch = std::mem::take(&mut self.batch);
        let more = receive.receive(&mut self.pool, BUDGET, &mut batch).unwrap_or_else(|e| {
            // The control thread learns of a lost device by netlink; here it only means "nothing".
            tracing::debug!("receive: {e}");
            false
        });
        for (port, reason, n) in batch.drops.drain(..) {
            self.out.dropped(port, reason, n);
        }
        let (frames, mut bytes) = (batch.frames.len(), 0);
        for received in batch.frames.drain(..) {
            bytes += received.packet.len() as u64;
            self.frame(datapath, received, now);
        }
        if let Some(sticky) = &mut self.sticky {
            sticky.turn(frames, bytes, now);
        }
        self.batch = batch;
        self.finish(datapath, now);
        self.cache.maintain(now);
        more
    }

    fn frame(&mut self, datapath: &Datapath, received: Received, now: u64) {
        let Received { packet, port, tunnel } = received;
        if let Some(c) = self.out.port_counters(port) {
            c.received(packet.len() as u64);
        }
        if packet.len() < ethernet::HEADER_LEN {
            self.out.dropped(port, DropReason::RxTooShort, 1);
            self.pool.put(packet);
            return;
        }
        let key = &mut self.key;
        key.clear_packet();
        let layout = flow::extract(packet.data(), key);
        key.in_port.set(port.0);
        if let Some(t) = tunnel {
            t.write(key);
        }
        let index = self.packets.len() as u32;
        let origin = Origin { port, vlan: key.vlan[0] };
        self.packets.push(packet);
        self.origins.push(origin);
        let entry = self.cache.lookup(datapath, key, now);
        let hash = flow::hash(key);
        self.treat(entry, hash, index, layout, origin);
        self.recirculate(datapath, origin, now);
    }

    /// Does what was decided with `packets[index]`; `hash` is its flow's.
    fn treat(
        &mut self,
        entry: cache::Handle,
        hash: u32,
        index: u32,
        layout: Layout,
        origin: Origin,
    ) {
        let bytes = self.packets[index as usize].len() as u64;
        let decision = self.cache.decision(entry);
        let done = apply(
            &decision.steps,
            index,
            layout,
            hash,
            &mut self.packets,
            &mut self.pool,
            &mut self.out,
        );
        self.out.passed(&decision.patches, bytes);
        let reason = decision.drop;
        self.cache.account(entry, bytes);
        self.settle(origin, done, reason);
    }

    /// Goes on with the packets, of one that came in, that have to be taken apart anew.
    fn recirculate(&mut self, datapath: &Datapath, origin: Origin, now: u64) {
        let mut next = 0;
        while let Some((index, frozen)) = self.out.recirculated.get(next).cloned() {
            if next == MAX_RECIRCULATIONS {
                let left = (self.out.recirculated.len() - next) as u64;
                self.out.dropped(origin.port, DropReason::TooManyRecirculations, left);
                break;
            }
            next += 1;
            let mut key = FlowKey::default();
            let layout = extract_rare(self.packets[index as usize].data(), &mut key);
            let entry = self.cache.lookup_frozen(datapath, &mut key, &frozen, now);
            self.treat(entry, flow::hash(&key), index, layout, origin);
        }
        self.out.recirculated.clear();
    }

    /// Counts what was dropped of a packet, and makes its copies come from where it came from.
    fn settle(
        &mut self,
        origin: Origin,
        done: Result<(), DropReason>,
        decided: Option<DropReason>,
    ) {
        self.origins.resize(self.packets.len(), origin);
        let missing = self.out.take_missing();
        if missing > 0 {
            self.out.dropped(origin.port, DropReason::TxNoPort, missing);
        }
        if let Some(reason) = done.err().or(decided) {
            self.out.dropped(origin.port, reason, 1);
        }
    }

    /// Ends a turn: sends what it queued, gives the buffers back, adds up what it counted.
    fn finish(&mut self, datapath: &Datapath, now: u64) {
        self.flush(datapath);
        for p in self.packets.drain(..) {
            self.pool.put(p);
        }
        self.origins.clear();
        self.cache.flush_stats(now);
        self.out.counters.cache(&self.cache.stats(), self.cache.len());
    }

    /// Sends what the turn queued, then the answers to frames that were too big.
    fn flush(&mut self, datapath: &Datapath) {
        for i in 0..self.out.queued.len() {
            let to = self.out.queued[i];
            let slot = &mut self.out.ports[to.0 as usize];
            self.report.clear();
            match &mut slot.transmit {
                Some(t) => t.send(&self.packets, &slot.queue, &mut self.report),
                None => self.report.drop(DropReason::TxLinkDown, slot.queue.len() as u64),
            }
            slot.queue.clear();
            if let Some(c) = &slot.counters {
                c.sent(&self.report);
            }
            for k in 0..self.report.too_big.len() {
                let (packet, mtu) = self.report.too_big[k];
                self.answer_too_big(packet, mtu);
            }
        }
        self.out.queued.clear();
        while let Some((to, packet)) = self.answers.pop() {
            self.send_answer(datapath, to, packet);
        }
    }

    fn answer_too_big(&mut self, packet: u32, mtu: u16) {
        let origin = self.origins[packet as usize];
        let original = self.packets[packet as usize].data();
        let allowed = self.limiter.allow(original, clock_ms());
        let answer = if allowed { too_big::reply(original, mtu, &mut self.pool) } else { None };
        match answer {
            Some(mut answer) => {
                restore_tag(&mut answer, origin.vlan);
                self.answers.push((origin.port, answer));
                self.out.counters.too_big_sent();
            }
            None => self.out.counters.too_big_suppressed(),
        }
    }

    fn send_answer(&mut self, datapath: &Datapath, to: PortId, packet: Packet) {
        let up = datapath.port(to).is_some_and(|p| p.flags.link_up && !p.flags.down);
        self.report.clear();
        if let Some(slot) = self.out.ports.get_mut(to.0 as usize).filter(|_| up)
            && let Some(t) = &mut slot.transmit
        {
            let item = TxItem { packet: 0, hash: 0, tunnel: None };
            t.send(std::slice::from_ref(&packet), std::slice::from_ref(&item), &mut self.report);
            if let Some(c) = &slot.counters {
                c.sent(&self.report);
            }
        }
        self.pool.put(packet);
    }
}

/// Gives an answer the tag that the frame it answers came with: on its way out the frame may have
/// got one, or lost it.
fn restore_tag(answer: &mut Packet, tag: flow::Vlan) {
    let has =
        |p: &Packet| p.data().get(12..14).is_some_and(|t| matches!(t, [0x81, 0x00] | [0x88, 0xa8]));
    if has(answer) {
        answer.close_gap(12, 4);
    }
    if tag.tpid.get() != 0 && answer.open_gap(12, 4) {
        let tci = tag.tci.get() & !flow::key::VLAN_PRESENT;
        answer.data_mut()[12..14].copy_from_slice(&tag.tpid.get().to_be_bytes());
        answer.data_mut()[14..16].copy_from_slice(&tci.to_be_bytes());
    }
}
