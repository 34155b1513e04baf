//! ARP over Ethernet for IPv4 (RFC 826), and RARP (RFC 903).

/// Length of the packet.
pub const LEN: usize = 28;
/// Offset of the opcode (`ar$op`).
pub const OP: usize = 6;
/// Offset of the sender hardware address (`ar$sha`).
pub const SHA: usize = 8;
/// Offset of the sender protocol address (`ar$spa`).
pub const SPA: usize = 14;
/// Offset of the target hardware address (`ar$tha`).
pub const THA: usize = 18;
/// Offset of the target protocol address (`ar$tpa`).
pub const TPA: usize = 24;

/// A packet.
#[derive(Clone, Copy, Debug)]
pub struct Arp<'a>(pub &'a [u8; LEN]);

impl Arp<'_> {
    /// Whether it is about Ethernet and IPv4 addresses.
    #[inline]
    #[must_use]
    pub fn is_ethernet_ipv4(self) -> bool {
        matches!(self.0, [0, 1, 0x08, 0, 6, 4, ..])
    }

    /// Opcode.
    #[inline]
    #[must_use]
    pub fn op(self) -> u16 {
        u16::from_be_bytes([self.0[OP], self.0[OP + 1]])
    }
}
