//! ICMP "fragmentation needed" (RFC 792, RFC 1191) and ICMPv6 "packet too big" (RFC 4443 section
//! 3.2) for frames that a tunnel cannot carry.
//!
//! The switch has no address of its own in the overlay, so the message comes from the address that
//! the frame was sent to, and goes back the way the frame came. An IPv4 packet without DF is
//! answered too: a VTEP must not fragment (RFC 7348 section 4.3), and Linux lowers its path MTU
//! either way, so that the sender's own fragments will fit. [`Limiter`] keeps a flood of too long
//! frames from becoming a flood of messages.

use crate::offload::network_offset;
use crate::packet::{Packet, Pool};
use crate::wire::checksum;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const FRAGMENT: u8 = 44;
/// IPv6 extension headers that are passed over to see what a packet is (RFC 8200 section 4.1).
const IPV6_EXTENSIONS: [u8; 3] = [0, 43, 60];
/// Longest ICMP message's IP packet (RFC 1812 section 4.3.2.3), bytes.
const MAX_V4: usize = 576;
/// Longest ICMPv6 error (RFC 4443 section 2.4 (c): IPv6's minimum MTU), bytes.
const MAX_V6: usize = 1280;
/// IPv6 packets of this size fit everywhere (RFC 8200 section 5), so no smaller MTU may be told.
const MIN_MTU_V6: u16 = 1280;
/// IPv4's smallest MTU (RFC 791 section 3.2).
const MIN_MTU_V4: u16 = 68;
const HOP_LIMIT: u8 = 64;

/// The message for the sender of `original` (the frame as it came in), which says that IP packets
/// of up to `mtu` bytes fit. None where the RFCs forbid an answer: to ICMP errors, to later
/// fragments, to and from groups and unspecified addresses; and for what is not IP.
#[must_use]
pub fn reply(original: &[u8], mtu: u16, pool: &mut Pool) -> Option<Packet> {
    // A group bit in either MAC address: no answer.
    if original.len() < 14 || (original[0] | original[6]) & 1 != 0 {
        return None;
    }
    let (l3, ethertype) = network_offset(original)?;
    let ip = original.get(l3..)?;
    match ethertype {
        0x0800 => reply_v4(original, l3, ip, mtu.max(MIN_MTU_V4), pool),
        0x86dd => reply_v6(original, l3, ip, mtu.max(MIN_MTU_V6), pool),
        _ => None,
    }
}

/// A packet of this length whose Ethernet header and tags are those of `original`, turned around.
fn start(original: &[u8], l3: usize, len: usize, pool: &mut Pool) -> Packet {
    let mut p = pool.take(len);
    p.set_len(len);
    let b = p.data_mut();
    b.fill(0);
    b[..6].copy_from_slice(&original[6..12]);
    b[6..12].copy_from_slice(&original[..6]);
    b[12..l3].copy_from_slice(&original[12..l3]);
    p
}

fn reply_v4(original: &[u8], l3: usize, ip: &[u8], mtu: u16, pool: &mut Pool) -> Option<Packet> {
    let header = usize::from(ip.first()? & 15) * 4;
    if ip[0] >> 4 != 4 || header < 20 || ip.len() < header + 8 {
        return None;
    }
    let later_fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x1fff != 0;
    if later_fragment || !is_host_v4(&ip[12..16]) || !is_host_v4(&ip[16..20]) {
        return None;
    }
    // Of ICMP, queries only: echo, timestamp and their answers (RFC 1122 section 3.2.2).
    if ip[9] == ICMP && !matches!(ip[header], 0 | 8 | 13 | 14) {
        return None;
    }
    let quote = &ip[..ip.len().min(MAX_V4 - 28)];
    let len = 28 + quote.len();
    let mut p = start(original, l3, l3 + len, pool);
    let (h, icmp) = p.data_mut()[l3..].split_at_mut(20);
    h[0] = 0x45;
    // Internetwork control (RFC 1812 section 4.3.2.5).
    h[1] = 0xc0;
    h[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    h[8] = HOP_LIMIT;
    h[9] = ICMP;
    h[12..16].copy_from_slice(&ip[16..20]);
    h[16..20].copy_from_slice(&ip[12..16]);
    let sum = checksum::finish(checksum::sum(h));
    h[10..12].copy_from_slice(&sum.to_be_bytes());
    // Destination unreachable, fragmentation needed.
    icmp[0] = 3;
    icmp[1] = 4;
    icmp[6..8].copy_from_slice(&mtu.to_be_bytes());
    icmp[8..].copy_from_slice(quote);
    let sum = checksum::finish(checksum::sum(icmp));
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    Some(p)
}

fn reply_v6(original: &[u8], l3: usize, ip: &[u8], mtu: u16, pool: &mut Pool) -> Option<Packet> {
    if ip.len() < 40 || ip[0] >> 4 != 6 || !is_host_v6(&ip[8..24]) || !is_host_v6(&ip[24..40]) {
        return None;
    }
    let (mut next, mut at) = (ip[6], 40);
    while IPV6_EXTENSIONS.contains(&next) {
        let ext = ip.get(at..at + 8)?;
        next = ext[0];
        at += (usize::from(ext[1]) + 1) * 8;
    }
    if next == FRAGMENT {
        let ext = ip.get(at..at + 8)?;
        if u16::from_be_bytes([ext[2], ext[3]]) & 0xfff8 != 0 {
            return None;
        }
        next = ext[0];
        at += 8;
    }
    // ICMPv6 errors have types below 128; 137 is a redirect (RFC 4443 section 2.4 (e)).
    if next == ICMPV6 && ip.get(at).is_none_or(|t| *t < 128 || *t == 137) {
        return None;
    }
    let quote = &ip[..ip.len().min(MAX_V6 - 48)];
    let payload = 8 + quote.len();
    let mut p = start(original, l3, l3 + 40 + payload, pool);
    let (h, icmp) = p.data_mut()[l3..].split_at_mut(40);
    h[0] = 0x60;
    h[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
    h[6] = ICMPV6;
    h[7] = HOP_LIMIT;
    h[8..24].copy_from_slice(&ip[24..40]);
    h[24..40].copy_from_slice(&ip[8..24]);
    icmp[0] = 2;
    icmp[4..8].copy_from_slice(&u32::from(mtu).to_be_bytes());
    icmp[8..].copy_from_slice(quote);
    let sum = checksum::pseudo_header(&h[8..40], ICMPV6, payload) + checksum::sum(icmp);
    icmp[2..4].copy_from_slice(&checksum::finish(sum).to_be_bytes());
    Some(p)
}

/// Not unspecified, loopback, a group, reserved or broadcast (RFC 1122 section 3.2.1.3).
fn is_host_v4(a: &[u8]) -> bool {
    !matches!(a[0], 0 | 127 | 224..)
}

/// Not unspecified, loopback or a group.
fn is_host_v6(a: &[u8]) -> bool {
    a[0] != 0xff && !(a[..15].iter().all(|b| *b == 0) && a[15] <= 1)
}

/// Messages that a limiter lets through at once.
const BURST: u32 = 100;
/// Messages that it lets through in a second, over all senders.
const PER_SECOND: u64 = 100;
/// The same for one sender, so that one cannot use up everything: burst, and a second.
const SENDER_BURST: u32 = 10;
const SENDER_PER_SECOND: u64 = 10;
/// Senders that are told apart, by a hash of MAC and IP source address. Senders that share a place
/// share its tokens.
const SENDERS: usize = 256;

/// A token bucket, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    milli: u32,
    when: u64,
}

impl Bucket {
    fn refill(&mut self, now: u64, per_second: u64, burst: u32) {
        let more = now.saturating_sub(self.when).saturating_mul(per_second);
        let full = u64::from(burst) * 1000;
        self.milli = (u64::from(self.milli).saturating_add(more)).min(full) as u32;
        self.when = now;
    }
}

/// Limits the messages that one worker sends.
#[derive(Debug)]
pub struct Limiter {
    all: Bucket,
    senders: Box<[Bucket]>,
}

impl Default for Limiter {
    fn default() -> Self {
        let full = |burst| Bucket { milli: burst * 1000, when: 0 };
        Self { all: full(BURST), senders: vec![full(SENDER_BURST); SENDERS].into() }
    }
}

impl Limiter {
    /// Whether the sender of `original` may be sent a message now (in milliseconds of
    /// [`crate::state::clock_ms`]).
    pub fn allow(&mut self, original: &[u8], now: u64) -> bool {
        let Some((l3, ethertype)) = network_offset(original) else { return false };
        let address = match ethertype {
            0x0800 => original.get(l3 + 12..l3 + 16),
            _ => original.get(l3 + 8..l3 + 24),
        };
        let bytes = original[6..12].iter().chain(address.unwrap_or_default());
        // FNV-1a; a sender that aims for another one's place only shares its own.
        let hash = bytes.fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193));
        let sender = &mut self.senders[(hash ^ hash >> 16) as usize % SENDERS];
        sender.refill(now, SENDER_PER_SECOND, SENDER_BURST);
        self.all.refill(now, PER_SECOND, BURST);
        if sender.milli < 1000 || self.all.milli < 1000 {
            return false;
        }
        sender.milli -= 1000;
        self.all.milli -= 1000;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type, PacketBuilder, SlicedPacket};
    use etherparse::{NetSlice, TransportSlice, icmpv4, icmpv6};

    const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const B: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn v4(tagged: bool) -> Vec<u8> {
        let b = PacketBuilder::ethernet2(A, B);
        let mut out = Vec::new();
        let payload = [7; 1600];
        if tagged {
            let id = 10.try_into().unwrap();
            let b = b.single_vlan(id).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9).udp(1, 2);
            b.write(&mut out, &payload).unwrap();
        } else {
            let b = b.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9).udp(1, 2);
            b.write(&mut out, &payload).unwrap();
        }
        out
    }

    #[test]
    fn ipv4_is_told_the_mtu_with_its_tag_kept() {
        let mut pool = Pool::default();
        for tagged in [false, true] {
            let original = v4(tagged);
            let p = reply(&original, 1450, &mut pool).unwrap();
            let s = SlicedPacket::from_ethernet(p.data()).unwrap();
            let Some(NetSlice::Ipv4(ip)) = s.net else { panic!("not IPv4") };
            assert_eq!(ip.header().source(), [10, 0, 0, 2]);
            assert_eq!(ip.header().destination(), [10, 0, 0, 1]);
            assert_eq!(
                ip.header().header_checksum(),
                ip.header().to_header().calc_header_checksum()
            );
            let Some(TransportSlice::Icmpv4(icmp)) = s.transport else { panic!("not ICMP") };
            let want = icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1450 };
            assert_eq!(icmp.icmp_type(), Icmpv4Type::DestinationUnreachable(want));
            assert_eq!(checksum::fold(checksum::sum(icmp.slice())), 0xffff);
            let l3 = if tagged { 18 } else { 14 };
            assert_eq!(icmp.payload(), &original[l3..l3 + 548]);
            assert_eq!((&p.data()[..6], &p.data()[6..12]), (&A[..], &B[..]));
            assert_eq!(p.data()[12..l3], original[12..l3]);
            // Never an answer to an answer.
            assert!(reply(p.data(), 1450, &mut pool).is_none());
        }
    }

    #[test]
    fn ipv6_is_told_the_mtu() {
        let (src, dst) = ([0xfd; 16], [0xfc; 16]);
        let mut original = Vec::new();
        let b = PacketBuilder::ethernet2(A, B).ipv6(src, dst, 9).tcp(1, 2, 3, 4);
        b.write(&mut original, &[1; 1500]).unwrap();
        let p = reply(&original, 1430, &mut Pool::default()).unwrap();
        assert_eq!(p.len(), 14 + 1280);
        let s = SlicedPacket::from_ethernet(p.data()).unwrap();
        let Some(TransportSlice::Icmpv6(icmp)) = s.transport else { panic!("not ICMPv6") };
        assert_eq!(icmp.icmp_type(), Icmpv6Type::PacketTooBig { mtu: 1430 });
        assert!(icmp.is_checksum_valid(dst, src));
        assert!(matches!(icmp.type_u8(), icmpv6::TYPE_PACKET_TOO_BIG));
    }

    #[test]
    fn no_answer_where_the_rfcs_forbid_it() {
        let mut pool = Pool::default();
        let good = v4(false);
        let mut bad = |at: usize, value: u8| {
            let mut f = good.clone();
            f[at] = value;
            assert!(reply(&f, 1450, &mut pool).is_none(), "byte {at} = {value}");
        };
        bad(0, 0x01); // a group
        bad(21, 0x01); // a later fragment
        bad(26, 0); // no source
        bad(26, 224);
        bad(30, 239);
        bad(30, 255);
        bad(12, 0x07); // not IP
        let mut echo = Vec::new();
        let header = IcmpEchoHeader { id: 1, seq: 1 };
        let b = PacketBuilder::ethernet2(A, B).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9);
        b.icmpv4_echo_request(header.id, header.seq).write(&mut echo, &[0; 1600]).unwrap();
        assert!(reply(&echo, 1450, &mut pool).is_some());
        for n in 0..good.len().min(60) {
            let _ = reply(&good[..n], 1450, &mut pool);
        }
    }

    #[test]
    fn one_sender_cannot_use_up_everything() {
        let mut l = Limiter::default();
        let frame = v4(false);
        let sent = (0..1000).filter(|_| l.allow(&frame, 1)).count();
        assert_eq!(sent, SENDER_BURST as usize);
        let mut other = frame.clone();
        other[11] ^= 0x55;
        assert!(l.allow(&other, 1));
        assert!(!l.allow(&frame, 50));
        assert!(l.allow(&frame, 150));
        let mut all = 0;
        for i in 0..1000u32 {
            let mut f = frame.clone();
            f[26..30].copy_from_slice(&(0x0a00_0000 + i).to_be_bytes());
            all += u32::from(l.allow(&f, 150));
        }
        assert!(all <= BURST);
    }
}
