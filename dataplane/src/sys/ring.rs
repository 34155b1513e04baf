//! TPACKET_V2 receive ring (Documentation/networking/packet_mmap.rst): memory that the kernel
//! fills with frames and this process reads.
//!
//! A slot belongs to the kernel while its status is `TP_STATUS_KERNEL` (0), else to us; the status
//! word is written last by whoever gives the slot away. [`RxRing::current`] lends the slot only
//! while it is ours, and [`RxRing::release`] needs the ring mutably, so no slice of a slot can
//! outlive our ownership of it.

use super::VNET_HDR_LEN;
use super::packet::PacketSocket;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of the memory blocks that the kernel makes the ring of: small, so that they are found
/// also when memory is in fragments.
const BLOCK: usize = 32 * 1024;

/// A receive ring, mapped into this process.
#[derive(Debug)]
pub struct RxRing {
    map: NonNull<u8>,
    slot_size: usize,
    slots: usize,
    head: usize,
}

// SAFETY: the ring owns its mapping, which is valid in every thread; `&mut self` guards the head.
unsafe impl Send for RxRing {}
// SAFETY: shared references only read slots that are ours; giving one back takes `&mut self`.
unsafe impl Sync for RxRing {}

/// A filled slot, ours until [`RxRing::release`].
#[derive(Debug)]
pub struct Slot<'a> {
    /// `TP_STATUS_*`.
    pub status: u32,
    /// Length of the frame in bytes, as it was on the device.
    pub len: usize,
    /// The virtio header before the frame.
    pub vnet: [u8; VNET_HDR_LEN],
    /// As much of the frame as fits the slot.
    pub data: &'a [u8],
    /// VLAN tag control information that the kernel took off; see `TP_STATUS_VLAN_VALID`.
    pub vlan_tci: u16,
    /// Its Ethertype; see `TP_STATUS_VLAN_TPID_VALID`.
    pub vlan_tpid: u16,
}

impl RxRing {
    /// Makes the ring of a socket and maps it. `slot_size` is a power of two up to 32 KB;
    /// `slots * slot_size` a multiple of 32 KB.
    pub fn new(socket: &PacketSocket, slots: usize, slot_size: usize) -> io::Result<Self> {
        let len = slots * slot_size;
        if !slot_size.is_power_of_two()
            || slot_size > BLOCK
            || len == 0
            || !len.is_multiple_of(BLOCK)
        {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        socket.set(libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let req = libc::tpacket_req {
            tp_block_size: BLOCK as u32,
            tp_block_nr: (len / BLOCK) as u32,
            tp_frame_size: slot_size as u32,
            tp_frame_nr: slots as u32,
        };
        socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &req)?;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory in use.
        let map = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_fd().as_raw_fd(),
                0,
            )
        };
        let error = io::Error::last_os_error();
        match NonNull::new(map.cast::<u8>()) {
            Some(start) if map != libc::MAP_FAILED => {
                Ok(Self { map: start, slot_size, slots, head: 0 })
            }
            _ => {
                // Without its ring the socket receives by recvmsg again.
                let none = libc::tpacket_req {
                    tp_block_size: 0,
                    tp_block_nr: 0,
                    tp_frame_size: 0,
                    tp_frame_nr: 0,
                };
                socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &none)?;
                Err(error)
            }
        }
    }

    /// The oldest filled slot, if there is one.
    pub fn current(&self) -> Option<Slot<'_>> {
        let base = self.slot_base();
        let status = self.status().load(Ordering::Acquire);
        if status == libc::TP_STATUS_KERNEL {
            return None;
        }
        // SAFETY: `base` is the page-aligned-block address of a slot of at least a header's size
        // inside the mapping; the acquire load above says that the kernel has finished writing it.
        let hdr = unsafe { base.cast::<libc::tpacket2_hdr>().read() };
        // The kernel put these inside the slot; they are checked all the same, because the slices
        // below rest on them.
        let mac = usize::from(hdr.tp_mac).clamp(VNET_HDR_LEN, self.slot_size);
        let snap = (hdr.tp_snaplen as usize).min(self.slot_size - mac);
        let mut vnet = [0; VNET_HDR_LEN];
        // SAFETY: `mac` is within VNET_HDR_LEN..=slot_size and `mac + snap` within the slot, which
        // is ours until the status is written back; that takes `&mut self`, which cannot be had
        // while the returned slice borrows `self`.
        let data = unsafe {
            let frame = base.add(mac);
            std::ptr::copy_nonoverlapping(frame.sub(VNET_HDR_LEN), vnet.as_mut_ptr(), VNET_HDR_LEN);
            std::slice::from_raw_parts(frame, snap)
        };
        Some(Slot {
            status,
            len: hdr.tp_len as usize,
            vnet,
            data,
            vlan_tci: hdr.tp_vlan_tci,
            vlan_tpid: hdr.tp_vlan_tpid,
        })
    }

    /// Gives the current slot back to the kernel and goes on to the next. Only for a slot that
    /// [`Self::current`] returned.
    pub fn release(&mut self) {
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.head = if self.head + 1 == self.slots { 0 } else { self.head + 1 };
    }

    fn slot_base(&self) -> *mut u8 {
        // SAFETY: `head < slots`, so the slot lies within the mapping of `slots * slot_size` bytes.
        unsafe { self.map.as_ptr().add(self.head * self.slot_size) }
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: the first four bytes of a slot are its status, aligned because slots are powers
        // of two; both sides access the word atomically; the mapping lives as long as `self`.
        unsafe { AtomicU32::from_ptr(self.slot_base().cast()) }
    }
}

impl Drop for RxRing {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `new`, and no slice of it outlives `self`.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.slots * self.slot_size) };
    }
}
