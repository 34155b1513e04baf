//! Sets a header field in a frame and keeps the checksums right.
//!
//! Checksums are updated incrementally (RFC 1624, equation 3), never computed anew: one that arrived
//! bad leaves bad. A checksum that the sender's stack left unfinished ([`Checksum::Partial`]) holds
//! the pseudo-header's sum, so a new address is added to it and a new port is not. Only SCTP's
//! CRC32c has to be computed over the whole packet.

use super::apply::{pop_vlan, push_vlan};
use crate::drop::DropReason;
use crate::flow::extract::network_type;
use crate::flow::key::VLAN_PRESENT;
use crate::flow::{Field, Layout};
use crate::packet::{Checksum, Packet};
use crate::wire::{arp, at, at_mut, be16, ethernet, icmp, ipv4, ipv6, mpls, ports};

/// Sets the bits of `field` that `mask` selects to those of `value`.
///
/// Setting [`Field::VlanTci`] with its present bit pushes an 0x8100 tag if there is none; without,
/// under a mask that covers the bit, it pops one; so does Open vSwitch.
///
/// Fails with [`DropReason::BadAction`] if the frame does not have the field or it is no field of
/// a frame. A neighbour message without the link-layer address option is left as it is.
pub fn set_field(
    p: &mut Packet,
    layout: &mut Layout,
    field: Field,
    value: u128,
    mask: u128,
) -> Result<(), DropReason> {
    let set = Set { value: value & mask & field.max(), mask: mask & field.max() };
    edit(p, layout, field, set).ok_or(DropReason::BadAction)
}

/// Bits to set: `value` has none outside `mask`.
#[derive(Clone, Copy)]
pub(super) struct Set {
    pub(super) value: u128,
    pub(super) mask: u128,
}

impl Set {
    fn shifted(self, by: u32) -> Self {
        Self { value: self.value << by, mask: self.mask << by }
    }

    /// Writes into the `N` bytes at `offset` and returns what that adds to a checksum whose words
    /// count from `base`; 0 if nothing changes.
    pub(super) fn write<const N: usize>(
        self,
        data: &mut [u8],
        base: usize,
        offset: usize,
    ) -> Option<u32> {
        let bytes = at_mut::<N>(data, base + offset)?;
        let (value, mask) = (self.value.to_be_bytes(), self.mask.to_be_bytes());
        let mut delta = 0;
        for (i, b) in bytes.iter_mut().enumerate() {
            let new = *b & !mask[16 - N + i] | value[16 - N + i];
            if new != *b {
                let shift = if (offset + i).is_multiple_of(2) { 8 } else { 0 };
                delta += 0xffff - (u32::from(*b) << shift) + (u32::from(new) << shift);
                *b = new;
            }
        }
        Some(delta)
    }
}

/// Adds a [`Set::write`] to a ones' complement sum.
fn add(sum: u16, delta: u32) -> u16 {
    let s = u32::from(sum) + delta;
    let s = (s & 0xffff) + (s >> 16);
    ((s & 0xffff) + (s >> 16)) as u16
}

fn edit(p: &mut Packet, layout: &mut Layout, field: Field, set: Set) -> Option<()> {
    match field {
        Field::EthDst => set.write::<6>(p.data_mut(), 0, 0).map(drop),
        Field::EthSrc => set.write::<6>(p.data_mut(), 0, 6).map(drop),
        Field::VlanVid => vlan(p, Set { mask: set.mask & 0xfff, value: set.value & 0xfff }),
        Field::VlanPcp => vlan(p, set.shifted(13)),
        Field::VlanTci => vlan_tci(p, layout, set),
        Field::ArpOp | Field::ArpSpa | Field::ArpTpa | Field::ArpSha | Field::ArpTha => {
            arp(p, layout, field, set)
        }
        Field::IpDscp | Field::IpEcn | Field::IpTtl => ip(p, layout, field, set),
        Field::Ipv4Src | Field::Ipv4Dst => ipv4_address(p, layout, field, set),
        Field::Ipv6Label => {
            let l3 = network(p, layout, ethernet::IPV6)?;
            set.write::<4>(p.data_mut(), l3, 0).map(drop)
        }
        Field::Ipv6Src | Field::Ipv6Dst => ipv6_address(p, layout, field, set),
        Field::TpSrc | Field::TpDst => port(p, layout, field, set),
        Field::IcmpType | Field::IcmpCode => icmp(p, layout, field, set),
        Field::NdTarget | Field::NdSll | Field::NdTll => nd(p, layout, field, set),
        Field::EthType => eth_type(p, layout, set),
        Field::MplsLabel => mpls_entry(p, layout, set.shifted(mpls::LABEL_SHIFT)),
        Field::MplsTc => mpls_entry(p, layout, set.shifted(mpls::TC_SHIFT)),
        Field::MplsBos => mpls_entry(p, layout, set.shifted(mpls::BOTTOM.trailing_zeros())),
        Field::MplsTtl => mpls_entry(p, layout, set),
        Field::PbbIsid => {
            let is_pbb = layout.ethertype(p.data())? == ethernet::PBB;
            is_pbb.then(|| set.write::<4>(p.data_mut(), layout.l2_len(), 0))?.map(drop)
        }
        Field::IpProto => ip_proto(p, layout, set),
        // What the frame does not say, and what says how a packet was cut or is to be read.
        Field::InPort
        | Field::InPhyPort
        | Field::Metadata
        | Field::TunId
        | Field::TunSrc
        | Field::TunDst
        | Field::TunIpv6Src
        | Field::TunIpv6Dst
        | Field::TunTos
        | Field::TunTtl
        | Field::TunFlags
        | Field::IpFrag
        | Field::TcpFlags
        | Field::Ipv6Exthdr
        | Field::Reg0
        | Field::Reg1
        | Field::Reg2
        | Field::Reg3
        | Field::Reg4
        | Field::Reg5
        | Field::Reg6
        | Field::Reg7
        | Field::Reg8
        | Field::Reg9
        | Field::Reg10
        | Field::Reg11
        | Field::Reg12
        | Field::Reg13
        | Field::Reg14
        | Field::Reg15 => None,
    }
}

/// Only the type changes; what it says of the bytes behind it may be wrong. A frame that is still to be
/// cut is refused: nobody could find its headers any more.
fn eth_type(p: &mut Packet, layout: &mut Layout, set: Set) -> Option<()> {
    if p.offload.gso.is_some() {
        return None;
    }
    let place = match layout.ethertype(p.data())? {
        t if t >= ethernet::TYPE_MIN => layout.l2_len() - 2,
        // 802.2: the type is in the SNAP header, if there is one.
        _ => {
            ethernet::snap_type(p.data(), layout.l2_len())?;
            layout.l2_len() + ethernet::SNAP_LEN - 2
        }
    };
    set.write::<2>(p.data_mut(), place, 0)?;
    layout.find_network(p.data());
    Some(())
}

fn mpls_entry(p: &mut Packet, layout: &Layout, set: Set) -> Option<()> {
    let ethertype = layout.ethertype(p.data())?;
    if !matches!(ethertype, ethernet::MPLS | ethernet::MPLS_MULTICAST) {
        return None;
    }
    set.write::<4>(p.data_mut(), layout.l2_len(), 0).map(drop)
}

/// The number is part of the pseudo-header, so the checksum in the transport header follows, wherever
/// the old protocol has it. Refused where the old protocol is still needed: for a frame that is to be
/// cut, and for a later fragment over IPv6, whose protocol is not known.
fn ip_proto(p: &mut Packet, layout: &mut Layout, set: Set) -> Option<()> {
    if p.offload.gso.is_some() {
        return None;
    }
    let t = transport(p, layout);
    let delta = if let Some(l3) = network(p, layout, ethernet::IPV4) {
        let delta = set.write::<1>(p.data_mut(), l3, ipv4::PROTO)?;
        update(p.data_mut(), l3 + ipv4::CHECKSUM, delta)?;
        delta
    } else {
        let l3 = network(p, layout, ethernet::IPV6)?;
        let payload = l3 + ipv6::HEADER_LEN;
        let h = ipv6::Ipv6(at(p.data(), l3)?);
        let x = ipv6::extensions(h.next_header(), p.data().get(payload..)?)?;
        if x.later {
            return None;
        }
        let place = x.named_at.map_or(l3 + ipv6::NEXT_HEADER, |at| payload + at);
        // In the pseudo-header the number is the low byte of a word.
        set.write::<1>(p.data_mut(), place - 1, 1)?
    };
    // ICMP has no pseudo-header in IPv4.
    if let Some(t) = t.filter(|t| t.proto != ipv4::ICMP) {
        t.update(p, delta, Covers::Address)?;
    }
    layout.find_network(p.data());
    Some(())
}

fn vlan(p: &mut Packet, set: Set) -> Option<()> {
    let tagged = be16(p.data(), ethernet::TYPE).is_some_and(ethernet::is_vlan);
    if !tagged {
        return None;
    }
    set.write::<2>(p.data_mut(), ethernet::HEADER_LEN, 0).map(drop)
}

fn vlan_tci(p: &mut Packet, layout: &mut Layout, set: Set) -> Option<()> {
    let present = u128::from(VLAN_PRESENT);
    let tagged = layout.vlan_len != 0;
    // The key keeps the present bit where the frame has DEI.
    let tci = Set { value: set.value & !present, mask: set.mask & !present };
    match (set.mask & present != 0, set.value & present != 0) {
        (true, false) if tagged => pop_vlan(p, layout).ok(),
        (true, false) => Some(()),
        (true, true) if !tagged => push_vlan(p, layout, ethernet::VLAN, tci.value as u16).ok(),
        _ => vlan(p, tci),
    }
}

/// Offset of the network header if it is of this type.
fn network(p: &Packet, layout: &Layout, ethertype: u16) -> Option<usize> {
    (network_type(p.data(), layout.l3)? == ethertype).then_some(usize::from(layout.l3))
}

fn arp(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    let l3 = network(p, layout, ethernet::ARP).or_else(|| network(p, layout, ethernet::RARP))?;
    let data = p.data_mut();
    match field {
        // Opcodes above 255 are 0 in the key, so the high byte goes.
        Field::ArpOp => Set { mask: set.mask | 0xff00, ..set }.write::<2>(data, l3, arp::OP),
        Field::ArpSpa => set.write::<4>(data, l3, arp::SPA),
        Field::ArpTpa => set.write::<4>(data, l3, arp::TPA),
        Field::ArpSha => set.write::<6>(data, l3, arp::SHA),
        _ => set.write::<6>(data, l3, arp::THA),
    }
    .map(drop)
}

fn ip(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    if let Some(l3) = network(p, layout, ethernet::IPV4) {
        let data = p.data_mut();
        let delta = match field {
            Field::IpDscp => set.shifted(2).write::<1>(data, l3, ipv4::TOS),
            Field::IpEcn => set.write::<1>(data, l3, ipv4::TOS),
            _ => set.write::<1>(data, l3, ipv4::TTL),
        }?;
        return update(data, l3 + ipv4::CHECKSUM, delta);
    }
    let l3 = network(p, layout, ethernet::IPV6)?;
    let data = p.data_mut();
    match field {
        // The traffic class lies across the first two bytes, in bits 11-4.
        Field::IpDscp => set.shifted(6).write::<2>(data, l3, 0),
        Field::IpEcn => set.shifted(4).write::<2>(data, l3, 0),
        _ => set.write::<1>(data, l3, ipv6::HOP_LIMIT),
    }
    .map(drop)
}

fn ipv4_address(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    let l3 = network(p, layout, ethernet::IPV4)?;
    let offset = if field == Field::Ipv4Src { ipv4::SRC } else { ipv4::DST };
    let delta = set.write::<4>(p.data_mut(), l3, offset)?;
    update(p.data_mut(), l3 + ipv4::CHECKSUM, delta)?;
    match transport(p, layout) {
        // ICMP has no pseudo-header in IPv4.
        Some(t) if t.proto != ipv4::ICMP => t.update(p, delta, Covers::Address),
        _ => Some(()),
    }
}

fn ipv6_address(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    let l3 = network(p, layout, ethernet::IPV6)?;
    let offset = if field == Field::Ipv6Src { ipv6::SRC } else { ipv6::DST };
    let delta = set.write::<16>(p.data_mut(), l3, offset)?;
    match transport(p, layout) {
        // Of a source-routed packet the checksum covers the last destination, in the routing header.
        Some(t) if field == Field::Ipv6Src || !t.routed => t.update(p, delta, Covers::Address),
        _ => Some(()),
    }
}

fn port(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    let t = transport(p, layout)?;
    let offset = if field == Field::TpSrc { ports::SRC } else { ports::DST };
    match t.proto {
        ipv4::TCP | ipv4::UDP => {
            let delta = set.write::<2>(p.data_mut(), t.start, offset)?;
            t.update(p, delta, Covers::Transport)
        }
        ipv4::SCTP => {
            let message = p.data_mut().get_mut(t.start..t.end)?;
            let was_good = sctp_crc(message)? == *at::<4>(message, ports::SCTP_CHECKSUM)?;
            set.write::<2>(message, 0, offset)?;
            if was_good {
                *at_mut(message, ports::SCTP_CHECKSUM)? = sctp_crc(message)?;
            }
            Some(())
        }
        _ => None,
    }
}

fn icmp(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    let t = transport(p, layout)?;
    if !matches!(t.proto, ipv4::ICMP | ipv6::ICMPV6) {
        return None;
    }
    let offset = if field == Field::IcmpType { icmp::TYPE } else { icmp::CODE };
    let delta = set.write::<1>(p.data_mut(), t.start, offset)?;
    t.update(p, delta, Covers::Transport)
}

fn nd(p: &mut Packet, layout: &Layout, field: Field, set: Set) -> Option<()> {
    let t = transport(p, layout)?;
    let message = p.data_mut().get_mut(t.start..t.end)?;
    if t.proto != ipv6::ICMPV6 || !icmp::is_nd(message) {
        return None;
    }
    let options = icmp::nd_options(message)?;
    let place = match field {
        Field::NdTarget => Some(icmp::ND_TARGET),
        Field::NdSll => options.sll,
        _ => options.tll,
    };
    let Some(place) = place else {
        return Some(());
    };
    let delta = match field {
        Field::NdTarget => set.write::<16>(message, 0, place),
        _ => set.write::<6>(message, 0, place),
    }?;
    t.update(p, delta, Covers::Transport)
}

/// The transport header and what its checksum needs.
struct Transport {
    proto: u8,
    start: usize,
    /// Where the IP packet ends.
    end: usize,
    /// See [`ipv6::Extensions::routed`].
    routed: bool,
}

/// What a change touched: the pseudo-header or the transport header itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Covers {
    Address,
    Transport,
}

fn transport(p: &Packet, layout: &Layout) -> Option<Transport> {
    if layout.l4 == 0 {
        return None;
    }
    let (l3, start) = (usize::from(layout.l3), usize::from(layout.l4));
    let data = p.data();
    match network_type(data, layout.l3)? {
        ethernet::IPV4 => {
            let h = ipv4::Ipv4(at(data, l3)?);
            Some(Transport { proto: h.proto(), start, end: l3 + h.total_len(), routed: false })
        }
        ethernet::IPV6 => {
            let h = ipv6::Ipv6(at(data, l3)?);
            let end = l3 + ipv6::HEADER_LEN + h.payload_len();
            let x = ipv6::extensions(h.next_header(), data.get(l3 + ipv6::HEADER_LEN..end)?)?;
            Some(Transport { proto: x.proto, start, end, routed: x.routed })
        }
        _ => None,
    }
}

impl Transport {
    /// Brings the checksum up to date.
    fn update(&self, p: &mut Packet, delta: u32, covers: Covers) -> Option<()> {
        let field = self.start
            + match self.proto {
                ipv4::TCP => ports::TCP_CHECKSUM,
                ipv4::UDP => ports::UDP_CHECKSUM,
                ipv4::ICMP | ipv6::ICMPV6 => icmp::CHECKSUM,
                _ => return Some(()),
            };
        let partial = matches!(
            p.offload.csum,
            Checksum::Partial { start, .. } if usize::from(start) == self.start
        );
        let data = p.data_mut();
        if partial {
            if covers == Covers::Address {
                let sum = at_mut::<2>(data, field)?;
                *sum = add(u16::from_be_bytes(*sum), delta).to_be_bytes();
            }
            return Some(());
        }
        if self.proto == ipv4::UDP {
            // RFC 768: zero means that the sender made no checksum; a sum of zero is sent as ones.
            if be16(data, field)? == 0 {
                return Some(());
            }
            update(data, field, delta)?;
            if be16(data, field)? == 0 {
                *at_mut(data, field)? = [0xff, 0xff];
            }
            return Some(());
        }
        update(data, field, delta)
    }
}

/// Updates a complemented Internet checksum: HC' = ~(~HC + ~m + m').
pub(super) fn update(data: &mut [u8], field: usize, delta: u32) -> Option<()> {
    if delta != 0 {
        let sum = at_mut::<2>(data, field)?;
        *sum = (!add(!u16::from_be_bytes(*sum), delta)).to_be_bytes();
    }
    Some(())
}

/// CRC32c of an SCTP packet with its checksum field taken as zero, as it goes into that field.
fn sctp_crc(message: &[u8]) -> Option<[u8; 4]> {
    let (head, rest) = message.split_at_checked(ports::SCTP_CHECKSUM)?;
    let crc = crc32c(crc32c(!0, head), &[0; 4]);
    Some((!crc32c(crc, rest.get(4..)?)).to_le_bytes())
}

fn crc32c(mut crc: u32, bytes: &[u8]) -> u32 {
    for b in bytes {
        crc = CRC32C[usize::from(crc as u8 ^ b)] ^ crc >> 8;
    }
    crc
}

/// Remainders of all bytes by the Castagnoli polynomial, bits reversed (RFC 9260 appendix A).
const CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};
