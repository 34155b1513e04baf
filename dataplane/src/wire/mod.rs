//! Header views over bytes: one file a protocol, RFC names, offsets in named constants.
//!
//! A view wraps a reference to an array of the header's fixed length, so one bounds check when it is
//! made ([`at`]) is all there is, and no accessor can panic whatever the bytes are. What a length
//! field says is never trusted here; who follows it checks it against the frame.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod mpls;
pub mod pbb;
pub mod ports;
pub mod vxlan;

/// `N` bytes of `bytes` from `offset`; `None` if they do not lie within.
#[inline]
#[must_use]
pub fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<&[u8; N]> {
    bytes.get(offset..)?.first_chunk()
}

/// The same, to be changed.
#[inline]
#[must_use]
pub fn at_mut<const N: usize>(bytes: &mut [u8], offset: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(offset..)?.first_chunk_mut()
}

/// Reads a big-endian 16-bit number.
#[inline]
#[must_use]
pub fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    at(bytes, offset).map(|b| u16::from_be_bytes(*b))
}
