//! How far a worker has come, for barriers: which snapshot it works with.
//!
//! The question that a barrier asks: may any worker still do something by a snapshot older than
//! this one? Each worker answers in a cell of its own, without being asked:
//!
//! ```text
//! worker, each round              control thread
//!   W1  cell <- BUSY                B1  publish the snapshot of epoch n
//!   W2  fence                       B2  fence
//!   W3  load the snapshot           B3  load the cell: wait while it is BUSY or below n
//!   W4  cell <- the snapshot's epoch
//!       ... turns ...
//!   W5  cell <- IDLE, then sleep in poll
//! ```
//!
//! *IDLE is as good as current.* Say B3 reads an IDLE written by W5 of some round. The work of that
//! round is over: W5 stores with release and B3 loads with acquire. Say the worker's next round
//! loads a snapshot older than n at W3. Both threads have a sequentially consistent fence between
//! their store and their load (W1, W2, W3 and B1, B2, B3). One of the two fences comes first in the
//! total order of such fences. If B2 is first, W3 sees what B1 stored, against what was said. If W2
//! is first, B3 sees what W1 stored or something later, so not that IDLE, against what was said.
//!
//! *An epoch of n or more is current.* It is stored at W4 by a round that works with that snapshot;
//! epochs only rise, so no later round works with an older one. *BUSY and lower epochs* pass: a
//! worker in a round comes to W4 within instructions and to its next W1 within one turn over
//! each of its ready ports.
//!
//! Packet-outs are counted beside it, from before they are sent to the worker until their frames
//! are handed to the kernel; the barrier, which runs in the thread that sends them, waits
//! for none to be left.
//!
//! A worker whose thread has ended does nothing by any snapshot, and is not waited for.

use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::time::Duration;

/// Loads a snapshot, or is about to. Below every epoch.
const BUSY: u64 = 0;
/// Works with none. Above every epoch.
const IDLE: u64 = u64::MAX;

/// Looks at the cell before the thread that waits gives up its processor, and then before it
/// sleeps between looks: a turn takes microseconds, unless there are more threads than processors.
const SPINS: u32 = 64;
const YIELDS: u32 = 256;
/// Between looks once the worker seems to be without a processor.
const PAUSE: Duration = Duration::from_micros(50);

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    cell: CachePadded<AtomicU64>,
    packet_outs: AtomicUsize,
}

impl Default for Progress {
    fn default() -> Self {
        Self { cell: CachePadded::new(AtomicU64::new(IDLE)), packet_outs: AtomicUsize::new(0) }
    }
}

impl Progress {
    /// Worker: a round begins; the snapshot is to be loaded after this (W1, W2).
    pub(super) fn busy(&self) {
        self.cell.store(BUSY, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Worker: the round works with the snapshot of this epoch (W4).
    pub(super) fn works_with(&self, epoch: u64) {
        self.cell.store(epoch, Ordering::Release);
    }

    /// Worker: the round is over, nothing of it is held (W5).
    pub(super) fn idle(&self) {
        self.cell.store(IDLE, Ordering::Release);
    }

    /// Control thread: counts a packet-out that is about to be sent; false if `most` are under way.
    pub(super) fn begin_packet_out(&self, most: usize) -> bool {
        if self.packet_outs.load(Ordering::Relaxed) >= most {
            return false;
        }
        self.packet_outs.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Worker: the frames of so many packet-outs have been handed to the kernel.
    pub(super) fn end_packet_outs(&self, n: usize) {
        self.packet_outs.fetch_sub(n, Ordering::Release);
    }

    /// Control thread, after publishing the snapshot of this epoch: waits until the worker has done
    /// with all older ones and with the packet-outs sent so far, or its thread is not `alive`.
    pub(super) fn wait(&self, epoch: u64, alive: impl Fn() -> bool) {
        fence(Ordering::SeqCst);
        let mut looks = 0;
        while !self.reached(epoch) {
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
            } else if !alive() {
                return;
            } else if looks < YIELDS {
                std::thread::yield_now();
            } else {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn reached(&self, epoch: u64) -> bool {
        self.cell.load(Ordering::Acquire) >= epoch && self.packet_outs.load(Ordering::Acquire) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arc_swap::ArcSwap;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// A worker that does as little as can be between its steps, so that every interleaving has its
    /// chance: while it works with a number, no barrier for a higher one may return.
    #[test]
    fn a_barrier_does_not_return_while_older_work_goes_on() {
        let snapshot = ArcSwap::from_pointee(1u64);
        let (progress, stop) = (Progress::default(), AtomicBool::new(false));
        // The highest epoch whose barrier has returned.
        let returned = AtomicU64::new(0);
        let rounds = AtomicU64::new(0);
        std::thread::scope(|s| {
            let worker = s.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    progress.busy();
                    let at = snapshot.load();
                    progress.works_with(**at);
                    let behind = returned.load(Ordering::SeqCst);
                    assert!(**at >= behind, "at work with {at} behind a barrier for {behind}");
                    progress.idle();
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
            let mut epoch = 1;
            // On a busy machine the worker may hardly have run by the ten thousandth.
            while epoch < 10_000 || (rounds.load(Ordering::Relaxed) < 100 && !worker.is_finished())
            {
                epoch += 1;
                snapshot.store(Arc::new(epoch));
                progress.wait(epoch, || !worker.is_finished());
                returned.store(epoch, Ordering::SeqCst);
            }
            stop.store(true, Ordering::Relaxed);
            worker.join().unwrap();
        });
    }

    #[test]
    fn a_dead_worker_is_not_waited_for() {
        let p = Progress::default();
        p.busy();
        p.wait(5, || false);
        assert!(p.begin_packet_out(1));
        assert!(!p.begin_packet_out(1));
        p.idle();
        p.wait(5, || false);
        p.end_packet_outs(1);
        p.wait(5, || panic!("an idle worker is current"));
    }
}
