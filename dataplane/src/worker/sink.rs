//! Where a turn's frames go: the ports' queues, the controllers' queues, or back into the turn.

use crate::action::apply::Sink;
use crate::drop::DropReason;
use crate::packet::Packet;
use crate::port::{Transmit, TxItem};
use crate::state::{PortId, clock_ns};
use crate::stats::{PortCounters, WorkerCounters};
use crate::translate::Frozen;
use crate::upcall::{PacketIn, ToController, Upcalls};
use std::sync::Arc;

/// A port's way out of this worker.
#[derive(Default)]
pub(super) struct TxSlot {
    pub(super) transmit: Option<Box<dyn Transmit>>,
    pub(super) queue: Vec<TxItem>,
    pub(super) counters: Option<Arc<PortCounters>>,
}

/// See the module.
pub(super) struct Outlets {
    /// By [`PortId`].
    pub(super) ports: Vec<TxSlot>,
    /// Ports that have frames in their queue.
    pub(super) queued: Vec<PortId>,
    /// Packets to be taken apart again: their index, and how they go on.
    pub(super) recirculated: Vec<(u32, Arc<Frozen>)>,
    pub(super) counters: Arc<WorkerCounters>,
    upcalls: Arc<Upcalls>,
    /// The turn's time for meters, once one has asked: its frames came together.
    now_ns: Option<u64>,
    /// Frames for ports that do not exist, of the packet at work.
    missing: u64,
}

impl Outlets {
    pub(super) fn new(counters: Arc<WorkerCounters>, upcalls: Arc<Upcalls>) -> Self {
        Self {
            ports: Vec::new(),
            queued: Vec::new(),
            recirculated: Vec::new(),
            counters,
            upcalls,
            now_ns: None,
            missing: 0,
        }
    }

    /// A port's slot, made if there is none.
    pub(super) fn slot(&mut self, port: PortId) -> &mut TxSlot {
        let i = port.0 as usize;
        if self.ports.len() <= i {
            self.ports.resize_with(i + 1, TxSlot::default);
        }
        &mut self.ports[i]
    }

    /// A port's counters in this worker.
    pub(super) fn port_counters(&self, port: PortId) -> Option<&PortCounters> {
        self.ports.get(port.0 as usize)?.counters.as_deref()
    }

    /// Counts drops of frames that came in by `port`.
    pub(super) fn dropped(&self, port: PortId, reason: DropReason, n: u64) {
        match self.port_counters(port) {
            Some(c) => c.dropped(reason, n),
            None => self.counters.dropped(reason, n),
        }
    }

    /// Frames for ports that do not exist, since the last call.
    pub(super) fn take_missing(&mut self) -> u64 {
        std::mem::take(&mut self.missing)
    }

    /// Counts a packet of `bytes` for the patch ports that it passed: it left by the one of each pair
    /// and came in by the other.
    pub(super) fn passed(&self, patches: &[(PortId, PortId)], bytes: u64) {
        for (left, came) in patches {
            if let Some(c) = self.port_counters(*left) {
                c.sent_one(bytes);
            }
            if let Some(c) = self.port_counters(*came) {
                c.received(bytes);
            }
        }
    }

    /// A turn begins.
    pub(super) fn begin(&mut self) {
        self.now_ns = None;
    }
}

impl Sink for Outlets {
    #[inline]
    fn output(&mut self, port: PortId, item: TxItem) {
        match self.ports.get_mut(port.0 as usize) {
            Some(slot) if slot.counters.is_some() => {
                if slot.queue.is_empty() {
                    self.queued.push(port);
                }
                slot.queue.push(item);
            }
            _ => self.missing += 1,
        }
    }

    fn controller(&mut self, to: &Arc<ToController>, packet: &Packet) {
        let queued = self.upcalls.push(to.reason, || {
            // A buffer of its own and none of the pool's: it does not come back.
            let mut copy = Packet::copied(packet.data());
            copy.offload = packet.offload;
            PacketIn { to: Arc::clone(to), packet: copy }
        });
        self.counters.packet_in(to.reason, queued);
    }

    fn recirculate(&mut self, packet: u32, frozen: &Arc<Frozen>) {
        self.recirculated.push((packet, Arc::clone(frozen)));
    }

    fn now_ns(&mut self) -> u64 {
        *self.now_ns.get_or_insert_with(clock_ns)
    }
}
