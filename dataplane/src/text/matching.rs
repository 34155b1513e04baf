//! Matches as text.

use super::error::ParseError;
use super::names::{self, Need, PROTOCOLS, PortNames};
use super::value;
use crate::flow::field::REGS;
use crate::flow::key::{FlowKey, VLAN_PRESENT};
use crate::flow::{Field, Mask, Match};
use crate::wire::{ethernet, ipv4, ipv6};
use std::fmt::Write;

/// The present bit, as in values of [`Field::VlanVid`] and [`Field::VlanTci`].
const PRESENT: u128 = VLAN_PRESENT as u128;
/// Bits of the VID.
const VID: u128 = 0xfff;

/// Builds a match from its parts: first the protocols, then the fields that need them, so that the
/// order in the text does not matter.
pub(super) fn parse(parts: &[&str], ports: PortNames<'_>) -> Result<Match, ParseError> {
    let mut m = Match::default();
    let mut later = Vec::new();
    for part in parts {
        let (name, text) = match part.split_once('=') {
            Some((name, text)) => (name, Some(text)),
            None => (*part, None),
        };
        if let Some((_, eth_type, proto)) = PROTOCOLS.iter().find(|p| p.0 == name) {
            if text.is_some() {
                return Err(ParseError::new(part, "a protocol's shorthand takes no value"));
            }
            set(&mut m, part, Field::EthType, (*eth_type).into(), Field::EthType.max())?;
            if let Some(proto) = proto {
                set(&mut m, part, Field::IpProto, (*proto).into(), Field::IpProto.max())?;
            }
            continue;
        }
        let Some(text) = text.filter(|t| !t.is_empty()) else {
            let problem = if known(name) { "needs a value" } else { "unknown field or flag" };
            return Err(ParseError::new(part, problem));
        };
        later.push((*part, name, text));
    }
    // A field goes behind those that its prerequisite looks at.
    later.sort_by_key(|(_, name, _)| match *name {
        "dl_type" | "eth_type" => 0,
        "nw_proto" | "ip_proto" => 1,
        "nd_target" | "nd_sll" | "nd_tll" => 3,
        _ => 2,
    });
    for (part, name, text) in later {
        field(&mut m, part, name, text, ports)?;
    }
    Ok(m)
}

/// Whether a match may hold this name.
fn known(name: &str) -> bool {
    matches!(name, "dl_vlan" | "dl_vlan_pcp" | "nw_tos") || names::field(name).is_some()
}

/// Adds to the match; fails if that contradicts it, so that no packet could match.
fn set(m: &mut Match, part: &str, field: Field, value: u128, mask: u128) -> Result<(), ParseError> {
    let (old_value, old_mask) = (field.read(&m.key), field.read(&m.mask.0));
    if (old_value ^ value) & old_mask & mask != 0 {
        return Err(ParseError::new(part, "contradicts another part of the match"));
    }
    field.write_masked(&mut m.key, value & mask, mask);
    field.write(&mut m.mask.0, old_mask | mask);
    Ok(())
}

fn field(
    m: &mut Match,
    part: &str,
    name: &str,
    text: &str,
    ports: PortNames<'_>,
) -> Result<(), ParseError> {
    let tci = Field::VlanTci;
    let (field, value, mask) = match name {
        "dl_vlan" => match value::bounded(part, text, 16)? {
            // No tag (`OFP_VLAN_NONE` of OpenFlow 1.0).
            0xffff => (tci, 0, PRESENT | VID),
            v if v <= VID => (tci, PRESENT | v, PRESENT | VID),
            _ => return Err(ParseError::new(part, "expected a VLAN of 0 to 4095, or 0xffff")),
        },
        "dl_vlan_pcp" | "vlan_pcp" => {
            let pcp = value::bounded(part, text, 3)?;
            (tci, PRESENT | pcp << 13, PRESENT | 7 << 13)
        }
        "vlan_tci" => match value::parse(part, tci, text, ports)? {
            // No tag: the one form for it that OpenFlow 1.3 has too.
            (0, 0xffff) => (tci, 0, PRESENT | VID),
            (value, mask) => (tci, value, mask),
        },
        "vlan_vid" => {
            let (value, mask) = value::parse(part, Field::VlanVid, text, ports)?;
            if value != 0 && value & PRESENT == 0 && mask & PRESENT != 0 {
                let problem = "no packet has a VLAN without the present bit 0x1000; expected \
                               vlan_vid=0x1000 + VLAN, or dl_vlan=VLAN";
                return Err(ParseError::new(part, problem));
            }
            (Field::VlanVid, value, mask)
        }
        "nw_tos" => {
            Need::Ip.check(part, m)?;
            let tos = value::bounded(part, text, 8)?;
            if tos & 3 != 0 {
                let expected = "expected a TOS with its two lowest bits (ECN) clear; see nw_ecn";
                return Err(ParseError::new(part, expected));
            }
            (Field::IpDscp, tos >> 2, Field::IpDscp.max())
        }
        _ => {
            let (field, need) = named(m, part, name)?;
            need.check(part, m)?;
            let (value, mask) = value::parse(part, field, text, ports)?;
            (field, value, mask)
        }
    };
    set(m, part, field, value, mask)
}

/// The field that a name means in this match: in old syntax ICMP's fields have the names of ports.
fn named(m: &Match, part: &str, name: &str) -> Result<(Field, Need), ParseError> {
    let is_icmp = Need::AnyIcmp.check(part, m).is_ok();
    match name {
        "tp_src" if is_icmp => Ok((Field::IcmpType, Need::AnyIcmp)),
        "tp_dst" if is_icmp => Ok((Field::IcmpCode, Need::AnyIcmp)),
        _ => names::field(name).ok_or_else(|| ParseError::new(part, "unknown field")),
    }
}

/// A match in the words and the order of `ovs-ofctl dump-flows`; empty if it matches everything.
#[must_use]
pub fn format_match(m: &Match) -> String {
    let mut out = Writer { m, text: String::new() };
    out.all();
    out.text
}

/// A key's fields that are not zero, comma-separated.
#[must_use]
pub fn format_key(key: &FlowKey) -> String {
    let mut mask = Mask::default();
    for &field in Field::ALL {
        let exact = if field.read(key) == 0 { 0 } else { field.max() };
        field.write(&mut mask.0, exact);
    }
    // These share their bytes with narrower fields that have just been written.
    for field in [Field::VlanTci, Field::TpSrc, Field::TpDst] {
        let exact = if field.read(key) == 0 { 0 } else { field.max() };
        field.write(&mut mask.0, exact);
    }
    format_match(&Match::new(key, &mask))
}

struct Writer<'a> {
    m: &'a Match,
    text: String,
}

impl Writer<'_> {
    fn item(&mut self, args: std::fmt::Arguments<'_>) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        // Writing to a String does not fail.
        let _ = self.text.write_fmt(args);
    }

    fn field(&mut self, name: &str, field: Field) {
        let mask = field.read(&self.m.mask.0);
        if mask != 0 {
            let value = value::format(field, field.read(&self.m.key), mask);
            self.item(format_args!("{name}={value}"));
        }
    }

    fn all(&mut self) {
        let m = self.m;
        let exact = |f: Field| (f.read(&m.mask.0) == f.max()).then(|| f.read(&m.key) as u16);
        let eth = exact(Field::EthType);
        let is_ip = matches!(eth, Some(ethernet::IPV4 | ethernet::IPV6));
        let is_arp = matches!(eth, Some(ethernet::ARP | ethernet::RARP));
        let proto = exact(Field::IpProto).filter(|_| is_ip).map(|p| p as u8);
        let by = |proto: Option<u8>| PROTOCOLS.iter().find(|p| Some(p.1) == eth && p.2 == proto);
        let shorthand = by(proto).or_else(|| by(None));
        if let Some((name, ..)) = shorthand {
            self.item(format_args!("{name}"));
        }
        for field in REGS {
            self.field(field.name(), field);
        }
        for field in [
            Field::TunId,
            Field::TunSrc,
            Field::TunDst,
            Field::TunIpv6Src,
            Field::TunIpv6Dst,
            Field::TunTos,
            Field::TunTtl,
            Field::TunFlags,
            Field::Metadata,
            Field::InPort,
            Field::InPhyPort,
        ] {
            self.field(field.name(), field);
        }
        self.vlan();
        self.field("dl_src", Field::EthSrc);
        self.field("dl_dst", Field::EthDst);
        if shorthand.is_none() {
            self.field("dl_type", Field::EthType);
        }
        if eth == Some(ethernet::IPV6) {
            self.field("ipv6_src", Field::Ipv6Src);
            self.field("ipv6_dst", Field::Ipv6Dst);
            self.field("ipv6_label", Field::Ipv6Label);
            self.field("ipv6_exthdr", Field::Ipv6Exthdr);
        } else if is_arp {
            self.field("arp_spa", Field::ArpSpa);
            self.field("arp_tpa", Field::ArpTpa);
        } else {
            self.field("nw_src", Field::Ipv4Src);
            self.field("nw_dst", Field::Ipv4Dst);
        }
        if shorthand.is_none_or(|s| s.2.is_none()) {
            self.field(if is_arp { "arp_op" } else { "nw_proto" }, Field::IpProto);
        }
        if is_arp {
            self.field("arp_sha", Field::ArpSha);
            self.field("arp_tha", Field::ArpTha);
        }
        if Field::IpDscp.read(&m.mask.0) != 0 {
            self.item(format_args!("nw_tos={}", Field::IpDscp.read(&m.key) << 2));
        }
        self.field("nw_ecn", Field::IpEcn);
        self.field("nw_ttl", Field::IpTtl);
        self.field("nw_frag", Field::IpFrag);
        let icmpv6 = eth == Some(ethernet::IPV6) && proto == Some(ipv6::ICMPV6);
        if icmpv6 || (eth == Some(ethernet::IPV4) && proto == Some(ipv4::ICMP)) {
            self.field("icmp_type", Field::IcmpType);
            self.field("icmp_code", Field::IcmpCode);
            self.field("nd_target", Field::NdTarget);
            self.field("nd_sll", Field::NdSll);
            self.field("nd_tll", Field::NdTll);
        } else {
            self.field("tp_src", Field::TpSrc);
            self.field("tp_dst", Field::TpDst);
            self.field("tcp_flags", Field::TcpFlags);
        }
        for field in
            [Field::MplsLabel, Field::MplsTc, Field::MplsTtl, Field::MplsBos, Field::PbbIsid]
        {
            self.field(field.name(), field);
        }
    }

    fn vlan(&mut self) {
        let (value, mask) = (Field::VlanTci.read(&self.m.key), Field::VlanTci.read(&self.m.mask.0));
        let (vid, pcp) = (mask & VID, mask & 7 << 13);
        let whole = matches!(vid, 0 | VID) && matches!(pcp, 0 | 0xe000);
        if value & PRESENT == 0 || !whole || vid | pcp == 0 {
            self.field("vlan_tci", Field::VlanTci);
            return;
        }
        if vid != 0 {
            self.item(format_args!("dl_vlan={}", value & VID));
        }
        if pcp != 0 {
            self.item(format_args!("dl_vlan_pcp={}", value >> 13));
        }
    }
}
