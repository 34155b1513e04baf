//! IPv4 (RFC 791).

/// Length of the header without options.
pub const HEADER_LEN: usize = 20;
/// Offset of type of service: DSCP and ECN.
pub const TOS: usize = 1;
/// Offset of the total length.
pub const TOTAL_LEN: usize = 2;
/// Offset of flags and fragment offset.
pub const FRAG: usize = 6;
/// Offset of time to live.
pub const TTL: usize = 8;
/// Offset of the protocol.
pub const PROTO: usize = 9;
/// Offset of the header checksum.
pub const CHECKSUM: usize = 10;
/// Offset of the source address.
pub const SRC: usize = 12;
/// Offset of the destination address.
pub const DST: usize = 16;

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// SCTP.
pub const SCTP: u8 = 132;

/// More fragments follow.
const MORE: u16 = 0x2000;
/// Fragment offset, in units of 8 bytes.
const OFFSET: u16 = 0x1fff;

/// A header, options not included.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a>(pub &'a [u8; HEADER_LEN]);

impl Ipv4<'_> {
    /// Header length in bytes, 0 to 60.
    #[inline]
    #[must_use]
    pub fn header_len(self) -> usize {
        usize::from(self.0[0] & 0x0f) * 4
    }

    /// Length of header and payload in bytes.
    #[inline]
    #[must_use]
    pub fn total_len(self) -> usize {
        usize::from(u16::from_be_bytes([self.0[TOTAL_LEN], self.0[TOTAL_LEN + 1]]))
    }

    /// Whether it is a fragment.
    #[inline]
    #[must_use]
    pub fn is_fragment(self) -> bool {
        self.frag() & (MORE | OFFSET) != 0
    }

    /// Whether it is a fragment other than the first.
    #[inline]
    #[must_use]
    pub fn is_later_fragment(self) -> bool {
        self.frag() & OFFSET != 0
    }

    /// Time to live.
    #[inline]
    #[must_use]
    pub fn ttl(self) -> u8 {
        self.0[TTL]
    }

    /// Protocol.
    #[inline]
    #[must_use]
    pub fn proto(self) -> u8 {
        self.0[PROTO]
    }

    /// Type of service.
    #[inline]
    #[must_use]
    pub fn tos(self) -> u8 {
        self.0[TOS]
    }

    fn frag(self) -> u16 {
        u16::from_be_bytes([self.0[FRAG], self.0[FRAG + 1]])
    }
}
