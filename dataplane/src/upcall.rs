//! What goes to the controllers: packets, and why.
//!
//! Workers hand packets over through bounded queues; what finds its queue full is counted and
//! dropped, so a flood of packet-ins never holds a worker up.

use crate::action::Action;
use crate::flow::FlowKey;
use crate::offload::{self, Scratch};
use crate::packet::{Checksum, Packet};
use crate::state::{BridgeId, OfPort};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Packets of one reason that may wait for the control thread.
pub const QUEUE: usize = 1024;

/// Why a packet goes to the controllers (`OFPR_*`, OpenFlow 1.3 section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No rule but the table-miss rule matched.
    NoMatch,
    /// An action sent it.
    Action,
    /// Its TTL ran out.
    InvalidTtl,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::NoMatch, Self::Action, Self::InvalidTtl];
}

/// What a decision says of packets for the controllers; the same for all packets of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToController {
    /// The bridge whose controllers are meant.
    pub bridge: BridgeId,
    /// Why.
    pub reason: Reason,
    /// The table of the rule.
    pub table: u8,
    /// The rule's cookie; `u64::MAX` where no rule did it.
    pub cookie: u64,
    /// Bytes of the packet for the controller (`OFPCML_*`).
    pub max_len: u16,
    /// Open vSwitch's controller id; 0: all whose id is 0.
    pub controller: u16,
    /// The port that the packet came in by.
    pub in_port: OfPort,
    /// Metadata, registers and tunnel fields as they were; of other fields nothing.
    pub key: FlowKey,
}

/// A packet for the controllers.
#[derive(Debug)]
pub struct PacketIn {
    /// To whom, and why.
    pub to: Arc<ToController>,
    /// The frame as it was, with what its sender left undone.
    pub packet: Packet,
}

impl PacketIn {
    /// What a controller gets, as it would be on the wire: checksums finished, GSO frames cut into
    /// their segments. One frame for all but GSO frames. A frame that cannot be cut, because its
    /// headers are not what its sender said, is given as it is.
    #[must_use]
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let mut frame = self.packet.data().to_vec();
        if let Some(gso) = &self.packet.offload.gso {
            let mut cut = Scratch::default();
            if let Ok(segments) = offload::segment(&frame, gso, &[], &mut cut) {
                return cut.bytes().chunks(segments.len).map(<[u8]>::to_vec).collect();
            }
        }
        if let Checksum::Partial { start, offset } = self.packet.offload.csum {
            offload::finish_checksum(&mut frame, start, offset);
        }
        vec![frame]
    }
}

/// A packet from a controller (OpenFlow 1.3 section 7.3.7).
#[derive(Debug)]
pub struct PacketOut {
    /// The port that the packet is said to have come in by, or [`OfPort::CONTROLLER`].
    pub in_port: OfPort,
    /// What to do with it. Output to [`OfPort::TABLE`] runs the flow tables.
    pub actions: Vec<Action>,
    /// The packet.
    pub packet: Packet,
}

/// The queues from the workers to the control thread, one for each reason: a flood of one kind does
/// not push out the others.
#[derive(Debug)]
pub struct Upcalls {
    queues: [(Sender<PacketIn>, Receiver<PacketIn>); Reason::COUNT],
    /// The control thread was told, and has not begun to look since.
    told: AtomicBool,
    waker: OnceLock<Arc<mio::Waker>>,
}

impl Default for Upcalls {
    fn default() -> Self {
        Self {
            queues: std::array::from_fn(|_| bounded(QUEUE)),
            told: AtomicBool::new(false),
            waker: OnceLock::new(),
        }
    }
}

impl Upcalls {
    /// Says whom to wake; once, later calls change nothing.
    pub fn set_waker(&self, waker: Arc<mio::Waker>) {
        // What came before was told to nobody.
        let _ = waker.wake();
        let _ = self.waker.set(waker);
    }

    /// Hands a packet over, which `make` makes only if there is room; false if there is none.
    pub fn push(&self, reason: Reason, make: impl FnOnce() -> PacketIn) -> bool {
        let (queue, _) = &self.queues[reason as usize];
        if queue.is_full() || queue.try_send(make()).is_err() {
            return false;
        }
        self.wake();
        true
    }

    /// What waits, the reasons in turn. Ends when nothing does.
    pub fn drain(&self) -> PacketIns<'_> {
        // Cleared before the queues are looked at: a packet that comes after the look wakes again.
        // The exchange reads what the worker's exchange wrote, and so everything that the worker
        // put into a queue before it is seen below.
        self.told.swap(false, Ordering::AcqRel);
        PacketIns { upcalls: self, next: 0 }
    }

    /// Wakes the control thread, unless that was done and it has not looked since.
    fn wake(&self) {
        if !self.told.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waker.get()
        {
            // An eventfd's write fails only when its counter is full; then it is readable anyway.
            let _ = waker.wake();
        }
    }
}

/// Packets for the controllers, see [`Upcalls::drain`]. If it is dropped before its end, the control
/// thread is woken again for the rest.
#[derive(Debug)]
pub struct PacketIns<'a> {
    upcalls: &'a Upcalls,
    next: usize,
}

impl Iterator for PacketIns<'_> {
    type Item = PacketIn;

    fn next(&mut self) -> Option<PacketIn> {
        for _ in 0..Reason::COUNT {
            let (_, waiting) = &self.upcalls.queues[self.next];
            self.next = (self.next + 1) % Reason::COUNT;
            if let Ok(packet) = waiting.try_recv() {
                return Some(packet);
            }
        }
        None
    }
}

impl Drop for PacketIns<'_> {
    fn drop(&mut self) {
        if self.upcalls.queues.iter().any(|(_, waiting)| !waiting.is_empty()) {
            self.upcalls.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Gso, GsoKind};
    use etherparse::PacketBuilder;

    fn packet_in(reason: Reason, packet: Packet) -> PacketIn {
        let to = ToController {
            bridge: BridgeId(0),
            reason,
            table: 0,
            cookie: 0,
            max_len: 0xffff,
            controller: 0,
            in_port: OfPort(1),
            key: FlowKey::default(),
        };
        PacketIn { to: Arc::new(to), packet }
    }

    fn small(reason: Reason) -> PacketIn {
        packet_in(reason, Packet::copied(&[0; 60]))
    }

    #[test]
    fn a_full_queue_leaves_the_others_alone() {
        let up = Upcalls::default();
        let pushed =
            (0..QUEUE + 10).filter(|_| up.push(Reason::NoMatch, || small(Reason::NoMatch)));
        assert_eq!(pushed.count(), QUEUE);
        assert!(!up.push(Reason::NoMatch, || panic!("made without room")));
        assert!(up.push(Reason::Action, || small(Reason::Action)));
        let first: Vec<_> = up.drain().take(2).map(|p| p.to.reason).collect();
        assert_eq!(first, [Reason::NoMatch, Reason::Action]);
        assert_eq!(up.drain().count(), QUEUE - 1);
    }

    #[test]
    fn the_waker_is_rung_once_and_again_for_a_rest() {
        let mut poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(7)).unwrap());
        let mut woken = || {
            let mut events = mio::Events::with_capacity(4);
            poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
            !events.is_empty()
        };
        let up = Upcalls::default();
        up.push(Reason::Action, || small(Reason::Action));
        up.set_waker(waker);
        assert!(woken(), "one came before there was a waker");
        up.drain().for_each(drop);
        for _ in 0..3 {
            up.push(Reason::Action, || small(Reason::Action));
        }
        assert!(woken());
        up.push(Reason::Action, || small(Reason::Action));
        assert!(!woken(), "it has not looked since");
        assert_eq!(up.drain().take(1).count(), 1);
        assert!(woken(), "some are left");
        assert_eq!(up.drain().count(), 3);
        assert!(!woken());
    }

    #[test]
    fn a_gso_frame_is_cut_and_a_partial_checksum_finished() {
        let frame = |payload: &[u8]| {
            let mut bytes = Vec::new();
            PacketBuilder::ethernet2([2; 6], [4; 6])
                .single_vlan(7.try_into().unwrap())
                .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .udp(1000, 2000)
                .write(&mut bytes, payload)
                .unwrap();
            bytes
        };
        let right = frame(&[5; 100]);
        let mut packet = Packet::copied(&right);
        let l4 = 14 + 4 + 20;
        // As a kernel leaves it: the sum over the pseudo-header.
        let pseudo: u32 = [0x0a00, 0x0001, 0x0a00, 0x0002, 17, 108].iter().sum();
        packet.data_mut()[l4 + 6..l4 + 8].copy_from_slice(&(pseudo as u16).to_be_bytes());
        packet.offload.csum = Checksum::Partial { start: l4 as u16, offset: 6 };
        let frames = packet_in(Reason::Action, packet).frames();
        assert_eq!(frames, [right]);

        let mut packet = Packet::copied(&frame(&[5; 250]));
        packet.offload.gso = Some(Gso { kind: GsoKind::UdpL4, size: 100, ecn: false });
        let frames = packet_in(Reason::Action, packet).frames();
        assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [146, 146, 96]);
        for (f, len) in frames.iter().zip([100, 100, 50]) {
            assert_eq!(f[12..16], [0x81, 0, 0, 7]);
            assert_eq!(f[l4 + 8..], vec![5; len]);
        }
    }
}
