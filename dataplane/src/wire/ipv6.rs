//! IPv6 and its extension headers (RFC 8200, RFC 4302).

use super::at;

/// Length of the fixed header.
pub const HEADER_LEN: usize = 40;
/// Offset of the payload length.
pub const PAYLOAD_LEN: usize = 4;
/// Offset of the next header.
pub const NEXT_HEADER: usize = 6;
/// Offset of the hop limit.
pub const HOP_LIMIT: usize = 7;
/// Offset of the source address.
pub const SRC: usize = 8;
/// Offset of the destination address.
pub const DST: usize = 24;

/// Hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Routing header.
pub const ROUTING: u8 = 43;
/// Fragment header.
pub const FRAGMENT: u8 = 44;
/// Encapsulating security payload.
pub const ESP: u8 = 50;
/// Authentication header.
pub const AUTH: u8 = 51;
/// ICMPv6.
pub const ICMPV6: u8 = 58;
/// No next header.
pub const NO_NEXT: u8 = 59;
/// Destination options.
pub const DESTINATION: u8 = 60;

/// `OFPIEH_*` (OpenFlow 1.3.5 section 7.2.3.8): "no next header" seen.
pub const IEH_NONEXT: u16 = 1;
/// ESP seen.
pub const IEH_ESP: u16 = 2;
/// Authentication header seen.
pub const IEH_AUTH: u16 = 4;
/// One or two destination options headers seen.
pub const IEH_DEST: u16 = 8;
/// Fragment header seen.
pub const IEH_FRAG: u16 = 16;
/// Routing header seen.
pub const IEH_ROUTER: u16 = 32;
/// Hop-by-hop options seen, as the first extension header.
pub const IEH_HOP: u16 = 64;
/// A header came more often than it should.
pub const IEH_UNREP: u16 = 128;
/// Headers not in the order that RFC 8200 section 4.1 prefers.
pub const IEH_UNSEQ: u16 = 256;

/// A fixed header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6<'a>(pub &'a [u8; HEADER_LEN]);

impl Ipv6<'_> {
    /// Traffic class: DSCP and ECN.
    #[inline]
    #[must_use]
    pub fn traffic_class(self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// Flow label, 20 bits.
    #[inline]
    #[must_use]
    pub fn flow_label(self) -> u32 {
        u32::from_be_bytes([0, self.0[1] & 0x0f, self.0[2], self.0[3]])
    }

    /// Payload length in bytes, extension headers included.
    #[inline]
    #[must_use]
    pub fn payload_len(self) -> usize {
        usize::from(u16::from_be_bytes([self.0[PAYLOAD_LEN], self.0[PAYLOAD_LEN + 1]]))
    }

    /// Type of the header that follows.
    #[inline]
    #[must_use]
    pub fn next_header(self) -> u8 {
        self.0[NEXT_HEADER]
    }

    /// Hop limit.
    #[inline]
    #[must_use]
    pub fn hop_limit(self) -> u8 {
        self.0[HOP_LIMIT]
    }
}

/// What lies between the fixed header and the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Protocol of the payload; [`FRAGMENT`] for later fragments, whose payload has no header.
    pub proto: u8,
    /// Bytes of the extension headers.
    pub len: usize,
    /// Offset of the byte that says `proto` in the last extension header; `None`: in the fixed header.
    pub named_at: Option<usize>,
    /// It is a fragment.
    pub fragment: bool,
    /// It is a fragment other than the first.
    pub later: bool,
    /// A routing header with segments left: the header's destination is not the final one, which
    /// the transport checksum covers (RFC 8200 section 8.1).
    pub routed: bool,
    /// `IEH_*` flags.
    pub flags: u16,
}

/// Walks the extension headers in `payload`, the first of which is of type `next`.
/// `None` where one is truncated.
#[inline]
#[must_use]
pub fn extensions(next: u8, payload: &[u8]) -> Option<Extensions> {
    // TCP, UDP and ICMPv6 directly behind the fixed header: nearly always.
    if matches!(next, super::ipv4::TCP | super::ipv4::UDP | ICMPV6) {
        return Some(Extensions { proto: next, ..Extensions::default() });
    }
    walk(next, payload)
}

#[cold]
fn walk(next: u8, payload: &[u8]) -> Option<Extensions> {
    let mut x = Extensions { proto: next, ..Extensions::default() };
    // Place of the last header in RFC 8200's order; destination options may come at two places.
    let mut place = 0;
    let mut dests = 0;
    loop {
        let (flag, order) = match x.proto {
            HOP_BY_HOP => (IEH_HOP, 1),
            DESTINATION if dests == 0 && place < 3 => (IEH_DEST, 2),
            ROUTING => (IEH_ROUTER, 3),
            FRAGMENT => (IEH_FRAG, 4),
            AUTH => (IEH_AUTH, 5),
            ESP => (IEH_ESP, 6),
            DESTINATION => (IEH_DEST, 7),
            NO_NEXT => (IEH_NONEXT, 8),
            _ => return Some(x),
        };
        // Hop-by-hop options are only taken for such where they come first; elsewhere they are out of
        // order, and a second one is a repetition besides.
        let misplaced = flag == IEH_HOP && place != 0;
        if order < place || misplaced {
            x.flags |= IEH_UNSEQ;
        }
        place = place.max(order);
        dests += u8::from(flag == IEH_DEST);
        if x.flags & flag != 0 && (flag != IEH_DEST || dests > 2) {
            x.flags |= IEH_UNREP;
        }
        if !misplaced {
            x.flags |= flag;
        }
        if matches!(x.proto, ESP | NO_NEXT) {
            return Some(x);
        }

        // Every extension header is at least 8 bytes long.
        let h = at::<8>(payload, x.len)?;
        let units = usize::from(h[1]);
        let len = match x.proto {
            FRAGMENT => 8,
            AUTH => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        if payload.len() - x.len < len {
            return None;
        }
        if x.proto == FRAGMENT {
            let frag = u16::from_be_bytes([h[2], h[3]]);
            // Offset and "more" flag; both zero in an "atomic" fragment (RFC 6946).
            x.fragment = frag & 0xfff9 != 0;
            if frag & 0xfff8 != 0 {
                x.later = true;
                x.len += len;
                return Some(x);
            }
        }
        x.routed |= x.proto == ROUTING && h[3] != 0;
        x.proto = h[0];
        x.named_at = Some(x.len);
        x.len += len;
    }
}
