//! Random packets: every protocol that a table can look into, whole, cut short, and damaged.

use crate::rng::Rng;
use crate::tables::Mode;
use crate::values::{
    IPV4, L4_PORTS, LABELS, LOCAL, OTHER_TYPES, TTLS, VIDS, inner_mac, ipv6, mac, source,
};

/// A frame and the port it comes in by.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) port: usize,
    pub(crate) frame: Vec<u8>,
}

/// A shot by the given port, cut and damaged where the tables only look. With `learnable` nothing damages the addresses, which a learning
/// switch remembers from one run to the next.
pub(crate) fn shot(r: &mut Rng, port: usize, learnable: bool, mode: Mode) -> Shot {
    let mut frame = Vec::with_capacity(256);
    frame.extend(mac(r));
    frame.extend(source(r, port));
    // Open vSwitch knows two; NORMAL and pushes make it lose those behind
    let most = match mode {
        Mode::Push => 1,
        _ if learnable => 2,
        _ => 3,
    };
    let count = r.pick(&[0, 0, 0, 1, 1, 2, 3]).min(most);
    for _ in 0..count {
        frame.extend(r.pick(&[0x8100_u16, 0x8100, 0x88a8]).to_be_bytes());
        // a priority tag before or behind another tag makes Open vSwitch's NORMAL take the other off
        let vid = if learnable && count > 1 { r.pick(&VIDS[1..]) } else { r.pick(&VIDS) };
        frame.extend((vid | (r.below(8) as u16) << 13).to_be_bytes());
    }
    // Open vSwitch knows three MPLS entries, and changes no ARP of an operation above 255
    let most = match mode {
        Mode::Look => 4,
        Mode::Edit => 3,
        Mode::Push => 2,
    };
    let mpls = r.pick(&[0, 0, 0, 0, 1, 2, 3, 4]).min(most);
    let whole = mode != Mode::Look || learnable;
    let inner = r.below(20);
    let ethertype = match inner {
        0..=8 => 0x0800_u16,
        9..=15 => 0x86dd,
        16..=17 => 0x0806,
        18 => r.pick(&OTHER_TYPES),
        // pushed onto a frame that has a length in the type's place, a header makes no sense
        _ if mode == Mode::Push => 0x0800,
        _ => r.below(0x600) as u16,
    };
    if mpls > 0 {
        frame.extend(r.pick(&[0x8847_u16, 0x8847, 0x8848]).to_be_bytes());
        for i in 0..mpls {
            let bottom = u32::from(i + 1 == mpls) ^ u32::from(!whole && r.chance(3));
            let entry = r.pick(&LABELS) << 12 | (r.below(8) as u32) << 9 | bottom << 8;
            frame.extend((entry | u32::from(r.pick(&TTLS))).to_be_bytes());
        }
    } else {
        frame.extend(ethertype.to_be_bytes());
    }
    let body = match ethertype {
        0x0800 => ipv4(r, mode),
        0x86dd => over_ipv6(r, mode),
        0x0806 => arp(r, mode),
        // Logical link control: SNAP leads on to another type
        0..0x600 if r.chance(50) => {
            let mut b = vec![0xaa, 0xaa, 3, 0, 0, 0];
            b.extend(if whole { 0x0800_u16 } else { r.pick(&[0x0800, 0x86dd]) }.to_be_bytes());
            b.extend(ipv4(r, mode));
            b
        }
        _ => r.bytes(46),
    };
    frame.extend(body);
    let first = if learnable { 12 } else { 0 };
    if !whole && r.chance(20) {
        let keep = 14.max(r.below(frame.len() + 1));
        frame.truncate(keep);
    }
    if !whole && r.chance(20) {
        // in the headers, where it matters most; the probe's type stays the probe's alone
        let at = first + r.below(frame.len().min(70) - first);
        frame[at] = r.byte();
    }
    if r.chance(10) {
        let n = r.below(40);
        frame.extend(r.bytes(n));
    }
    if frame[12..14] == crate::lab::PROBE_TYPE {
        frame[13] ^= 1;
    }
    // Open vSwitch clears the drop eligible bit of a tag that the kernel took off
    if frame.len() > 14 && [[0x81, 0], [0x88, 0xa8]].contains(&[frame[12], frame[13]]) {
        frame[14] &= 0xef;
    }
    frame.truncate(1400);
    Shot { port: port.min(LOCAL), frame }
}

fn arp(r: &mut Rng, mode: Mode) -> Vec<u8> {
    let op =
        if mode == Mode::Look && r.chance(5) { r.bits() as u16 } else { r.pick(&[1, 1, 2, 3]) };
    let mut b = vec![0, 1, 8, 0, 6, 4];
    b.extend(op.to_be_bytes());
    for _ in 0..2 {
        b.extend(inner_mac(r));
        b.extend(r.pick(&IPV4));
    }
    // padded as an Ethernet card would, or not
    if r.chance(50) {
        b.resize(46, 0);
    }
    b
}

/// Fragments come only to tables that look: of a later one Open vSwitch changes what stands where a
/// checksum would.
fn ipv4(r: &mut Rng, mode: Mode) -> Vec<u8> {
    let (protocol, mut body) = transport(r, false);
    let (src, dst) = (r.pick(&IPV4), r.pick(&IPV4));
    let options = if r.chance(10) { 4 * (1 + r.below(3)) } else { 0 };
    let fragment: u16 = match r.below(12) {
        0 if mode == Mode::Look => 0x2000 | 185,
        1 if mode == Mode::Look => 7,
        2 if mode == Mode::Look => 0x2000,
        3..=5 => 0x4000,
        _ => 0,
    };
    let mut pseudo: Vec<u8> = [src, dst].concat();
    pseudo.extend([0, protocol]);
    pseudo.extend((body.len() as u16).to_be_bytes());
    finish(r, protocol, &pseudo, &mut body);
    let mut b = vec![0x45 + (options / 4) as u8, r.byte()];
    b.extend(((20 + options + body.len()) as u16).to_be_bytes());
    b.extend(r.bytes(2));
    b.extend(fragment.to_be_bytes());
    b.extend([r.pick(&TTLS), protocol, 0, 0]);
    b.extend(src);
    b.extend(dst);
    b.extend(std::iter::repeat_n(1, options));
    let sum = if r.chance(4) { r.bits() as u16 } else { checksum(&b, &[]) };
    b[10..12].copy_from_slice(&sum.to_be_bytes());
    b.extend(body);
    b
}

fn over_ipv6(r: &mut Rng, mode: Mode) -> Vec<u8> {
    let (protocol, mut body) = transport(r, true);
    let (src, dst) = (ipv6(r), ipv6(r));
    let mut pseudo: Vec<u8> = [src, dst].concat();
    pseudo.extend((body.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    finish(r, protocol, &pseudo, &mut body);
    let mut next = protocol;
    if r.chance(15) {
        // built from the inside out: destination options, fragment, routing, hop-by-hop
        for (kind, percent) in [(60, 30), (44, 50), (43, 30), (0, 40)] {
            if r.chance(percent) && (kind != 44 || mode == Mode::Look) {
                let mut header = vec![next, 0, 0, 0, 0, 0, 0, 0];
                match kind {
                    44 => header[2..4]
                        .copy_from_slice(&r.pick(&[0_u16, 1 << 3, 1 << 3 | 1]).to_be_bytes()),
                    43 => header[2] = 2,
                    _ => header[2..4].copy_from_slice(&[1, 4]),
                }
                header.extend(body);
                body = header;
                next = kind;
            }
        }
    }
    let first = 6 << 28 | u32::from(r.byte()) << 20 | r.pick(&[0, 1, 0x12345]);
    let mut b = first.to_be_bytes().to_vec();
    b.extend((body.len() as u16).to_be_bytes());
    b.extend([next, r.pick(&TTLS)]);
    b.extend(src);
    b.extend(dst);
    b.extend(body);
    b
}

/// A transport protocol's number, and its header and payload with the checksum left out.
fn transport(r: &mut Rng, six: bool) -> (u8, Vec<u8>) {
    let ports = [r.pick(&L4_PORTS).to_be_bytes(), r.pick(&L4_PORTS).to_be_bytes()].concat();
    let length = r.below(64);
    let payload = r.bytes(length);
    match r.below(10) {
        0..=2 => {
            let options = if r.chance(20) { 12 } else { 0 };
            let mut b = ports;
            b.extend(r.bytes(8));
            b.extend([((20 + options) / 4 * 16) as u8, r.byte(), 0x10, 0, 0, 0, 0, 0]);
            b.extend(std::iter::repeat_n(1, options));
            b.extend(payload);
            (6, b)
        }
        3..=5 => {
            let mut b = ports;
            b.extend(((8 + payload.len()) as u16).to_be_bytes());
            b.extend([0, 0]);
            b.extend(payload);
            (17, b)
        }
        6 => {
            let mut b = ports;
            b.extend(r.bytes(8));
            b.extend([0, 3]);
            b.extend(((16 + payload.len()) as u16).to_be_bytes());
            b.extend(r.bytes(12));
            b.extend(payload);
            (132, b)
        }
        7 | 8 if six => (58, icmpv6(r, payload)),
        7 | 8 => {
            let mut b = vec![r.pick(&[0, 3, 8, 8, 11]), r.pick(&[0, 0, 1, 3]), 0, 0];
            b.extend(r.bytes(4));
            b.extend(payload);
            (1, b)
        }
        _ => (r.pick(&[2, 4, 47, 59, 255]), payload),
    }
}

fn icmpv6(r: &mut Rng, payload: Vec<u8>) -> Vec<u8> {
    let kind = r.pick(&[128_u8, 129, 135, 135, 136, 136, 1]);
    let code = if r.chance(10) { 1 } else { 0 };
    let mut b = vec![kind, code, 0, 0];
    b.extend(r.bytes(4));
    if kind == 135 || kind == 136 {
        b.extend(ipv6(r));
        for _ in 0..r.pick(&[0, 1, 1, 2]) {
            b.extend([r.pick(&[1, 2]), if r.chance(95) { 1 } else { r.pick(&[0, 2]) }]);
            b.extend(inner_mac(r));
        }
    } else {
        b.extend(payload);
    }
    b
}

/// Puts the checksum into a transport header, rarely a wrong one.
fn finish(r: &mut Rng, protocol: u8, pseudo: &[u8], body: &mut [u8]) {
    if protocol == 132 {
        // a wrong one vxswitch leaves as it is, Open vSwitch makes it wrong in another way
        body[8..12].fill(0);
        let sum = crc32c(body);
        body[8..12].copy_from_slice(&sum.to_le_bytes());
    }
    let (at, pseudo) = match protocol {
        6 => (16, pseudo),
        17 => (6, pseudo),
        58 => (2, pseudo),
        1 => (2, &[][..]),
        _ => return,
    };
    let mut sum = checksum(body, pseudo);
    if protocol == 17 {
        // none at all is allowed
        sum = if r.chance(20) {
            0
        } else if sum == 0 {
            0xffff
        } else {
            sum
        };
    }
    if r.chance(5) {
        sum = r.bits() as u16;
    }
    body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// SCTP's checksum (RFC 9260, appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

/// The Internet checksum (RFC 1071) over both.
fn checksum(a: &[u8], b: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for part in [a, b] {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
