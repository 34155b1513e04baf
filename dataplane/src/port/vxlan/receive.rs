//! From UDP datagrams to frames.

use crate::drop::DropReason;
use crate::offload::{self, Coalescer};
use crate::packet::{Packet, Pool};
use crate::port::{Receive, Received, RxBatch, TunnelKey};
use crate::state::{Datapath, FlowOr, PortId, Shared};
use crate::sys::udp::{ReceiveSocket, RecvBatch};
use crate::wire::vxlan::{self, ParseError};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

/// Port of drops that no tunnel can be blamed for.
pub const NO_PORT: PortId = PortId(u32::MAX);

/// Datagrams in one read. Each has its own buffer of 64 KB, of which small ones touch a page.
const BATCH: usize = 32;
/// Datagrams in one read while the kernel hands over joined ones, so that the frames of one read
/// stay in the processor's cache until they are copied on.
const BATCH_JOINED: usize = 4;
/// A datagram of at least this many bytes makes the next read a small one.
const LONG: usize = 16_384;
/// Receive buffer of the socket in bytes: some 10 ms of 10 Gbit/s.
const BUFFER: libc::c_int = 16 << 20;

/// Receives for all tunnels with one UDP destination port.
pub struct VxlanReceiver {
    socket: ReceiveSocket,
    dst_port: u16,
    shared: Arc<Shared>,
    batch: RecvBatch,
    window: usize,
    /// The kernel's count of drops that is counted already.
    dropped: u32,
    coalescer: Coalescer,
}

impl VxlanReceiver {
    /// Binds to `dst_port` on all addresses, IPv4 and, where the host has it, IPv6. Fails with
    /// EADDRINUSE where something else has the port, such as a kernel `vxlan` device.
    pub fn open(dst_port: u16, shared: Arc<Shared>) -> io::Result<Self> {
        let socket = ReceiveSocket::bind(dst_port, BUFFER)?;
        if !socket.gro() {
            tracing::warn!(
                dst_port,
                "the kernel refuses UDP_GRO (Linux 5.0 and later have it): \
                 VXLAN receives one datagram at a time, slowly"
            );
        }
        Ok(Self {
            socket,
            dst_port,
            shared,
            batch: RecvBatch::new(BATCH),
            window: BATCH,
            dropped: 0,
            coalescer: Coalescer::default(),
        })
    }

    /// What this kernel lacks, in words for an operator.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        if self.socket.gro() {
            return Vec::new();
        }
        vec![format!("UDP port {}: no UDP_GRO, VXLAN receives slowly", self.dst_port)]
    }
}

/// Where the frames of one tunnel belong.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Origin {
    port: PortId,
    key: TunnelKey,
    max_frame: u16,
}

impl Origin {
    fn find(dp: &Datapath, dst_port: u16, key: TunnelKey) -> Option<Self> {
        let (port, config) = dp.tunnels.lookup_config(key.src, key.dst, dst_port, key.id as u32)?;
        let flow_chosen = match config.remote {
            FlowOr::Fixed(_) => None,
            FlowOr::Flow => dp.tunnels.max_frame(key.src),
        };
        let max_frame = flow_chosen.or_else(|| dp.port(*port).map(|p| p.max_frame))?;
        Some(Self { port: *port, key, max_frame })
    }

    fn received(&self, packet: Packet) -> Received {
        Received { packet, port: self.port, tunnel: Some(self.key) }
    }
}

impl Receive for VxlanReceiver {
    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// `budget` counts what the kernel hands over at once; frames that it joined and that cannot be
    /// joined here come on top.
    fn receive(&mut self, pool: &mut Pool, budget: usize, out: &mut RxBatch) -> io::Result<bool> {
        let max = budget.min(self.window).max(1);
        let n = match self.batch.receive(&self.socket, max) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(e) => return Err(e),
        };
        let dp = self.shared.0.load();
        let mut origin: Option<Origin> = None;
        let mut longest = 0;
        for i in 0..n {
            let d = self.batch.datagram(i);
            longest = longest.max(d.data.len());
            if d.dropped != self.dropped {
                // Those with a wrong UDP checksum are in the same count.
                let n = d.dropped.wrapping_sub(self.dropped);
                out.drop(NO_PORT, DropReason::RxQueueFull, n.into());
                self.dropped = d.dropped;
            }
            if d.truncated {
                count(out, NO_PORT, DropReason::RxTruncated);
                continue;
            }
            let step = d.segment.unwrap_or(d.data.len()).max(1);
            let outer = Outer { src: d.src, dst: d.dst, tos: d.tos, ttl: d.ttl };
            if d.data.is_empty() {
                count(out, NO_PORT, DropReason::VxlanTooShort);
            }
            let mut datagrams = d.data.chunks_mut(step).peekable();
            while let Some(datagram) = datagrams.next() {
                let key = match outer.key(datagram) {
                    Ok(key) => key,
                    Err(reason) => {
                        count(out, NO_PORT, reason);
                        continue;
                    }
                };
                if origin.is_none_or(|o| o.key != key) {
                    if let Some(o) = origin.take() {
                        self.coalescer.flush(pool, &mut |p| out.frames.push(o.received(p)));
                    }
                    origin = Origin::find(&dp, self.dst_port, key);
                }
                let Some(o) = origin else {
                    count(out, NO_PORT, DropReason::VxlanUnknownVni);
                    continue;
                };
                let frame = &mut datagram[vxlan::HEADER_LEN..];
                if !offload::ecn_decapsulate(frame, key.tos) {
                    count(out, o.port, DropReason::TunnelEcn);
                    continue;
                }
                let more = datagrams.peek().is_some() || i + 1 < n;
                self.coalescer.push(frame, more, o.max_frame, pool, &mut |p| {
                    out.frames.push(o.received(p));
                });
            }
        }
        if let Some(o) = origin {
            self.coalescer.flush(pool, &mut |p| out.frames.push(o.received(p)));
        }
        self.window = if longest >= LONG { BATCH_JOINED } else { BATCH };
        Ok(n == max)
    }
}

/// The outer headers of a datagram.
struct Outer {
    src: IpAddr,
    dst: IpAddr,
    tos: u8,
    ttl: u8,
}

impl Outer {
    /// The tunnel fields. The kernel does not tell whether there was a checksum or DF, so the flags
    /// are zero.
    fn key(&self, datagram: &[u8]) -> Result<TunnelKey, DropReason> {
        let vni = vxlan::parse(datagram).map_err(|e| match e {
            ParseError::TooShort => DropReason::VxlanTooShort,
            ParseError::BadFlags => DropReason::VxlanBadFlags,
        })?;
        Ok(TunnelKey {
            id: vni.into(),
            src: self.src,
            dst: self.dst,
            tos: self.tos,
            ttl: self.ttl,
            flags: 0,
        })
    }
}

/// Counts a drop; few pairs of port and reason occur in one read.
fn count(out: &mut RxBatch, port: PortId, reason: DropReason) {
    match out.drops.iter_mut().find(|d| d.0 == port && d.1 == reason) {
        Some(d) => d.2 += 1,
        None => out.drops.push((port, reason, 1)),
    }
}
