//! The protocols with ports: TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260). All begin with the
//! source and the destination port, 16 bits each.

/// Offset of the source port.
pub const SRC: usize = 0;
/// Offset of the destination port.
pub const DST: usize = 2;

/// Length of a TCP header without options.
pub const TCP_LEN: usize = 20;
/// Offset of TCP's data offset and flags.
pub const TCP_FLAGS: usize = 12;
/// Bits of the flags in those two bytes.
pub const TCP_FLAGS_MASK: u16 = 0x0fff;
/// Offset of TCP's checksum.
pub const TCP_CHECKSUM: usize = 16;

/// Length of a UDP header.
pub const UDP_LEN: usize = 8;
/// Offset of UDP's checksum.
pub const UDP_CHECKSUM: usize = 6;

/// Length of SCTP's common header.
pub const SCTP_LEN: usize = 12;
/// Offset of SCTP's CRC32c (little-endian, RFC 9260 appendix A).
pub const SCTP_CHECKSUM: usize = 8;
