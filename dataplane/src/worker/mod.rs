//! Worker threads: receive, decide, apply, send.
//!
//! A worker waits on the receiving halves that it was given, takes frames from those that are
//! ready, looks each one's decision up in its own caches, runs the decision's steps and sends what
//! they queued. One round over one port's batch is a *turn*; at its end every queue is flushed, the
//! buffers go back to the pool and the counters are added to the rules.
//!
//! A worker shares nothing that it writes, but for counters. It loads the datapath's snapshot once
//! a turn. Commands from the control thread come by a channel, with a wake-up through the poll.

mod sticky;

use self::sticky::Sticky;
use crate::action::apply::apply;
use crate::cache::Cache;
use crate::drop::DropReason;
use crate::flow::{self, FlowKey};
use crate::packet::{Packet, Pool};
use crate::port::{Receive, Received, RxBatch, Transmit, TxItem, TxReport};
use crate::state::{Datapath, PortId, Shared, clock_ms};
use crate::stats::{PortCounters, WorkerCounters};
use crate::too_big::{self, Limiter};
use crossbeam_channel::{Receiver, Sender};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Frames taken from one port before the next one has its turn.
const BUDGET: usize = 64;
/// Token of the wake-up for commands.
const WAKE: Token = Token(usize::MAX);
/// Longest sleep: cached decisions age also when nothing comes in.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// Identifies a receiving half within its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RxId(pub usize);

/// What the control thread asks of a worker.
pub enum Command {
    /// Start to receive.
    AddReceiver(RxId, Box<dyn Receive>),
    /// Stop to receive and drop the receiving half.
    RemoveReceiver(RxId),
    /// Count this port's frames here. Comes before anything is received from it or sent to it.
    AddPort(PortId, Arc<PortCounters>),
    /// Send this port's frames here; `None`: the port has no way out at present.
    SetTransmitter(PortId, Option<Box<dyn Transmit>>),
    /// Forget a port.
    RemovePort(PortId),
    /// Answer when everything before this has been done.
    Sync(Sender<()>),
    /// End the thread.
    Stop,
}

/// The control thread's end of a worker.
pub struct Handle {
    commands: Sender<Command>,
    waker: Waker,
    thread: Option<std::thread::JoinHandle<()>>,
    /// The worker's own counters.
    pub counters: Arc<WorkerCounters>,
}

impl Handle {
    /// Sends a command.
    pub fn send(&self, command: Command) {
        // Both ends fail only after the thread has ended, and then there is nothing to command.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    /// Waits until all commands sent so far are done, at most a second.
    pub fn sync(&self) {
        let (tx, rx) = crossbeam_channel::bounded(1);
        self.send(Command::Sync(tx));
        let _ = rx.recv_timeout(Duration::from_secs(1));
    }

    /// Whether the thread still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

/// Starts a worker thread.
///
/// # Errors
/// When the kernel gives no thread or no poll.
pub fn spawn(index: usize, shared: Arc<Shared>) -> io::Result<Handle> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    let (commands, rx) = crossbeam_channel::unbounded();
    let counters = Arc::new(WorkerCounters::default());
    let mut worker = Worker::new(poll, shared, rx, Arc::clone(&counters));
    let thread =
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run())?;
    Ok(Handle { commands, waker, thread: Some(thread), counters })
}

struct RxSlot {
    receive: Box<dyn Receive>,
    ready: bool,
}

#[derive(Default)]
struct TxSlot {
    transmit: Option<Box<dyn Transmit>>,
    queue: Vec<TxItem>,
    counters: Option<Arc<PortCounters>>,
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
    receivers: Vec<Option<RxSlot>>,
    ready: Vec<usize>,
    turn: Turn,
}

/// Everything that one turn works on; apart from the receivers, so that both can be borrowed.
struct Turn {
    pool: Pool,
    cache: Cache,
    batch: RxBatch,
    packets: Vec<Packet>,
    origins: Vec<Origin>,
    ports: Vec<TxSlot>,
    queued: Vec<PortId>,
    report: TxReport,
    answers: Vec<(PortId, Packet)>,
    limiter: Limiter,
    counters: Arc<WorkerCounters>,
    sticky: Option<Sticky>,
}

impl Worker {
    fn new(
        poll: Poll,
        shared: Arc<Shared>,
        commands: Receiver<Command>,
        counters: Arc<WorkerCounters>,
    ) -> Self {
        let turn = Turn {
            pool: Pool::default(),
            cache: Cache::default(),
            batch: RxBatch::default(),
            packets: Vec::new(),
            origins: Vec::new(),
            ports: Vec::new(),
            queued: Vec::new(),
            report: TxReport::default(),
            answers: Vec::new(),
            limiter: Limiter::default(),
            counters,
            sticky: None,
        };
        Self { poll, shared, commands, receivers: Vec::new(), ready: Vec::new(), turn }
    }

    fn run(&mut self) {
        self.turn.sticky = Some(Sticky::new());
        let mut events = Events::with_capacity(256);
        loop {
            let sleep = if self.ready.is_empty() { MAX_SLEEP } else { Duration::ZERO };
            if let Err(e) = self.poll.poll(&mut events, Some(sleep))
                && e.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!("worker: poll failed: {e}; this worker ends");
                return;
            }
            for event in &events {
                if event.token() == WAKE {
                    if !self.obey() {
                        return;
                    }
                } else if let Some(Some(slot)) = self.receivers.get_mut(event.token().0)
                    && !slot.ready
                {
                    slot.ready = true;
                    self.ready.push(event.token().0);
                }
            }
            if events.is_empty() && self.ready.is_empty() {
                self.turn.cache.maintain(clock_ms());
            }
            let datapath = self.shared.0.load();
            let mut i = 0;
            while i < self.ready.len() {
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
        }
    }

    /// Does the commands that have come; false when told to stop.
    fn obey(&mut self) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::AddReceiver(id, receive) => self.add_receiver(id, receive),
                Command::RemoveReceiver(id) => self.remove_receiver(id),
                Command::AddPort(port, counters) => {
                    self.turn.slot(port).counters = Some(counters);
                }
                Command::SetTransmitter(port, transmit) => {
                    self.turn.slot(port).transmit = transmit;
                }
                Command::RemovePort(port) => *self.turn.slot(port) = TxSlot::default(),
                Command::Sync(done) => {
                    let _ = done.send(());
                }
                Command::Stop => return false,
            }
        }
        true
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
    fn slot(&mut self, port: PortId) -> &mut TxSlot {
        let i = port.0 as usize;
        if self.ports.len() <= i {
            self.ports.resize_with(i + 1, TxSlot::default);
        }
        &mut self.ports[i]
    }

    fn dropped(&self, port: PortId, reason: DropReason, n: u64) {
        match self.ports.get(port.0 as usize).and_then(|s| s.counters.as_ref()) {
            Some(c) => c.dropped(reason, n),
            None => self.counters.dropped(reason, n),
        }
    }

    /// One turn over one receiver. True when the receiver has more.
    fn run(&mut self, datapath: &Datapath, receive: &mut dyn Receive) -> bool {
        let now = clock_ms();
        let mut batch = std::mem::take(&mut self.batch);
        let more = receive.receive(&mut self.pool, BUDGET, &mut batch).unwrap_or_else(|e| {
            // The control thread learns of a lost device by netlink; here it only means "nothing".
            tracing::debug!("receive: {e}");
            false
        });
        for (port, reason, n) in batch.drops.drain(..) {
            self.dropped(port, reason, n);
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
        self.flush(datapath);
        for p in self.packets.drain(..) {
            self.pool.put(p);
        }
        self.origins.clear();
        self.cache.flush_stats(now);
        self.cache.maintain(now);
        more
    }

    fn frame(&mut self, datapath: &Datapath, received: Received, now: u64) {
        let Received { packet, port, tunnel } = received;
        if let Some(c) = self.ports.get(port.0 as usize).and_then(|s| s.counters.as_ref()) {
            c.received(packet.len() as u64);
        }
        if packet.len() < 14 {
            self.dropped(port, DropReason::RxTooShort, 1);
            self.pool.put(packet);
            return;
        }
        let mut key = FlowKey::default();
        let layout = flow::extract(packet.data(), &mut key);
        key.in_port.set(port.0);
        if let Some(t) = tunnel {
            t.write(&mut key);
        }
        let index = self.packets.len() as u32;
        let bytes = packet.len() as u64;
        self.packets.push(packet);
        self.origins.push(Origin { port, vlan: key.vlan[0] });
        let entry = self.cache.lookup(datapath, &key, now);
        let hash = flow::hash(&key);
        let (ports, queued) = (&mut self.ports, &mut self.queued);
        let mut missing = 0;
        let decision = self.cache.decision(entry);
        let result = apply(
            &decision.steps,
            index,
            layout,
            hash,
            &mut self.packets,
            &mut self.pool,
            &mut |to: PortId, item| match ports.get_mut(to.0 as usize) {
                Some(slot) if slot.counters.is_some() => {
                    if slot.queue.is_empty() {
                        queued.push(to);
                    }
                    slot.queue.push(item);
                }
                _ => missing += 1,
            },
        );
        let reason = decision.drop;
        self.cache.account(entry, bytes);
        // Copies made on the way come from the same place.
        let origin = self.origins[index as usize];
        self.origins.resize(self.packets.len(), origin);
        if missing > 0 {
            self.dropped(port, DropReason::TxNoPort, missing);
        }
        if let Some(reason) = result.err().or(reason) {
            self.dropped(port, reason, 1);
        }
    }

    /// Sends what the turn queued, then the answers to frames that were too big.
    fn flush(&mut self, datapath: &Datapath) {
        for i in 0..self.queued.len() {
            let to = self.queued[i];
            let slot = &mut self.ports[to.0 as usize];
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
        self.queued.clear();
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
                self.counters.too_big_sent();
            }
            None => self.counters.too_big_suppressed(),
        }
    }

    fn send_answer(&mut self, datapath: &Datapath, to: PortId, packet: Packet) {
        let up = datapath.port(to).is_some_and(|p| p.flags.link_up && !p.flags.down);
        self.report.clear();
        if let Some(slot) = self.ports.get_mut(to.0 as usize).filter(|_| up)
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
