//! Offloads in user space, as pure functions over bytes: finish a checksum, cut a long frame into
//! segments, join segments into a long frame.
//!
//! Between two local ports none of this runs; it is needed where frames leave to something that
//! cannot do it (VXLAN, captures) or come from there. The rules are the kernel's
//! (`net/ipv4/tcp_offload.c`, `af_inet.c`, `udp_offload.c`), so that a frame that is cut here and
//! joined by a kernel, or the other way round, is the same frame again. Every length in a frame may
//! lie; nothing here panics over it.

mod coalesce;
mod headers;
mod segment;

pub use coalesce::{Coalescer, single};
pub(crate) use headers::network_offset;
pub use headers::{Headers, ecn_decapsulate, partial_checksum};
pub use segment::{Scratch, SegmentError, Segments, header_len, segment};

use crate::packet::Packet;
use crate::wire::checksum;

/// Whether a long frame must be cut here before it goes to a kernel. A `virtio_net_hdr` says where the
/// transport header is, but not that MPLS or PBB headers come before IP; the kernel would take the frame
/// and lose it where it has to be cut.
#[inline]
#[must_use]
pub fn needs_software_segmentation(packet: &Packet) -> bool {
    packet.offload.gso.is_some() && headers::is_encapsulated(packet.data())
}

/// Finishes a checksum as `virtio_net_hdr` describes it: the one's complement sum from `start` to
/// the frame's end goes to `start + offset`. A result of zero is written as 0xffff, which is the
/// same number and does not mean "no checksum" in UDP (RFC 768). False, and the frame untouched, if
/// the field is not inside the frame.
pub fn finish_checksum(frame: &mut [u8], start: u16, offset: u16) -> bool {
    let start = usize::from(start);
    let at = start + usize::from(offset);
    if at + 2 > frame.len() {
        return false;
    }
    let value = checksum::finish(checksum::sum(&frame[start..]));
    put16(frame, at, if value == 0 { 0xffff } else { value });
    true
}

fn get16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn put16(b: &mut [u8], at: usize, v: u16) {
    b[at..at + 2].copy_from_slice(&v.to_be_bytes());
}

fn get32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn put32(b: &mut [u8], at: usize, v: u32) {
    b[at..at + 4].copy_from_slice(&v.to_be_bytes());
}

#[cfg(test)]
mod tests;
