//! The few values that tables and packets draw from, so that they meet.

use crate::rng::Rng;

/// Ports that are veths; the bridge's own comes behind them.
pub(crate) const VETHS: usize = 4;
/// The bridge's own port, as an index beside 1 to [`VETHS`].
pub(crate) const LOCAL: usize = VETHS + 1;

/// Bytes 2 and 3 of the MAC addresses of the cases. Each run of a case gets others in their place,
/// because switches remember for minutes behind which port they saw an address.
pub(crate) const SALT: [u8; 2] = [0xa5, 0x5a];

pub(crate) const IPV4: [[u8; 4]; 6] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 0, 1, 1],
    [192, 168, 7, 9],
    [224, 0, 0, 251],
    [255, 255, 255, 255],
];
pub(crate) const L4_PORTS: [u16; 7] = [0, 1, 80, 443, 4789, 8192, 0xffff];
pub(crate) const VIDS: [u16; 5] = [0, 1, 5, 100, 4095];
pub(crate) const LABELS: [u32; 6] = [0, 3, 16, 17, 1000, 0xf_ffff];
pub(crate) const TTLS: [u8; 6] = [0, 1, 2, 3, 64, 255];
/// EtherTypes of frames that no field beyond them can be read of: experimental, LLDP, PBB, a length.
pub(crate) const OTHER_TYPES: [u16; 5] = [0x88b5, 0x88cc, 0x8870, 0x0600, 0xffff];

/// One of eight unicast addresses, or now and then a group address.
pub(crate) fn mac(r: &mut Rng) -> [u8; 6] {
    let host = [2, 0, SALT[0], SALT[1], 0, r.below(8) as u8];
    match r.below(16) {
        0 => [0xff; 6],
        1 => [1, 0, 0x5e, 0, 0, 0xfb],
        2 => [1, 0x80, 0xc2, 0, 0, r.pick(&[0, 0xe, 0x10])],
        _ => host,
    }
}

/// A source address. Each belongs to one port in what it begins with, but addresses do move.
pub(crate) fn source(r: &mut Rng, port: usize) -> [u8; 6] {
    let n = if r.chance(80) { port * 2 + r.below(2) } else { r.below(8) };
    [2, 0, SALT[0], SALT[1], 0, n as u8 & 7]
}

/// An address for the inside of packets; it is never learned.
pub(crate) fn inner_mac(r: &mut Rng) -> [u8; 6] {
    [2, 0x11, 0, 0, 0, r.below(4) as u8]
}

pub(crate) fn ipv6(r: &mut Rng) -> [u8; 16] {
    let mut a = [0; 16];
    match r.below(8) {
        0 => a[..2].copy_from_slice(&[0xff, 2]),
        1 => a[..2].copy_from_slice(&[0xfe, 0x80]),
        _ => a[..4].copy_from_slice(&[0xfd, 0, 0, r.below(2) as u8]),
    }
    a[15] = 1 + r.below(3) as u8;
    a
}

pub(crate) fn mac_text(a: [u8; 6]) -> String {
    a.map(|b| format!("{b:02x}")).join(":")
}

pub(crate) fn ipv4_text(a: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(a).to_string()
}

pub(crate) fn ipv6_text(a: [u8; 16]) -> String {
    std::net::Ipv6Addr::from(a).to_string()
}

/// The same text or bytes with the case's [`SALT`] replaced.
pub(crate) fn salt_text(text: &str, from: [u8; 2], to: [u8; 2]) -> String {
    let word = |s: [u8; 2]| format!("02:00:{:02x}:{:02x}", s[0], s[1]);
    text.replace(&word(from), &word(to))
}

pub(crate) fn salt_bytes(bytes: &[u8], from: [u8; 2], to: [u8; 2]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for i in 0..out.len().saturating_sub(4) {
        if out[i..i + 4] == [2, 0, from[0], from[1]] {
            out[i + 2..i + 4].copy_from_slice(&to);
        }
    }
    out
}
