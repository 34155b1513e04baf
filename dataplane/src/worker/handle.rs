//! The control thread's end of a worker.

use super::Worker;
use super::progress::Progress;
use crate::port::{Receive, Transmit};
use crate::state::{BridgeId, PortId, Shared};
use crate::stats::{PortCounters, WorkerCounters};
use crate::upcall::{PacketOut, Upcalls};
use crossbeam_channel::Sender;
use mio::{Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Token of the wake-up for commands; no receiver has it.
const WAKE: Token = Token(usize::MAX);
/// Packet-outs that may wait for a worker.
pub const MAX_PACKET_OUTS: usize = 4096;

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
    /// Do a bridge's packet-out. Only sent by [`Handle::packet_out`], which counts it.
    PacketOut(BridgeId, Box<PacketOut>),
    /// Answer when everything before this has been done.
    Sync(Sender<()>),
    /// End the thread.
    Stop,
}

/// See the module.
pub struct Handle {
    commands: Sender<Command>,
    waker: Waker,
    thread: Option<std::thread::JoinHandle<()>>,
    progress: Arc<Progress>,
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

    /// Has the worker do a packet-out; false, and nothing done, if [`MAX_PACKET_OUTS`] wait already.
    pub fn packet_out(&self, bridge: BridgeId, out: Box<PacketOut>) -> bool {
        let room = self.progress.begin_packet_out(MAX_PACKET_OUTS);
        if room {
            self.send(Command::PacketOut(bridge, out));
        }
        room
    }

    /// Waits until all commands sent so far are done, at most a second.
    pub fn sync(&self) {
        let (tx, rx) = crossbeam_channel::bounded(1);
        self.send(Command::Sync(tx));
        let _ = rx.recv_timeout(Duration::from_secs(1));
    }

    /// Waits until the worker works with nothing older than the published snapshot of this epoch,
    /// and has done all packet-outs (see `Progress`).
    pub fn barrier(&self, epoch: u64) {
        self.progress.wait(epoch, || self.is_alive());
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
pub fn spawn(index: usize, shared: Arc<Shared>, upcalls: Arc<Upcalls>) -> io::Result<Handle> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    let (commands, rx) = crossbeam_channel::unbounded();
    let counters = Arc::new(WorkerCounters::default());
    let progress = Arc::new(Progress::default());
    let mut worker =
        Worker::new(poll, shared, rx, Arc::clone(&counters), upcalls, Arc::clone(&progress));
    let thread =
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run())?;
    Ok(Handle { commands, waker, thread: Some(thread), progress, counters })
}
