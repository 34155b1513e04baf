//! Any network device, through AF_PACKET: a container's veth, a physical port, a bridge's port.
//!
//! Receiving is a TPACKET_V2 ring of small slots. A frame that fits its slot is copied from it; a
//! longer one (a 64 KB TCP frame of a container) is queued whole by the kernel besides
//! (PACKET_COPY_THRESH) and read straight into a large buffer. Where the kernel refuses the ring,
//! recvmmsg does it all. Why: docs/decisions/0002-af-packet-receive.md.
//!
//! PACKET_VNET_HDR is always on, both ways: checksums stay partial and long frames whole
//! ([`crate::vnet_hdr`]). The VLAN tag that the kernel takes off is put back.
//!
//! # Down, up, gone
//! When the device goes down, [`Receive::receive`] fails once with ENETDOWN, and sending drops with
//! [`DropReason::TxLinkDown`]. The sockets stay bound: when the same device comes up again, frames
//! flow again without anything being done; the receiver must only stay registered. A device that is
//! removed goes down first, so ENETDOWN (or ENODEV, when the kernel has got that far) may be all
//! that is heard here; that it is gone for good, netlink says. Sending to it drops with
//! [`DropReason::TxError`]. A new device of that name has another index and must be attached anew.

mod receive;

use self::receive::{AfPacketReceiver, Mode};
use super::attach::AttachError;
use super::guard::Guard;
use super::{Receive, Transmit, TxItem, TxReport};
use crate::drop::DropReason;
use crate::offload::{self, Scratch};
use crate::packet::Packet;
use crate::state::PortId;
use crate::sys::mmsg::{BATCH, SendScratch};
use crate::sys::packet::{ETH_P_ALL, PacketSocket, ifindex};
use crate::sys::ring::RxRing;
use crate::vnet_hdr;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Slots of the ring.
const SLOTS: usize = 256;
/// Bytes of a slot: its header (76 bytes with the virtio header) and a full frame of MTU 1500.
const SLOT_SIZE: usize = 2048;
/// Limit of frames queued for recvmsg, in bytes as the kernel counts them (it doubles the value).
const RCVBUF: i32 = 8 << 20;
/// Limit of frames sent and not yet delivered, in bytes as the kernel counts them.
const SNDBUF: i32 = 8 << 20;
/// A device that the switch has taken. Dropping it gives the device back: nothing is received any
/// more, promiscuous mode ends, and the host's stack gets the device's frames again.
#[derive(Debug)]
pub struct AfPacketPort {
    id: PortId,
    ifindex: u32,
    socket: Arc<PacketSocket>,
    receiver: Option<AfPacketReceiver>,
    notes: Vec<String>,
    /// Last, so that the host's stack gets the device back when the switch reads it no more.
    guard: Option<Guard>,
}

impl AfPacketPort {
    /// Takes the device `ifname` of this thread's network namespace.
    pub fn attach(ifname: &str, id: PortId) -> Result<Self, AttachError> {
        Self::attach_by(ifname, id, |socket| {
            socket.set_copy_thresh()?;
            RxRing::new(socket, SLOTS, SLOT_SIZE)
        })
    }

    fn attach_by(
        ifname: &str,
        id: PortId,
        make_ring: impl FnOnce(&PacketSocket) -> io::Result<RxRing>,
    ) -> Result<Self, AttachError> {
        let fail = |step, advice| {
            move |e| AttachError::new(ifname, step, "CAP_NET_RAW and CAP_NET_ADMIN", advice, e)
        };
        let index = ifindex(ifname).map_err(fail("looking up", "check the name"))?;
        let mut notes = Vec::new();
        let kernel = "this kernel's AF_PACKET lacks it; Linux 4.20 or newer has it";
        // Protocol 0 until all is set up: the socket must not see a frame before (packet(7)).
        let socket = PacketSocket::open()
            .map_err(fail("opening an AF_PACKET socket", "the kernel needs CONFIG_PACKET"))?;
        socket.bind(index, 0).map_err(fail("binding", "check that the device still exists"))?;
        socket.set_vnet_hdr().map_err(fail("setting PACKET_VNET_HDR", kernel))?;
        socket.set_auxdata().map_err(fail("setting PACKET_AUXDATA", kernel))?;
        socket.set_ignore_outgoing().map_err(fail("setting PACKET_IGNORE_OUTGOING", kernel))?;
        if let Err(e) = socket.set_rcvbuf(RCVBUF) {
            notes.push(format!("{ifname}: receive buffer stays at the system's default: {e}"));
        }
        let mode = match make_ring(&socket) {
            Ok(ring) => Mode::Ring(ring),
            Err(e) => {
                notes.push(format!("{ifname}: no receive ring ({e}), recvmmsg instead: slower"));
                Mode::queue()
            }
        };
        let guard = match Guard::take(index) {
            Ok(guard) => Some(guard),
            Err(e) => {
                notes.push(format!(
                    "{ifname}: the host's own stack still receives from it ({e}): it may answer \
                     for the switch's addresses there; needs CAP_NET_ADMIN and CAP_BPF and a \
                     kernel with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, and nothing else \
                     at ingress priority 1 (`tc filter show dev {ifname} ingress`)"
                ));
                None
            }
        };
        socket
            .set_promiscuous(index, true)
            .map_err(fail("setting promiscuous mode", "the device may not support it"))?;
        match socket.bind(index, ETH_P_ALL) {
            Ok(()) => {}
            // A device that is down: bound all the same, frames come when it goes up.
            Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => {}
            Err(e) => return Err(fail("binding", "check that the device still exists")(e)),
        }
        let socket = Arc::new(socket);
        let receiver = Some(AfPacketReceiver { id, socket: Arc::clone(&socket), mode });
        Ok(Self { id, ifindex: index, socket, receiver, notes, guard })
    }

    /// The receiving half; it can be had once.
    pub fn receiver(&mut self) -> io::Result<Box<dyn Receive>> {
        match self.receiver.take() {
            Some(r) => Ok(Box::new(r)),
            None => Err(io::Error::other("the port's receiver has been taken already")),
        }
    }

    /// A sending half; every worker takes its own.
    pub fn transmitter(&self) -> io::Result<Box<dyn Transmit>> {
        let socket = PacketSocket::open()?;
        socket.set_vnet_hdr()?;
        socket.set_sndbuf(SNDBUF)?;
        // Protocol 0: this socket only sends.
        socket.bind(self.ifindex, 0)?;
        Ok(Box::new(AfPacketTransmitter {
            socket,
            scratch: SendScratch::default(),
            segments: Scratch::default(),
        }))
    }

    /// The port's number in the datapath.
    #[must_use]
    pub fn id(&self) -> PortId {
        self.id
    }

    /// Index of the device.
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// What had to fall back to something slower or was left out, in plain words.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the host's own stack is kept off the device.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }
}

impl Drop for AfPacketPort {
    fn drop(&mut self) {
        // The receiver may live on in a worker for a while: it shall receive nothing more. Both
        // fail when the device has gone, and then there is nothing to give back.
        let _ = self.socket.bind(self.ifindex, 0);
        let _ = self.socket.set_promiscuous(self.ifindex, false);
    }
}

#[derive(Debug)]
struct AfPacketTransmitter {
    socket: PacketSocket,
    scratch: SendScratch,
    /// Segments of a frame that the kernel cannot cut.
    segments: Scratch,
}

impl Transmit for AfPacketTransmitter {
    fn send(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport) {
        let packet = |item: &TxItem| &packets[item.packet as usize];
        let mut left = items;
        while !left.is_empty() {
            let whole = |item: &&TxItem| !offload::needs_software_segmentation(packet(item));
            let n = left.iter().take(BATCH).take_while(whole).count();
            if n == 0 {
                self.send_cut(packet(&left[0]), report);
                left = &left[1..];
                continue;
            }
            let (chunk, rest) = left.split_at(n);
            left = rest;
            let packet = |i: usize| packet(&chunk[i]);
            let mut stopped = DropReason::TxError;
            let untried = self.scratch.send(
                self.socket.as_fd(),
                n,
                |i| (vnet_hdr::encode(&packet(i).offload, packet(i).data()), packet(i).data()),
                |i, result| match result {
                    Ok(()) => {
                        report.packets += 1;
                        report.bytes += packet(i).len() as u64;
                        true
                    }
                    Err(e) => {
                        let (reason, go_on) = reason(&e);
                        report.drop(reason, 1);
                        stopped = reason;
                        go_on
                    }
                },
            );
            if untried > 0 {
                report.drop(stopped, untried as u64);
            }
        }
    }
}

impl AfPacketTransmitter {
    /// Sends a frame in segments made here. It counts as one, and as dropped if a segment is.
    fn send_cut(&mut self, packet: &Packet, report: &mut TxReport) {
        self.segments.clear();
        let Some(cut) = packet
            .offload
            .gso
            .and_then(|gso| offload::segment(packet.data(), &gso, &[], &mut self.segments).ok())
        else {
            return report.drop(DropReason::TxError, 1);
        };
        let frames = self.segments.bytes();
        let frame = |i: usize| &frames[i * cut.len..frames.len().min((i + 1) * cut.len)];
        let mut failed = None;
        for first in (0..cut.count).step_by(BATCH) {
            let untried = self.scratch.send(
                self.socket.as_fd(),
                cut.count - first,
                |i| ([0; vnet_hdr::LEN], frame(first + i)),
                |_, result| match result {
                    Ok(()) => true,
                    Err(e) => {
                        let (reason, go_on) = reason(&e);
                        failed = failed.or(Some(reason));
                        go_on
                    }
                },
            );
            if untried > 0 {
                break;
            }
        }
        match failed {
            Some(reason) => report.drop(reason, 1),
            None => {
                report.packets += 1;
                report.bytes += packet.len() as u64;
            }
        }
    }
}

/// The reason of a failed send, and whether the next frame can fare better.
fn reason(e: &io::Error) -> (DropReason, bool) {
    match e.raw_os_error() {
        // The socket's limit of bytes in flight: it falls when the receiver runs, not before.
        Some(libc::EAGAIN) => (DropReason::TxQueueFull, false),
        // The device's queue, which may take another flow's frames.
        Some(libc::ENOBUFS) => (DropReason::TxQueueFull, true),
        Some(libc::EMSGSIZE) => (DropReason::TxTooBig, true),
        Some(libc::ENETDOWN) => (DropReason::TxLinkDown, false),
        Some(libc::ENXIO | libc::ENODEV) => (DropReason::TxError, false),
        _ => (DropReason::TxError, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Checksum, Gso, GsoKind, Pool};
    use crate::port::RxBatch;
    use crate::sys::netns;
    use std::process::Command;
    use std::time::{Duration, Instant};

    /// A namespace, removed when dropped.
    struct Ns(String);

    impl Drop for Ns {
        fn drop(&mut self) {
            let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
        }
    }

    fn ip(args: &str) -> bool {
        let out = Command::new("ip").args(args.split(' ')).output();
        out.is_ok_and(|o| o.status.success())
    }

    /// What a kernel that refuses the ring leaves us with gives the same frames.
    #[test]
    fn without_a_ring() {
        let ns = Ns(format!("vxs-noring-{}", std::process::id()));
        if !ip(&format!("netns add {}", ns.0)) {
            eprintln!("skipped: no network namespaces here (root and iproute2 are needed)");
            return;
        }
        std::thread::spawn(move || {
            netns::enter(format!("/run/netns/{}", ns.0).as_ref()).expect("enter");
            for args in ["link add va type veth peer name vb", "link set va up", "link set vb up"] {
                assert!(ip(args), "ip {args}");
            }
            let refuse = |_: &PacketSocket| Err(io::Error::from_raw_os_error(libc::ENOMEM));
            let mut a = AfPacketPort::attach_by("va", PortId(1), refuse).expect("attach");
            assert!(a.notes()[0].contains("recvmmsg"), "{:?}", a.notes());
            let b = AfPacketPort::attach("vb", PortId(2)).expect("attach");
            there_and_here(
                a.receiver().expect("rx").as_mut(),
                b.transmitter().expect("tx").as_mut(),
            );
        })
        .join()
        .expect("no panic");
    }

    fn there_and_here(rx: &mut dyn Receive, tx: &mut dyn Transmit) {
        let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
        for (len, tagged, gso) in
            [(60, false, false), (1514, true, false), (60_000, false, true), (60_000, true, true)]
        {
            let mut f: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            f[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
            f[14] = 0x45;
            f[23] = 6; // TCP
            f[34 + 12] = 5 << 4; // 20 bytes of it
            let mut p = Packet::copied(&f);
            if gso {
                p.offload.csum = Checksum::Partial { start: 34, offset: 16 };
                p.offload.gso = Some(Gso { kind: GsoKind::TcpV4, size: 1400, ecn: false });
            }
            if tagged {
                assert!(p.open_gap(12, 4));
                p.data_mut()[12..16].copy_from_slice(&[0x81, 0, 0x20, 7]);
            }
            let mut report = TxReport::default();
            tx.send(
                std::slice::from_ref(&p),
                &[TxItem { packet: 0, hash: 0, tunnel: None }],
                &mut report,
            );
            assert_eq!(report.packets, 1, "{len} {tagged}: {report:?}");
            let start = Instant::now();
            let got = loop {
                assert!(start.elapsed() < Duration::from_secs(5), "{len} {tagged}: no frame");
                let _ = rx.receive(&mut pool, 64, &mut batch).expect("receive");
                // The stack of the namespace sends neighbour discovery besides.
                if let Some(got) =
                    batch.frames.drain(..).find(|r| r.packet.data()[..6] == [2, 0, 0, 0, 0, 2])
                {
                    break got.packet;
                }
            };
            assert!(got.data() == p.data(), "{len} {tagged}");
            assert_eq!(got.offload, p.offload, "{len} {tagged}");
        }
        assert_eq!(batch.drops, []);
    }
}
