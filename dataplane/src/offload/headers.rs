//! Where the headers of a frame are, as far as offloads need to know.

use super::{get16, put16};
use crate::packet::Checksum;
use crate::wire::{checksum, ethernet, mpls, pbb};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: [u16; 2] = [0x8100, 0x88a8];
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
/// IPv6 extension headers that may stand before TCP or UDP (RFC 8200 section 4.1): hop-by-hop,
/// routing, destination options. A fragment header ends the walk: a fragment has no offloads.
const IPV6_EXTENSIONS: [u8; 3] = [0, 43, 60];
/// Extension headers that are followed, at most.
const MAX_EXTENSIONS: usize = 8;

/// Positions in a frame, in bytes from its start. All of them lie inside the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// First byte of the IP header.
    pub l3: usize,
    /// First byte of the transport header.
    pub l4: usize,
    /// Whether IP is IPv6.
    pub v6: bool,
    /// IP protocol number of what is at `l4`.
    pub proto: u8,
    /// End of the IP packet by its own length field, or of the frame if that is less.
    pub end: usize,
}

impl Headers {
    /// Finds them. None if the frame is not IP, is a fragment, or is cut short before the transport
    /// header.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (l3, ethertype) = network_offset(frame)?;
        Self::parse_network(frame, l3, ethertype)
    }

    /// The same, and behind MPLS and PBB headers too.
    #[must_use]
    pub fn parse_encapsulated(frame: &[u8]) -> Option<Self> {
        let (l3, ethertype) = inner_network_offset(frame)?;
        Self::parse_network(frame, l3, ethertype)
    }

    fn parse_network(frame: &[u8], l3: usize, ethertype: u16) -> Option<Self> {
        match ethertype {
            ETHERTYPE_IPV4 => {
                let ip = frame.get(l3..l3 + 20)?;
                let header = usize::from(ip[0] & 15) * 4;
                let fragment = get16(ip, 6) & 0x3fff != 0;
                if ip[0] >> 4 != 4 || header < 20 || fragment {
                    return None;
                }
                let end = frame.len().min(l3 + usize::from(get16(ip, 2)));
                (l3 + header <= end).then_some(Self {
                    l3,
                    l4: l3 + header,
                    v6: false,
                    proto: ip[9],
                    end,
                })
            }
            ETHERTYPE_IPV6 => {
                let ip = frame.get(l3..l3 + 40)?;
                if ip[0] >> 4 != 6 {
                    return None;
                }
                let end = frame.len().min(l3 + 40 + usize::from(get16(ip, 4)));
                let (mut l4, mut proto) = (l3 + 40, ip[6]);
                for _ in 0..MAX_EXTENSIONS {
                    if !IPV6_EXTENSIONS.contains(&proto) {
                        break;
                    }
                    let ext = frame.get(l4..l4 + 8)?;
                    proto = ext[0];
                    l4 += (usize::from(ext[1]) + 1) * 8;
                }
                (proto != 44 && l4 <= end).then_some(Self { l3, l4, v6: true, proto, end })
            }
            _ => None,
        }
    }

    /// Source and destination address, as they stand in the header.
    #[must_use]
    pub fn addresses<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        if self.v6 { &frame[self.l3 + 8..self.l3 + 40] } else { &frame[self.l3 + 12..self.l3 + 20] }
    }

    /// Length of the TCP header. None if the packet is not TCP or the header is cut short.
    #[must_use]
    pub fn tcp_len(&self, frame: &[u8]) -> Option<usize> {
        if self.proto != TCP || self.l4 + 20 > frame.len() {
            return None;
        }
        let len = usize::from(frame[self.l4 + 12] >> 4) * 4;
        (len >= 20 && self.l4 + len <= frame.len()).then_some(len)
    }

    /// Position of the transport checksum, counted from the transport header.
    #[must_use]
    pub fn checksum_offset(&self) -> Option<u16> {
        match self.proto {
            TCP => Some(16),
            UDP => Some(6),
            _ => None,
        }
    }
}

/// Position and EtherType of what follows the Ethernet header and its VLAN tags (two at most).
pub(crate) fn network_offset(frame: &[u8]) -> Option<(usize, u16)> {
    network_offset_from(frame, 0)
}

/// The same of the Ethernet frame that begins at `start` of `frame`.
fn network_offset_from(frame: &[u8], start: usize) -> Option<(usize, u16)> {
    let mut at = start + 12;
    for _ in 0..3 {
        let ethertype = frame.get(at..at + 2).map(|b| get16(b, 0))?;
        if !ETHERTYPE_VLAN.contains(&ethertype) {
            return Some((at + 2, ethertype));
        }
        at += 4;
    }
    None
}

/// Whether the frame is one of MPLS or PBB, by the EtherType behind its VLAN tags.
pub(super) fn is_encapsulated(frame: &[u8]) -> bool {
    let encapsulations = [ethernet::MPLS, ethernet::MPLS_MULTICAST, ethernet::PBB];
    network_offset(frame).is_some_and(|(_, ethertype)| encapsulations.contains(&ethertype))
}

/// [`network_offset`] of what MPLS and PBB headers carry. Behind MPLS the version tells what it is, as
/// no EtherType does.
fn inner_network_offset(frame: &[u8]) -> Option<(usize, u16)> {
    let mut start = 0;
    loop {
        let (at, ethertype) = network_offset_from(frame, start)?;
        match ethertype {
            ethernet::PBB => start = at + pbb::ITAG_LEN,
            ethernet::MPLS | ethernet::MPLS_MULTICAST => {
                let l3 = mpls::stack_end(frame, at)?;
                return match frame.get(l3)? >> 4 {
                    4 => Some((l3, ETHERTYPE_IPV4)),
                    6 => Some((l3, ETHERTYPE_IPV6)),
                    _ => None,
                };
            }
            _ => return Some((at, ethertype)),
        }
    }
}

/// The state of a checksum that the sender's stack left unfinished, which shows in that the field
/// holds the folded sum of the pseudo-header. A kernel `vxlan` device on the same machine hands over
/// such frames. (One finished checksum in 65536 looks the same by chance; finishing it once more
/// gives the value that it has.)
#[must_use]
pub fn partial_checksum(frame: &[u8], h: &Headers) -> Option<Checksum> {
    let offset = h.checksum_offset()?;
    let at = h.l4 + usize::from(offset);
    if at + 2 > h.end {
        return None;
    }
    let pseudo = checksum::pseudo_header(h.addresses(frame), h.proto, h.end - h.l4);
    (get16(frame, at) == checksum::fold(pseudo))
        .then_some(Checksum::Partial { start: u16::try_from(h.l4).ok()?, offset })
}

/// Carries the outer header's ECN mark into the inner packet on decapsulation (RFC 6040 section
/// 4.2, figure 4). False where the packet has to be dropped: congestion outside, and an inner packet
/// that cannot say so. What is not IP is left alone.
pub fn ecn_decapsulate(frame: &mut [u8], outer_tos: u8) -> bool {
    const ECT1: u8 = 1;
    const CE: u8 = 3;
    let outer = outer_tos & 3;
    if outer != CE && outer != ECT1 {
        return true;
    }
    let Some((l3, ethertype)) = network_offset(frame) else { return true };
    let (v4, v6) = (ethertype == ETHERTYPE_IPV4, ethertype == ETHERTYPE_IPV6);
    if !(v4 && frame.len() >= l3 + 20 || v6 && frame.len() >= l3 + 40) {
        return true;
    }
    let inner = if v4 { frame[l3 + 1] & 3 } else { frame[l3 + 1] >> 4 & 3 };
    let new = match (inner, outer) {
        (0, CE) => return false,
        (0, _) | (CE, _) => inner,
        (_, outer) => outer,
    };
    if new == inner {
        return true;
    }
    if v4 {
        let old_word = get16(frame, l3);
        frame[l3 + 1] = frame[l3 + 1] & !3 | new;
        // RFC 1624, equation 3.
        let sum =
            u64::from(!get16(frame, l3 + 10)) + u64::from(!old_word) + u64::from(get16(frame, l3));
        put16(frame, l3 + 10, checksum::finish(sum));
    } else {
        frame[l3 + 1] = frame[l3 + 1] & !0x30 | new << 4;
    }
    true
}
