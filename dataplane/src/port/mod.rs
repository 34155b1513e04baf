//! Ports: where frames come in and go out, in batches.
//!
//! A port has two halves. The receiving half ([`Receive`]) belongs to one worker, which waits on its
//! file descriptor. Of the sending half ([`Transmit`]) every worker has its own, so that sending
//! needs no lock. Both are non-blocking.

pub mod af_packet;
pub mod attach;
pub mod guard;
pub mod memory;
pub mod tap;
pub mod vxlan;

use crate::action::TunnelDest;
use crate::drop::DropReason;
use crate::flow::FlowKey;
use crate::packet::{Packet, Pool};
use crate::state::PortId;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

/// A frame just received.
#[derive(Debug)]
pub struct Received {
    /// The frame.
    pub packet: Packet,
    /// The port it came in by.
    pub port: PortId,
    /// `tun_*` fields where it came through a tunnel; boxed keys would allocate, so it is inline.
    pub tunnel: Option<TunnelKey>,
}

/// The tunnel fields of a received frame (see [`FlowKey`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelKey {
    /// VNI.
    pub id: u64,
    /// Outer source.
    pub src: std::net::IpAddr,
    /// Outer destination.
    pub dst: std::net::IpAddr,
    /// Outer TOS.
    pub tos: u8,
    /// Outer TTL.
    pub ttl: u8,
    /// `TUN_*` flags.
    pub flags: u16,
}

impl TunnelKey {
    /// Writes the fields into a key.
    pub fn write(&self, key: &mut FlowKey) {
        use std::net::IpAddr;
        key.tun_id.set(self.id);
        match (self.src, self.dst) {
            (IpAddr::V4(s), IpAddr::V4(d)) => {
                key.tun_src.set(s.into());
                key.tun_dst.set(d.into());
            }
            (IpAddr::V6(s), IpAddr::V6(d)) => {
                key.tun_ipv6_src = s.octets();
                key.tun_ipv6_dst = d.octets();
            }
            _ => {}
        }
        key.tun_tos = self.tos;
        key.tun_ttl = self.ttl;
        key.tun_flags.set(self.flags);
    }
}

/// Makes the tunnel fields of a key those of a packet that came through no tunnel.
pub fn clear_tunnel(key: &mut FlowKey) {
    let none = FlowKey::default();
    key.tun_id = none.tun_id;
    key.tun_flags = none.tun_flags;
    key.tun_tos = none.tun_tos;
    key.tun_ttl = none.tun_ttl;
    key.tun_src = none.tun_src;
    key.tun_dst = none.tun_dst;
    key.tun_ipv6_src = none.tun_ipv6_src;
    key.tun_ipv6_dst = none.tun_ipv6_dst;
}

/// What one call of [`Receive::receive`] gave; reused from call to call.
#[derive(Debug, Default)]
pub struct RxBatch {
    /// Frames, in the order in which they came.
    pub frames: Vec<Received>,
    /// Frames that never got so far: port, reason, how many.
    pub drops: Vec<(PortId, DropReason, u64)>,
}

impl RxBatch {
    /// Counts `n` drops of a port.
    pub fn drop(&mut self, port: PortId, reason: DropReason, n: u64) {
        if n == 0 {
            return;
        }
        match self.drops.iter_mut().find(|(p, r, _)| *p == port && *r == reason) {
            Some((_, _, c)) => *c += n,
            None => self.drops.push((port, reason, n)),
        }
    }
}

/// Receiving half of a port (or of all tunnels that share a UDP socket).
pub trait Receive: Send {
    /// What to wait on (readable). The worker registers it edge-triggered.
    fn fd(&self) -> RawFd;

    /// Appends up to `budget` frames to `batch`. Returns true when there may be more at once
    /// (the worker calls again), false when the source is empty (the worker waits on [`Self::fd`]).
    /// An error means that the device has gone or the link is down; what was received before stays valid.
    fn receive(&mut self, pool: &mut Pool, budget: usize, batch: &mut RxBatch) -> io::Result<bool>;
}

/// A frame on its way out: an index into the turn's packets, and its tunnel.
#[derive(Clone, Debug)]
pub struct TxItem {
    /// Index into the packets handed to [`Transmit::send`].
    pub packet: u32,
    /// Hash of the inner flow (addresses and ports), for the UDP source port.
    pub hash: u32,
    /// For VXLAN.
    pub tunnel: Option<Arc<TunnelDest>>,
}

/// What became of a batch; reused from call to call.
#[derive(Debug, Default)]
pub struct TxReport {
    /// Frames sent.
    pub packets: u64,
    /// Bytes of them (inner frames; without tunnel headers).
    pub bytes: u64,
    /// Frames dropped, by reason (linear list: few reasons occur at once).
    pub drops: Vec<(DropReason, u64)>,
    /// Frames too big for the tunnel: item's packet index, and the longest IP packet (bytes) that fits.
    /// Counted in `drops` too.
    pub too_big: Vec<(u32, u16)>,
}

impl TxReport {
    /// Empties it for the next batch.
    pub fn clear(&mut self) {
        self.packets = 0;
        self.bytes = 0;
        self.drops.clear();
        self.too_big.clear();
    }

    /// Counts `n` drops.
    pub fn drop(&mut self, reason: DropReason, n: u64) {
        match self.drops.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, c)) => *c += n,
            None => self.drops.push((reason, n)),
        }
    }
}

/// Sending half of a port, one for each worker.
pub trait Transmit: Send {
    /// Sends the items' packets in order, without blocking. Reads the packets, never changes them.
    /// Everything is either sent or dropped with a reason when it returns.
    fn send(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport);
}
