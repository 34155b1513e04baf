//! The bridge's own port (LOCAL): a TAP device by which the host takes part in the bridge.
//!
//! IFF_VNET_HDR and TUNSETOFFLOAD let the host's stack hand over long frames with partial
//! checksums, and take such frames, as between two containers. The device is not persistent: it
//! goes away with the last of the descriptors, also after a crash.

use super::attach::AttachError;
use super::{Receive, Received, RxBatch, Transmit, TxItem, TxReport};
use crate::drop::DropReason;
use crate::offload::{self, Scratch};
use crate::packet::{HEADROOM, MAX_FRAME, Packet, Pool, SMALL_BUF};
use crate::state::PortId;
use crate::sys::mmsg::{read_frame, write_frame};
use crate::sys::packet::ifindex;
use crate::sys::tap::TapFd;
use crate::vnet_hdr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// A TAP device. It goes away when this and all its halves have been dropped.
#[derive(Debug)]
pub struct TapPort {
    id: PortId,
    ifindex: u32,
    fd: TapFd,
    received: bool,
    notes: Vec<String>,
}

impl TapPort {
    /// Makes the device `name` in this thread's network namespace; it is down at first. A device
    /// of that name that exists already is refused.
    pub fn create(name: &str, id: PortId, mac: Option<[u8; 6]>) -> Result<Self, AttachError> {
        let fail = |step, advice| move |e| AttachError::new(name, step, "CAP_NET_ADMIN", advice, e);
        if ifindex(name).is_ok() {
            return Err(AttachError::Exists { name: name.to_owned() });
        }
        let fd = TapFd::open().map_err(|e| match e.raw_os_error() {
            // Here these mean the node in /dev, not the device.
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => AttachError::Unsupported {
                name: name.to_owned(),
                step: "opening /dev/net/tun",
                source: e,
                advice: "load the module with `modprobe tun`, or give the container /dev/net/tun",
            },
            _ => fail("opening /dev/net/tun", "check its permissions")(e),
        })?;
        fd.create(name).map_err(|e| match e.raw_os_error() {
            Some(libc::EBUSY | libc::EEXIST) => AttachError::Exists { name: name.to_owned() },
            _ => fail("making the TAP", "a name has 1 to 15 characters, without `/` and space")(e),
        })?;
        let mut notes = Vec::new();
        fd.set_vnet_hdr_len(vnet_hdr::LEN)
            .map_err(fail("setting its virtio header", "Linux 2.6.33 or newer has it"))?;
        let tso = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        let uso = libc::TUN_F_USO4 | libc::TUN_F_USO6;
        if let Err(e) = fd.set_offload(tso | uso) {
            notes.push(format!(
                "{name}: long UDP frames are cut by the host ({e}; Linux 6.2 has it)"
            ));
            if let Err(e) = fd.set_offload(tso) {
                notes.push(format!("{name}: TCP is cut and summed by the host, slower ({e})"));
            }
        }
        if let Some(mac) = mac {
            fd.set_mac(name, mac)
                .map_err(fail("setting its MAC address", "it must be a unicast address"))?;
        }
        let ifindex = ifindex(name).map_err(fail("looking up", "it was removed meanwhile"))?;
        Ok(Self { id, ifindex, fd, received: false, notes })
    }

    /// The receiving half; it can be had once.
    pub fn receiver(&mut self) -> io::Result<Box<dyn Receive>> {
        if self.received {
            return Err(io::Error::other("the port's receiver has been taken already"));
        }
        let fd = self.fd.try_clone()?;
        self.received = true;
        Ok(Box::new(TapReceiver { id: self.id, fd, buffer: None }))
    }

    /// A sending half; every worker takes its own.
    pub fn transmitter(&self) -> io::Result<Box<dyn Transmit>> {
        Ok(Box::new(TapTransmitter { fd: self.fd.try_clone()?, segments: Scratch::default() }))
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
}

#[derive(Debug)]
struct TapReceiver {
    id: PortId,
    fd: TapFd,
    /// A large packet to read into: how long the next frame is, is not known before.
    buffer: Option<Packet>,
}

impl Receive for TapReceiver {
    fn fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }

    fn receive(&mut self, pool: &mut Pool, budget: usize, batch: &mut RxBatch) -> io::Result<bool> {
        for _ in 0..budget {
            let mut large = self.buffer.take().unwrap_or_else(|| pool.take(MAX_FRAME));
            let mut hdr = [0; vnet_hdr::LEN];
            let len = match read_frame(self.fd.as_fd(), &mut hdr, large.spare_mut()) {
                Ok(len) => len,
                Err(e) => {
                    self.buffer = Some(large);
                    return match e.raw_os_error() {
                        Some(libc::EAGAIN) => Ok(false),
                        // The device was removed by somebody else.
                        Some(libc::EBADFD) => Err(io::Error::from_raw_os_error(libc::ENODEV)),
                        _ => Err(e),
                    };
                }
            };
            match vnet_hdr::decode_len(&hdr, len) {
                Ok(offload) => {
                    let mut packet = if len <= SMALL_BUF - HEADROOM {
                        let mut small = pool.take(len);
                        small.spare_mut()[..len].copy_from_slice(&large.spare_mut()[..len]);
                        self.buffer = Some(large);
                        small
                    } else {
                        large
                    };
                    packet.set_len(len);
                    packet.offload = offload;
                    batch.frames.push(Received { packet, port: self.id, tunnel: None });
                }
                Err(reason) => {
                    self.buffer = Some(large);
                    batch.drop(self.id, reason, 1);
                }
            }
        }
        Ok(true)
    }
}

#[derive(Debug)]
struct TapTransmitter {
    fd: TapFd,
    /// Segments of a frame that the kernel cannot cut.
    segments: Scratch,
}

impl Transmit for TapTransmitter {
    fn send(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport) {
        for item in items {
            let packet = &packets[item.packet as usize];
            let sent = if offload::needs_software_segmentation(packet) {
                self.write_cut(packet)
            } else {
                let hdr = vnet_hdr::encode(&packet.offload, packet.data());
                write_frame(self.fd.as_fd(), &hdr, packet.data()).map_err(|e| reason(&e))
            };
            match sent {
                Ok(()) => {
                    report.packets += 1;
                    report.bytes += packet.len() as u64;
                }
                Err(reason) => report.drop(reason, 1),
            }
        }
    }
}

impl TapTransmitter {
    /// Writes a frame in segments made here.
    fn write_cut(&mut self, packet: &Packet) -> Result<(), DropReason> {
        self.segments.clear();
        let cut = packet
            .offload
            .gso
            .and_then(|gso| offload::segment(packet.data(), &gso, &[], &mut self.segments).ok())
            .ok_or(DropReason::TxError)?;
        for frame in self.segments.bytes().chunks(cut.len) {
            write_frame(self.fd.as_fd(), &[0; vnet_hdr::LEN], frame).map_err(|e| reason(&e))?;
        }
        Ok(())
    }
}

/// The reason of a failed write (tun_get_user in drivers/net/tun.c).
fn reason(e: &io::Error) -> DropReason {
    match e.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOBUFS) => DropReason::TxQueueFull,
        // What a TAP that is down answers.
        Some(libc::EIO) => DropReason::TxLinkDown,
        Some(libc::EMSGSIZE) => DropReason::TxTooBig,
        _ => DropReason::TxError,
    }
}
