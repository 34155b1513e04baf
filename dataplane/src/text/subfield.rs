//! Ranges of bits in a field, `NXM_NX_REG0[0..15]`, as `load` and `move` name them (ovs-actions(7)).

use super::error::ParseError;
use super::names::{self, Need};
use super::value;
use crate::flow::{Field, Match};

/// Names of fields in NXM and OXM form, and what must be matched beside them. Of those of one field
/// the first whose need the match fulfils is printed.
const NAMES: &[(&str, Field, Need)] = &[
    ("OXM_OF_IN_PORT", Field::InPort, Need::Nothing),
    ("OXM_OF_IN_PHY_PORT", Field::InPhyPort, Need::Nothing),
    ("OXM_OF_METADATA", Field::Metadata, Need::Nothing),
    ("NXM_NX_TUN_ID", Field::TunId, Need::Nothing),
    ("OXM_OF_TUNNEL_ID", Field::TunId, Need::Nothing),
    ("NXM_NX_TUN_IPV4_SRC", Field::TunSrc, Need::Nothing),
    ("NXM_NX_TUN_IPV4_DST", Field::TunDst, Need::Nothing),
    ("NXM_NX_TUN_IPV6_SRC", Field::TunIpv6Src, Need::Nothing),
    ("NXM_NX_TUN_IPV6_DST", Field::TunIpv6Dst, Need::Nothing),
    ("NXM_OF_ETH_DST", Field::EthDst, Need::Nothing),
    ("OXM_OF_ETH_DST", Field::EthDst, Need::Nothing),
    ("NXM_OF_ETH_SRC", Field::EthSrc, Need::Nothing),
    ("OXM_OF_ETH_SRC", Field::EthSrc, Need::Nothing),
    ("NXM_OF_ETH_TYPE", Field::EthType, Need::Nothing),
    ("OXM_OF_ETH_TYPE", Field::EthType, Need::Nothing),
    ("NXM_OF_VLAN_TCI", Field::VlanTci, Need::Nothing),
    ("OXM_OF_VLAN_VID", Field::VlanVid, Need::Vlan),
    ("OXM_OF_VLAN_PCP", Field::VlanPcp, Need::Vlan),
    ("OXM_OF_MPLS_LABEL", Field::MplsLabel, Need::Mpls),
    ("OXM_OF_MPLS_TC", Field::MplsTc, Need::Mpls),
    ("OXM_OF_MPLS_BOS", Field::MplsBos, Need::Mpls),
    ("NXM_NX_MPLS_TTL", Field::MplsTtl, Need::Mpls),
    ("OXM_OF_PBB_ISID", Field::PbbIsid, Need::Pbb),
    ("NXM_OF_IP_PROTO", Field::IpProto, Need::Ip),
    ("OXM_OF_IP_PROTO", Field::IpProto, Need::Ip),
    ("OXM_OF_IP_DSCP", Field::IpDscp, Need::Ip),
    ("NXM_NX_IP_ECN", Field::IpEcn, Need::Ip),
    ("OXM_OF_IP_ECN", Field::IpEcn, Need::Ip),
    ("NXM_NX_IP_TTL", Field::IpTtl, Need::Ip),
    ("NXM_NX_IP_FRAG", Field::IpFrag, Need::Ip),
    ("NXM_OF_IP_SRC", Field::Ipv4Src, Need::Ipv4),
    ("OXM_OF_IPV4_SRC", Field::Ipv4Src, Need::Ipv4),
    ("NXM_OF_IP_DST", Field::Ipv4Dst, Need::Ipv4),
    ("OXM_OF_IPV4_DST", Field::Ipv4Dst, Need::Ipv4),
    ("NXM_NX_IPV6_SRC", Field::Ipv6Src, Need::Ipv6),
    ("OXM_OF_IPV6_SRC", Field::Ipv6Src, Need::Ipv6),
    ("NXM_NX_IPV6_DST", Field::Ipv6Dst, Need::Ipv6),
    ("OXM_OF_IPV6_DST", Field::Ipv6Dst, Need::Ipv6),
    ("NXM_NX_IPV6_LABEL", Field::Ipv6Label, Need::Ipv6),
    ("OXM_OF_IPV6_FLABEL", Field::Ipv6Label, Need::Ipv6),
    ("OXM_OF_IPV6_EXTHDR", Field::Ipv6Exthdr, Need::Ipv6),
    ("NXM_OF_TCP_SRC", Field::TpSrc, Need::Tcp),
    ("OXM_OF_TCP_SRC", Field::TpSrc, Need::Tcp),
    ("NXM_OF_TCP_DST", Field::TpDst, Need::Tcp),
    ("OXM_OF_TCP_DST", Field::TpDst, Need::Tcp),
    ("NXM_OF_UDP_SRC", Field::TpSrc, Need::Udp),
    ("OXM_OF_UDP_SRC", Field::TpSrc, Need::Udp),
    ("NXM_OF_UDP_DST", Field::TpDst, Need::Udp),
    ("OXM_OF_UDP_DST", Field::TpDst, Need::Udp),
    ("OXM_OF_SCTP_SRC", Field::TpSrc, Need::Sctp),
    ("OXM_OF_SCTP_DST", Field::TpDst, Need::Sctp),
    ("NXM_NX_TCP_FLAGS", Field::TcpFlags, Need::Tcp),
    ("NXM_NX_ICMPV6_TYPE", Field::IcmpType, Need::Icmpv6),
    ("OXM_OF_ICMPV6_TYPE", Field::IcmpType, Need::Icmpv6),
    ("NXM_NX_ICMPV6_CODE", Field::IcmpCode, Need::Icmpv6),
    ("OXM_OF_ICMPV6_CODE", Field::IcmpCode, Need::Icmpv6),
    ("NXM_OF_ICMP_TYPE", Field::IcmpType, Need::AnyIcmp),
    ("OXM_OF_ICMPV4_TYPE", Field::IcmpType, Need::AnyIcmp),
    ("NXM_OF_ICMP_CODE", Field::IcmpCode, Need::AnyIcmp),
    ("OXM_OF_ICMPV4_CODE", Field::IcmpCode, Need::AnyIcmp),
    ("NXM_OF_ARP_OP", Field::ArpOp, Need::Arp),
    ("OXM_OF_ARP_OP", Field::ArpOp, Need::Arp),
    ("NXM_OF_ARP_SPA", Field::ArpSpa, Need::Arp),
    ("OXM_OF_ARP_SPA", Field::ArpSpa, Need::Arp),
    ("NXM_OF_ARP_TPA", Field::ArpTpa, Need::Arp),
    ("OXM_OF_ARP_TPA", Field::ArpTpa, Need::Arp),
    ("NXM_NX_ARP_SHA", Field::ArpSha, Need::Arp),
    ("OXM_OF_ARP_SHA", Field::ArpSha, Need::Arp),
    ("NXM_NX_ARP_THA", Field::ArpTha, Need::Arp),
    ("OXM_OF_ARP_THA", Field::ArpTha, Need::Arp),
    ("NXM_NX_ND_TARGET", Field::NdTarget, Need::Nd),
    ("OXM_OF_IPV6_ND_TARGET", Field::NdTarget, Need::Nd),
    ("NXM_NX_ND_SLL", Field::NdSll, Need::NdSolicit),
    ("OXM_OF_IPV6_ND_SLL", Field::NdSll, Need::NdSolicit),
    ("NXM_NX_ND_TLL", Field::NdTll, Need::NdAdvert),
    ("OXM_OF_IPV6_ND_TLL", Field::NdTll, Need::NdAdvert),
];

/// The old name of the ingress port: its lower 16 bits, as in OpenFlow 1.0.
const IN_PORT_16: &str = "NXM_OF_IN_PORT";
/// What the names of registers begin with.
const REGISTER: &str = "NXM_NX_REG";

/// Bits of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subfield {
    pub field: Field,
    pub bit: u16,
    pub bits: u16,
    pub need: Need,
}

/// Bits of the field as it is known to `load` and `move`: the VID goes without its present bit.
fn width(field: Field) -> u16 {
    if field == Field::VlanVid { 12 } else { field.bits() as u16 }
}

/// The field, its width under this name, and what must be matched beside it.
fn named(name: &str) -> Option<(Field, u16, Need)> {
    if name == IN_PORT_16 {
        return Some((Field::InPort, 16, Need::Nothing));
    }
    let register = name.strip_prefix(REGISTER).map(|number| format!("reg{number}"));
    let found = NAMES.iter().find(|n| n.0 == name).map(|n| (n.1, n.2));
    found
        .or_else(|| names::field(register.as_deref().unwrap_or(name)))
        .map(|(field, need)| (field, width(field), need))
}

/// `NAME`, `NAME[]`, `NAME[BIT]` or `NAME[FIRST..LAST]`.
pub(super) fn parse(token: &str, text: &str) -> Result<Subfield, ParseError> {
    let error = |problem: String| ParseError::new(token, problem);
    let (name, range) = match text.split_once('[') {
        None => (text, ""),
        Some((name, rest)) => match rest.strip_suffix(']') {
            Some(range) => (name, range),
            None => return Err(error("expected a final ]".to_owned())),
        },
    };
    let (field, width, need) =
        named(name).ok_or_else(|| error(format!("unknown field \"{name}\"")))?;
    let (first, last) = match range.split_once("..") {
        _ if range.is_empty() => (0, width - 1),
        None => {
            let bit = value::bounded(token, range, 16)? as u16;
            (bit, bit)
        }
        Some((first, last)) => {
            (value::bounded(token, first, 16)? as u16, value::bounded(token, last, 16)? as u16)
        }
    };
    if first > last || last >= width {
        return Err(error(format!("{name} has the bits 0 to {}", width - 1)));
    }
    // The old names for ARP's fields are for matches only.
    let need = if need == Need::Ipv4OrArp { Need::Ipv4 } else { need };
    Ok(Subfield { field, bit: first, bits: last - first + 1, need })
}

/// Bits of a field, as Open vSwitch prints them in an action of a rule with this match.
pub(super) fn format(field: Field, bit: u16, bits: u16, matching: &Match) -> String {
    let of_field = || NAMES.iter().filter(|n| n.1 == field);
    let name = of_field().find(|n| n.2.check("", matching).is_ok()).or_else(|| of_field().next());
    let (name, width) = match name {
        Some(_) if field == Field::InPort && bit + bits <= 16 => (IN_PORT_16.to_owned(), 16),
        Some(name) => (name.0.to_owned(), width(field)),
        None => match field.name().strip_prefix("reg") {
            Some(number) => (format!("{REGISTER}{number}"), width(field)),
            None => (field.name().to_owned(), width(field)),
        },
    };
    match (bit, bits) {
        (0, bits) if bits == width => format!("{name}[]"),
        (bit, 1) => format!("{name}[{bit}]"),
        (bit, bits) => format!("{name}[{bit}..{}]", u32::from(bit) + u32::from(bits) - 1),
    }
}
