//! Frames for tests: built by etherparse where it knows the protocol, and checksums computed the
//! slow and plain way, to compare with.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use etherparse::{PacketBuilder, VlanId};

/// What a frame carries behind its IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4 {
    Tcp,
    Udp,
    Icmp,
    Nd,
    Sctp,
}

/// A frame in words.
#[derive(Clone, Debug)]
pub struct Spec {
    pub vlans: Vec<u16>,
    /// IPv4 or IPv6.
    pub v6: bool,
    pub l4: L4,
    pub src: [u8; 16],
    pub dst: [u8; 16],
    pub ttl: u8,
    pub ports: (u16, u16),
    pub payload: Vec<u8>,
}

pub const SRC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const DST: [u8; 6] = [2, 0, 0, 0, 0, 2];

impl Spec {
    pub fn new(v6: bool, l4: L4) -> Self {
        Self {
            vlans: Vec::new(),
            v6,
            l4,
            src: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            dst: [10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
            ttl: 64,
            ports: (1000, 2000),
            payload: b"payload!".to_vec(),
        }
    }

    /// The frame, with good checksums.
    pub fn build(&self) -> Vec<u8> {
        let mut frame = self.untagged();
        for (i, tci) in self.vlans.iter().rev().enumerate() {
            // Service tags outside, a customer tag innermost.
            let tpid: u16 = if i == 0 { 0x8100 } else { 0x88a8 };
            let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
            frame.splice(12..12, tag);
        }
        frame
    }

    fn untagged(&self) -> Vec<u8> {
        let eth = PacketBuilder::ethernet2(SRC, DST);
        let first = |a: [u8; 16]| [a[0], a[1], a[2], a[3]];
        let ip = if self.v6 {
            eth.ipv6(self.src, self.dst, self.ttl)
        } else {
            eth.ipv4(first(self.src), first(self.dst), self.ttl)
        };
        let mut out = Vec::new();
        let done = match self.l4 {
            L4::Tcp => ip.tcp(self.ports.0, self.ports.1, 7, 1024).write(&mut out, &self.payload),
            L4::Udp => ip.udp(self.ports.0, self.ports.1).write(&mut out, &self.payload),
            L4::Icmp if self.v6 => {
                ip.icmpv6_raw(128, 0, [0, 1, 0, 2]).write(&mut out, &self.payload)
            }
            L4::Icmp => ip.icmpv4_echo_request(1, 2).write(&mut out, &self.payload),
            L4::Nd => {
                let mut message = self.dst.to_vec();
                message.extend([1, 1, 2, 0, 0, 0, 0, 1]);
                message.extend([2, 1, 2, 0, 0, 0, 0, 2]);
                ip.icmpv6_raw(135, 0, [0; 4]).write(&mut out, &message)
            }
            L4::Sctp => {
                let mut message = Vec::new();
                message.extend(self.ports.0.to_be_bytes());
                message.extend(self.ports.1.to_be_bytes());
                message.extend([0; 8]);
                message.extend(&self.payload);
                let crc = crc32c(&message).to_le_bytes();
                message[8..12].copy_from_slice(&crc);
                ip.write(&mut out, etherparse::IpNumber::SCTP, &message)
            }
        };
        done.expect("an IP packet of this size can be built");
        out
    }
}

/// A request for 10.0.0.2 by 10.0.0.1.
pub fn arp() -> Vec<u8> {
    use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType};
    let packet = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &SRC,
        &[10, 0, 0, 1],
        &[0; 6],
        &[10, 0, 0, 2],
    );
    let mut out = Vec::new();
    let vlan = VlanId::try_new(5).expect("5 is a VLAN");
    PacketBuilder::ethernet2(SRC, [0xff; 6])
        .single_vlan(vlan)
        .arp(packet.expect("lengths fit"))
        .write(&mut out)
        .expect("it fits into a Vec");
    out
}

/// CRC32c, a bit at a time (RFC 9260 appendix A).
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for b in bytes {
        crc ^= u32::from(*b);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

/// Ones' complement sum of 16-bit words, folded.
pub fn sum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)));
    let mut s: u32 = words.sum();
    while s > 0xffff {
        s = (s & 0xffff) + (s >> 16);
    }
    s as u16
}

/// The pseudo-header's sum for the IP packet at `l3`, transport at `l4`, to the frame's end.
pub fn pseudo_sum(frame: &[u8], l3: usize, l4: usize) -> u16 {
    let v6 = frame[l3] >> 4 == 6;
    let mut bytes = frame[if v6 { l3 + 8..l3 + 40 } else { l3 + 12..l3 + 20 }].to_vec();
    bytes.extend(((frame.len() - l4) as u32).to_be_bytes());
    bytes.extend([0, if v6 { frame[l3 + 6] } else { frame[l3 + 9] }]);
    sum(&bytes)
}

/// Where the transport checksum of `l4` is.
pub fn csum_offset(l4: L4) -> usize {
    match l4 {
        L4::Tcp => 16,
        L4::Udp => 6,
        L4::Icmp | L4::Nd => 2,
        L4::Sctp => 8,
    }
}

/// Whether the frame's IP header checksum and its transport checksum are right.
pub fn checksums(frame: &[u8], l3: usize, l4: usize, kind: L4) -> (bool, bool) {
    let v6 = frame[l3] >> 4 == 6;
    let header = v6 || sum(&frame[l3..l3 + 20]) == 0xffff;
    let message = &frame[l4..];
    let transport = match kind {
        L4::Sctp => {
            let mut zeroed = message.to_vec();
            zeroed[8..12].fill(0);
            crc32c(&zeroed).to_le_bytes() == message[8..12]
        }
        L4::Icmp if !v6 => sum(message) == 0xffff,
        _ => {
            let parts = [pseudo_sum(frame, l3, l4).to_be_bytes(), sum(message).to_be_bytes()];
            sum(&parts.concat()) == 0xffff
        }
    };
    (header, transport)
}
