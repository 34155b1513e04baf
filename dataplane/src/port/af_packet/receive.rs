//! The receiving half of an AF_PACKET port: the ring, and recvmmsg in its place.

use crate::drop::DropReason;
use crate::packet::{HEADROOM, MAX_FRAME, Packet, Pool, SMALL_BUF};
use crate::port::{Receive, Received, RxBatch};
use crate::state::PortId;
use crate::sys::mmsg::{RecvScratch, recv_frame};
use crate::sys::packet::PacketSocket;
use crate::sys::ring::RxRing;
use crate::vnet_hdr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

/// Frames that the fallback receives in one call.
const RECV_BATCH: usize = 32;
/// Ethertype of a tag whose type the kernel did not hand over (802.1Q).
const TPID_8021Q: u16 = 0x8100;
/// Bytes of the two MAC addresses, behind which a VLAN tag goes.
const MACS: usize = 12;

/// How frames are received.
#[derive(Debug)]
pub(super) enum Mode {
    /// A ring, and recvmsg for what is longer than its slots.
    Ring(RxRing),
    /// recvmmsg: into the small packets here, and the scratch's spill buffers.
    Queue { scratch: Box<RecvScratch>, packets: Vec<Packet> },
}

impl Mode {
    /// The way that works without a ring.
    pub(super) fn queue() -> Self {
        let scratch = Box::new(RecvScratch::new(RECV_BATCH, MAX_FRAME));
        Self::Queue { scratch, packets: Vec::with_capacity(RECV_BATCH) }
    }
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct AfPacketReceiver {
    pub(super) id: PortId,
    pub(super) socket: Arc<PacketSocket>,
    pub(super) mode: Mode,
}

impl Receive for AfPacketReceiver {
    fn fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }

    fn receive(&mut self, pool: &mut Pool, budget: usize, batch: &mut RxBatch) -> io::Result<bool> {
        let before = batch.frames.len();
        let mut error = None;
        let more = match &mut self.mode {
            Mode::Ring(ring) => {
                let mut rx = RingRx { id: self.id, socket: &self.socket, ring, lost: false };
                let more = rx.receive(pool, budget, batch, &mut error);
                if rx.lost {
                    let drops = self.socket.take_drops().unwrap_or(0);
                    batch.drop(self.id, DropReason::RxQueueFull, drops);
                }
                // Woken for nothing: only then is it worth a system call to ask why.
                if batch.frames.len() == before && !more && error.is_none() {
                    error = self.socket.take_error().err();
                }
                more
            }
            Mode::Queue { scratch, packets } => {
                let mut rx = QueueRx { id: self.id, socket: &self.socket, scratch, packets };
                rx.receive(pool, budget, batch).unwrap_or_else(|e| {
                    error = Some(e);
                    false
                })
            }
        };
        match error {
            None => Ok(more),
            Some(_) if self.socket.device_gone() => Err(io::Error::from_raw_os_error(libc::ENODEV)),
            Some(e) => Err(e),
        }
    }
}

/// One call of the ring's receiver.
struct RingRx<'a> {
    id: PortId,
    socket: &'a PacketSocket,
    ring: &'a mut RxRing,
    /// The kernel says that it dropped frames.
    lost: bool,
}

impl RingRx<'_> {
    /// Returns whether there may be more.
    fn receive(
        &mut self,
        pool: &mut Pool,
        budget: usize,
        batch: &mut RxBatch,
        error: &mut Option<io::Error>,
    ) -> bool {
        for _ in 0..budget {
            let Some(slot) = self.ring.current() else { return false };
            self.lost |= slot.status & libc::TP_STATUS_LOSING != 0;
            let tag = tag(slot.status, slot.vlan_tci, slot.vlan_tpid);
            let frame = if slot.status & libc::TP_STATUS_COPY != 0 {
                queued_frame(self.socket, slot.len, pool, error)
            } else if slot.data.len() < slot.len {
                // Too long for the slot, and the kernel had no room to queue it.
                Err(DropReason::RxTruncated)
            } else {
                vnet_hdr::decode_len(&slot.vnet, slot.data.len()).map(|offload| {
                    let mut p = pool.take(slot.data.len());
                    p.spare_mut()[..slot.data.len()].copy_from_slice(slot.data);
                    p.set_len(slot.data.len());
                    p.offload = offload;
                    p
                })
            };
            self.ring.release();
            deliver(self.id, frame, tag, batch);
        }
        true
    }
}

/// The frame that the kernel queued whole, beside its slot.
fn queued_frame(
    socket: &PacketSocket,
    len: usize,
    pool: &mut Pool,
    error: &mut Option<io::Error>,
) -> Result<Packet, DropReason> {
    let mut p = pool.take(len.min(MAX_FRAME));
    let mut hdr = [0; vnet_hdr::LEN];
    let mut got = recv_frame(socket.as_fd(), &mut hdr, p.spare_mut());
    if let Err(e) = got {
        // A pending error (the link went down) is reported before what is queued: again.
        if e.kind() != io::ErrorKind::WouldBlock {
            *error = Some(e);
        }
        got = recv_frame(socket.as_fd(), &mut hdr, p.spare_mut());
    }
    let offload = match got {
        Ok(n) if n <= p.capacity() => {
            p.set_len(n);
            vnet_hdr::decode(&hdr, p.data())
        }
        Ok(_) | Err(_) => Err(DropReason::RxTruncated),
    };
    match offload {
        Ok(offload) => {
            p.offload = offload;
            Ok(p)
        }
        Err(reason) => {
            pool.put(p);
            Err(reason)
        }
    }
}

/// One call of the receiver that does without a ring.
struct QueueRx<'a> {
    id: PortId,
    socket: &'a PacketSocket,
    scratch: &'a mut RecvScratch,
    packets: &'a mut Vec<Packet>,
}

impl QueueRx<'_> {
    fn receive(&mut self, pool: &mut Pool, budget: usize, batch: &mut RxBatch) -> io::Result<bool> {
        let want = budget.min(self.scratch.capacity());
        while self.packets.len() < want {
            self.packets.push(pool.take(SMALL_BUF - HEADROOM));
        }
        let bufs = self.packets.iter_mut().take(want).map(Packet::spare_mut);
        let n = match self.scratch.receive(self.socket.as_fd(), bufs) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        };
        for (i, mut p) in self.packets.drain(..n).enumerate() {
            let meta = self.scratch.meta(i);
            let frame = vnet_hdr::decode_len(&meta.vnet, meta.len).and_then(|offload| {
                let first = p.capacity();
                if meta.len <= first {
                    p.set_len(meta.len);
                } else if meta.len - first <= self.scratch.spill(i).len() {
                    let mut large = pool.take(meta.len);
                    let (head, tail) = large.spare_mut()[..meta.len].split_at_mut(first);
                    head.copy_from_slice(&p.spare_mut()[..first]);
                    tail.copy_from_slice(&self.scratch.spill(i)[..meta.len - first]);
                    large.set_len(meta.len);
                    pool.put(std::mem::replace(&mut p, large));
                } else {
                    return Err(DropReason::RxTruncated);
                }
                p.offload = offload;
                Ok(p)
            });
            deliver(self.id, frame, tag(meta.aux.0, meta.aux.1, meta.aux.2), batch);
        }
        // Without a ring the kernel does not say in passing that it dropped frames, and asking is a
        // system call. Only a receiver that lags loses some, and its batches are full.
        if n == want {
            let drops = self.socket.take_drops().unwrap_or(0);
            batch.drop(self.id, DropReason::RxQueueFull, drops);
        }
        Ok(n == want)
    }
}

/// The VLAN tag that the kernel took off, as it goes into the frame.
fn tag(status: u32, tci: u16, tpid: u16) -> Option<[u8; 4]> {
    if status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let tpid = if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 { tpid } else { TPID_8021Q };
    let ([a, b], [c, d]) = (tpid.to_be_bytes(), tci.to_be_bytes());
    Some([a, b, c, d])
}

/// Puts the tag back and appends the frame to the batch, or counts its drop.
fn deliver(
    id: PortId,
    frame: Result<Packet, DropReason>,
    tag: Option<[u8; 4]>,
    batch: &mut RxBatch,
) {
    match frame {
        Ok(mut packet) => {
            if let Some(tag) = tag
                && packet.open_gap(MACS, tag.len())
            {
                packet.data_mut()[MACS..MACS + tag.len()].copy_from_slice(&tag);
            }
            batch.frames.push(Received { packet, port: id, tunnel: None });
        }
        Err(reason) => batch.drop(id, reason, 1),
    }
}
