//! Keeps a busy worker on its processor.
//!
//! A frame that a worker sends into a veth waits in a queue of the processor it was sent from. A
//! worker that the scheduler moves in the middle of a stream leaves frames behind in that queue and
//! overtakes them: TCP sees reordering, sends again what was not lost, and slows down. So a worker
//! with much to do stays where it is, for a second at a time; then the scheduler may place it anew.
//! A worker with little to do goes where the scheduler wakes it, which keeps latency low.

use crate::sys::affinity::Processors;

/// Length of the window in which load is judged, in milliseconds.
const WINDOW_MS: u64 = 4;
/// Frames in one window that make a worker busy (32,000 a second; a 64 KB frame counts as 16).
const BUSY: u32 = 128;
/// Bytes that count as one frame more.
const BYTES_A_FRAME: u64 = 4096;
/// Time after which the scheduler may choose again, in milliseconds.
const HOLD_MS: u64 = 1000;

/// See the module.
pub(super) struct Sticky {
    /// Where the worker may run at all; `None` where the kernel does not say, and nothing is done.
    allowed: Option<Processors>,
    window_end: u64,
    load: u32,
    held_until: Option<u64>,
}

impl Sticky {
    /// For the calling thread.
    pub(super) fn new() -> Self {
        Self { allowed: Processors::allowed().ok(), window_end: 0, load: 0, held_until: None }
    }

    /// Takes note of a turn.
    pub(super) fn turn(&mut self, frames: usize, bytes: u64, now_ms: u64) {
        if now_ms >= self.window_end {
            self.window_end = now_ms + WINDOW_MS;
            self.load = 0;
            self.release(now_ms);
        }
        self.load = self.load.saturating_add(frames as u32 + (bytes / BYTES_A_FRAME) as u32);
        if self.load >= BUSY && self.held_until.is_none() && self.allowed.is_some() {
            // Refused (a cpuset changed under us): the worker moves as it did before.
            if Processors::current().and_then(|here| here.apply()).is_ok() {
                self.held_until = Some(now_ms + HOLD_MS);
            }
        }
    }

    /// Lets the scheduler choose again when the time is over.
    pub(super) fn release(&mut self, now_ms: u64) {
        if let (Some(until), Some(allowed)) = (self.held_until, &self.allowed)
            && now_ms >= until
        {
            // Refused: held for another second.
            self.held_until = match allowed.apply() {
                Ok(()) => None,
                Err(_) => Some(now_ms + HOLD_MS),
            };
        }
    }
}
