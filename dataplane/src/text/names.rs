//! Names of fields, protocols and ports, and what a match must hold beside a field.

use super::error::ParseError;
use crate::flow::key::VLAN_PRESENT;
use crate::flow::{Field, Match};
use crate::state::OfPort;
use crate::wire::{ethernet, ipv4, ipv6};

/// What a match must say before a field can be matched or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Vlan,
    Arp,
    Ip,
    Ipv4,
    Ipv6,
    /// `nw_src` and `nw_dst` also mean ARP's addresses, in Open vSwitch's old syntax.
    Ipv4OrArp,
    /// The same for `nw_proto`.
    IpOrArp,
    Tcp,
    Udp,
    Sctp,
    /// TCP, UDP or SCTP.
    Ports,
    Icmpv6,
    /// ICMP or ICMPv6.
    AnyIcmp,
    Nd,
    NdSolicit,
    NdAdvert,
    Mpls,
    Pbb,
}

impl Need {
    /// What is missing, in the words of a match.
    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Vlan => {
                "a VLAN tag (dl_vlan=..., vlan_vid=0x1000/0x1000 or a push_vlan before it)"
            }
            Self::Arp => "arp or rarp (dl_type=0x0806 or 0x8035)",
            Self::Ip => "ip or ipv6 (dl_type=0x0800 or 0x86dd)",
            Self::Ipv4 => "ip (dl_type=0x0800)",
            Self::Ipv6 => "ipv6 (dl_type=0x86dd)",
            Self::Ipv4OrArp => "ip or arp (dl_type=0x0800 or 0x0806)",
            Self::IpOrArp => "ip, ipv6 or arp (dl_type=0x0800, 0x86dd or 0x0806)",
            Self::Tcp => "tcp or tcp6 (dl_type and nw_proto=6)",
            Self::Udp => "udp or udp6 (dl_type and nw_proto=17)",
            Self::Sctp => "sctp or sctp6 (dl_type and nw_proto=132)",
            Self::Ports => "tcp, tcp6, udp, udp6, sctp or sctp6 (dl_type and nw_proto)",
            Self::Icmpv6 => "icmp6 (dl_type=0x86dd,nw_proto=58)",
            Self::AnyIcmp => "icmp or icmp6 (dl_type and nw_proto)",
            Self::Nd => "icmp6,icmp_type=135 or icmp6,icmp_type=136, with icmp_code=0 or none",
            Self::NdSolicit => "icmp6,icmp_type=135, with icmp_code=0 or none",
            Self::NdAdvert => "icmp6,icmp_type=136, with icmp_code=0 or none",
            Self::Mpls => "mpls or mplsm (dl_type=0x8847 or 0x8848)",
            Self::Pbb => "dl_type=0x88e7",
        }
    }

    /// Fails, naming what is missing, unless all packets of `m` have the field.
    pub(super) fn check(self, token: &str, m: &Match) -> Result<(), ParseError> {
        if self.met(m) {
            return Ok(());
        }
        let problem = format!("needs {} in the match", self.words());
        Err(ParseError::new(token, problem))
    }

    fn met(self, m: &Match) -> bool {
        let eth = m.mask.0.eth_type.get() == u16::MAX;
        let eth = if eth { m.key.eth_type.get() } else { 0 };
        let is_ip = matches!(eth, ethernet::IPV4 | ethernet::IPV6);
        let is_arp = matches!(eth, ethernet::ARP | ethernet::RARP);
        let proto = (is_ip && m.mask.0.ip_proto == u8::MAX).then_some(m.key.ip_proto);
        let icmp = eth == ethernet::IPV4 && proto == Some(ipv4::ICMP);
        let icmpv6 = eth == ethernet::IPV6 && proto == Some(ipv6::ICMPV6);
        let nd = |types: &[u128]| {
            let code = Field::IcmpCode;
            icmpv6
                && types.contains(&Field::IcmpType.read(&m.key))
                && code.read(&m.mask.0) & code.read(&m.key) == 0
        };
        match self {
            Self::Nothing => true,
            Self::Vlan => m.key.has_vlan(),
            Self::Arp => is_arp,
            Self::Ip => is_ip,
            Self::Ipv4 => eth == ethernet::IPV4,
            Self::Ipv6 => eth == ethernet::IPV6,
            Self::Ipv4OrArp => eth == ethernet::IPV4 || is_arp,
            Self::IpOrArp => is_ip || is_arp,
            Self::Tcp => proto == Some(ipv4::TCP),
            Self::Udp => proto == Some(ipv4::UDP),
            Self::Sctp => proto == Some(ipv4::SCTP),
            Self::Ports => matches!(proto, Some(ipv4::TCP | ipv4::UDP | ipv4::SCTP)),
            Self::Icmpv6 => icmpv6,
            Self::AnyIcmp => icmp || icmpv6,
            Self::Nd => nd(&[135, 136]),
            Self::NdSolicit => nd(&[135]),
            Self::NdAdvert => nd(&[136]),
            Self::Mpls => matches!(eth, ethernet::MPLS | ethernet::MPLS_MULTICAST),
            Self::Pbb => eth == ethernet::PBB,
        }
    }
}

/// What is known of the packets that actions see.
pub(super) struct Known {
    pub packet: Match,
    /// Whether an action must fit that. A bucket's may come to any packet.
    pub checked: bool,
}

impl Known {
    /// Fails, naming what is missing, unless all packets have what an action needs.
    pub(super) fn require(&self, need: Need, token: &str) -> Result<(), ParseError> {
        if self.checked { need.check(token, &self.packet) } else { Ok(()) }
    }
}

/// Every name of every field that is matched or set by its plain value. (`dl_vlan`, `nw_tos` and
/// the like, whose values are not the field's, are not here.)
const FIELDS: &[(&str, Field, Need)] = &[
    ("in_port", Field::InPort, Need::Nothing),
    ("in_phy_port", Field::InPhyPort, Need::Nothing),
    ("metadata", Field::Metadata, Need::Nothing),
    ("tun_id", Field::TunId, Need::Nothing),
    ("tunnel_id", Field::TunId, Need::Nothing),
    ("tun_src", Field::TunSrc, Need::Nothing),
    ("tun_dst", Field::TunDst, Need::Nothing),
    ("tun_ipv6_src", Field::TunIpv6Src, Need::Nothing),
    ("tun_ipv6_dst", Field::TunIpv6Dst, Need::Nothing),
    ("tun_tos", Field::TunTos, Need::Nothing),
    ("tun_ttl", Field::TunTtl, Need::Nothing),
    ("tun_flags", Field::TunFlags, Need::Nothing),
    ("eth_src", Field::EthSrc, Need::Nothing),
    ("dl_src", Field::EthSrc, Need::Nothing),
    ("eth_dst", Field::EthDst, Need::Nothing),
    ("dl_dst", Field::EthDst, Need::Nothing),
    ("eth_type", Field::EthType, Need::Nothing),
    ("dl_type", Field::EthType, Need::Nothing),
    ("vlan_vid", Field::VlanVid, Need::Vlan),
    ("vlan_pcp", Field::VlanPcp, Need::Vlan),
    ("vlan_tci", Field::VlanTci, Need::Nothing),
    ("nw_proto", Field::IpProto, Need::IpOrArp),
    ("ip_proto", Field::IpProto, Need::Ip),
    ("ip_dscp", Field::IpDscp, Need::Ip),
    ("nw_ecn", Field::IpEcn, Need::Ip),
    ("ip_ecn", Field::IpEcn, Need::Ip),
    ("nw_ttl", Field::IpTtl, Need::Ip),
    ("ip_ttl", Field::IpTtl, Need::Ip),
    ("ip_frag", Field::IpFrag, Need::Ip),
    ("nw_frag", Field::IpFrag, Need::Ip),
    ("nw_src", Field::Ipv4Src, Need::Ipv4OrArp),
    ("ip_src", Field::Ipv4Src, Need::Ipv4),
    ("nw_dst", Field::Ipv4Dst, Need::Ipv4OrArp),
    ("ip_dst", Field::Ipv4Dst, Need::Ipv4),
    ("ipv6_src", Field::Ipv6Src, Need::Ipv6),
    ("ipv6_dst", Field::Ipv6Dst, Need::Ipv6),
    ("ipv6_label", Field::Ipv6Label, Need::Ipv6),
    ("tp_src", Field::TpSrc, Need::Ports),
    ("tp_dst", Field::TpDst, Need::Ports),
    ("tcp_src", Field::TpSrc, Need::Tcp),
    ("tcp_dst", Field::TpDst, Need::Tcp),
    ("udp_src", Field::TpSrc, Need::Udp),
    ("udp_dst", Field::TpDst, Need::Udp),
    ("sctp_src", Field::TpSrc, Need::Sctp),
    ("sctp_dst", Field::TpDst, Need::Sctp),
    ("tcp_flags", Field::TcpFlags, Need::Tcp),
    ("icmp_type", Field::IcmpType, Need::AnyIcmp),
    ("icmp_code", Field::IcmpCode, Need::AnyIcmp),
    ("icmpv6_type", Field::IcmpType, Need::Icmpv6),
    ("icmpv6_code", Field::IcmpCode, Need::Icmpv6),
    ("arp_op", Field::ArpOp, Need::Arp),
    ("arp_spa", Field::ArpSpa, Need::Arp),
    ("arp_tpa", Field::ArpTpa, Need::Arp),
    ("arp_sha", Field::ArpSha, Need::Arp),
    ("arp_tha", Field::ArpTha, Need::Arp),
    ("nd_target", Field::NdTarget, Need::Nd),
    ("nd_sll", Field::NdSll, Need::NdSolicit),
    ("nd_tll", Field::NdTll, Need::NdAdvert),
    ("mpls_label", Field::MplsLabel, Need::Mpls),
    ("mpls_tc", Field::MplsTc, Need::Mpls),
    ("mpls_bos", Field::MplsBos, Need::Mpls),
    ("mpls_ttl", Field::MplsTtl, Need::Mpls),
    ("pbb_isid", Field::PbbIsid, Need::Pbb),
    ("ipv6_exthdr", Field::Ipv6Exthdr, Need::Ipv6),
    ("reg0", Field::Reg0, Need::Nothing),
    ("reg1", Field::Reg1, Need::Nothing),
    ("reg2", Field::Reg2, Need::Nothing),
    ("reg3", Field::Reg3, Need::Nothing),
    ("reg4", Field::Reg4, Need::Nothing),
    ("reg5", Field::Reg5, Need::Nothing),
    ("reg6", Field::Reg6, Need::Nothing),
    ("reg7", Field::Reg7, Need::Nothing),
    ("reg8", Field::Reg8, Need::Nothing),
    ("reg9", Field::Reg9, Need::Nothing),
    ("reg10", Field::Reg10, Need::Nothing),
    ("reg11", Field::Reg11, Need::Nothing),
    ("reg12", Field::Reg12, Need::Nothing),
    ("reg13", Field::Reg13, Need::Nothing),
    ("reg14", Field::Reg14, Need::Nothing),
    ("reg15", Field::Reg15, Need::Nothing),
];

/// The field with this name, and what must be matched beside it.
pub(super) fn field(name: &str) -> Option<(Field, Need)> {
    FIELDS.iter().find(|f| f.0 == name).map(|f| (f.1, f.2))
}

/// Shorthands: name, EtherType, IP protocol.
pub(super) const PROTOCOLS: &[(&str, u16, Option<u8>)] = &[
    ("ip", ethernet::IPV4, None),
    ("icmp", ethernet::IPV4, Some(ipv4::ICMP)),
    ("tcp", ethernet::IPV4, Some(ipv4::TCP)),
    ("udp", ethernet::IPV4, Some(ipv4::UDP)),
    ("sctp", ethernet::IPV4, Some(ipv4::SCTP)),
    ("ipv6", ethernet::IPV6, None),
    ("ip6", ethernet::IPV6, None),
    ("icmp6", ethernet::IPV6, Some(ipv6::ICMPV6)),
    ("tcp6", ethernet::IPV6, Some(ipv4::TCP)),
    ("udp6", ethernet::IPV6, Some(ipv4::UDP)),
    ("sctp6", ethernet::IPV6, Some(ipv4::SCTP)),
    ("arp", ethernet::ARP, None),
    ("rarp", ethernet::RARP, None),
    ("mpls", ethernet::MPLS, None),
    ("mplsm", ethernet::MPLS_MULTICAST, None),
];

/// Reserved ports.
const PORTS: &[(&str, OfPort)] = &[
    ("IN_PORT", OfPort::IN_PORT),
    ("TABLE", OfPort::TABLE),
    ("NORMAL", OfPort::NORMAL),
    ("FLOOD", OfPort::FLOOD),
    ("ALL", OfPort::ALL),
    ("CONTROLLER", OfPort::CONTROLLER),
    ("LOCAL", OfPort::LOCAL),
    ("ANY", OfPort::ANY),
];

/// Finds the OpenFlow number of a port by its name.
pub type PortNames<'a> = &'a dyn Fn(&str) -> Option<OfPort>;

/// A reserved port by its name, in either case.
pub(super) fn reserved_port(name: &str) -> Option<OfPort> {
    PORTS.iter().find(|p| p.0.eq_ignore_ascii_case(name)).map(|p| p.1)
}

/// A port: its number, a reserved name, or a name in the bridge, with or without quotes.
pub(super) fn port(text: &str, names: PortNames<'_>) -> Result<OfPort, ParseError> {
    let unknown = || {
        let expected = "no such port; expected a port number, a name of this bridge's ports, IN_PORT, \
                        LOCAL, NORMAL, FLOOD, ALL or CONTROLLER";
        ParseError::new(text, expected)
    };
    if let Some(number) = super::value::number(text) {
        return match u32::try_from(number) {
            // OpenFlow 1.0's numbers of the reserved ports, as Open vSwitch still takes them.
            Ok(n @ 0xfff8..=0xfffe) => Ok(OfPort(n | 0xffff_0000)),
            Ok(n) if n <= OfPort::MAX.0 => Ok(OfPort(n)),
            Ok(n) => PORTS.iter().map(|p| p.1).find(|p| p.0 == n).ok_or_else(unknown),
            Err(_) => Err(unknown()),
        };
    }
    let quoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let named = match quoted {
        Some(name) => names(name),
        None => reserved_port(text).or_else(|| names(text)),
    };
    named.ok_or_else(unknown)
}

/// A port as it is printed.
pub(super) fn port_name(port: OfPort) -> String {
    match PORTS.iter().find(|p| p.1 == port) {
        Some((name, _)) => (*name).to_owned(),
        None => port.0.to_string(),
    }
}

/// Marks the packets of `m` as tagged or not, as actions push and pop.
pub(super) fn set_tagged(m: &mut Match, tagged: bool) {
    let tci = if tagged { VLAN_PRESENT } else { 0 };
    m.key.vlan[0].tci.set(tci);
    m.mask.0.vlan[0].tci.set(tci);
}
