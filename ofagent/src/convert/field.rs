//! Fields as they are numbered on the wire (table 12; Open vSwitch's `nicira-ext.h`).

use crate::wire::oxm::{BASIC, EXPERIMENTER, NXM_0, NXM_1, ONF_TCP_FLAGS, OxmId, basic};
use dataplane::flow::{Field, Match};

const ETH_IPV4: u16 = 0x0800;
const ETH_IPV6: u16 = 0x86dd;
const ETH_ARP: u16 = 0x0806;
const ETH_RARP: u16 = 0x8035;
const ETH_PBB: u16 = 0x88e7;
const ETH_MPLS: [u16; 2] = [0x8847, 0x8848];
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// What a match must say before the field (table 12, column "Prerequisite").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A VLAN tag.
    Vlan,
    /// IPv4 or IPv6.
    Ip,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ARP (or RARP, as Open vSwitch has it).
    Arp,
    /// MPLS.
    Mpls,
    /// PBB.
    Pbb,
    /// This IP protocol, over IPv4 or IPv6.
    Proto(u8),
    /// ICMP over IPv4.
    Icmp,
    /// ICMPv6.
    Icmpv6,
    /// ICMPv6 of one of these types.
    Nd(&'static [u8]),
}

impl Needs {
    /// Whether the match, as far as it goes, says so.
    #[must_use]
    pub fn met(self, m: &Match) -> bool {
        let eth_is = |wanted: &[u16]| {
            m.mask.0.eth_type.get() == u16::MAX && wanted.contains(&m.key.eth_type.get())
        };
        let proto_is = |wanted: u8| m.mask.0.ip_proto == u8::MAX && m.key.ip_proto == wanted;
        match self {
            Self::Nothing => true,
            Self::Vlan => m.key.has_vlan(),
            Self::Ip => eth_is(&[ETH_IPV4, ETH_IPV6]),
            Self::Ipv4 => eth_is(&[ETH_IPV4]),
            Self::Ipv6 => eth_is(&[ETH_IPV6]),
            Self::Arp => eth_is(&[ETH_ARP, ETH_RARP]),
            Self::Mpls => eth_is(&ETH_MPLS),
            Self::Pbb => eth_is(&[ETH_PBB]),
            Self::Proto(proto) => eth_is(&[ETH_IPV4, ETH_IPV6]) && proto_is(proto),
            Self::Icmp => eth_is(&[ETH_IPV4]) && proto_is(ICMP),
            Self::Icmpv6 => eth_is(&[ETH_IPV6]) && proto_is(ICMPV6),
            Self::Nd(types) => {
                let field = Field::IcmpType;
                Self::Icmpv6.met(m)
                    && field.read(&m.mask.0) == field.max()
                    && types.contains(&(field.read(&m.key) as u8))
            }
        }
    }

    /// Whether the match says that it is otherwise: that packets have another protocol. (Of actions,
    /// which may have made the packet another one, no more can be asked here.)
    #[must_use]
    pub fn contradicted(self, m: &Match) -> bool {
        let eth_known = m.mask.0.eth_type.get() == u16::MAX;
        let proto_known = eth_known && m.mask.0.ip_proto == u8::MAX;
        match self {
            Self::Proto(proto) => proto_known && m.key.ip_proto != proto,
            Self::Icmp | Self::Icmpv6 => proto_known && !self.met(m),
            _ => false,
        }
    }
}

/// A field on the wire.
#[derive(Clone, Copy, Debug)]
pub struct WireField {
    /// Its class and number.
    pub id: OxmId,
    /// What it is in the packet path.
    pub field: Field,
    /// Bits of its value below the field's.
    pub shift: u8,
    /// What must be matched before it.
    pub needs: Needs,
}

const fn wire(class: u16, field: u8, to: Field, needs: Needs) -> WireField {
    WireField { id: OxmId { class, field }, field: to, shift: 0, needs }
}

const fn of(field: u8, to: Field, needs: Needs) -> WireField {
    wire(BASIC, field, to, needs)
}

/// All fields that a match is written in, in the order in which it is written: prerequisites first.
pub const FIELDS: &[WireField] = &[
    of(basic::IN_PORT, Field::InPort, Needs::Nothing),
    of(basic::IN_PHY_PORT, Field::InPhyPort, Needs::Nothing),
    of(basic::METADATA, Field::Metadata, Needs::Nothing),
    of(basic::ETH_DST, Field::EthDst, Needs::Nothing),
    of(basic::ETH_SRC, Field::EthSrc, Needs::Nothing),
    of(basic::ETH_TYPE, Field::EthType, Needs::Nothing),
    of(basic::VLAN_VID, Field::VlanVid, Needs::Nothing),
    of(basic::VLAN_PCP, Field::VlanPcp, Needs::Vlan),
    wire(NXM_0, 4, Field::VlanTci, Needs::Nothing),
    of(basic::IP_DSCP, Field::IpDscp, Needs::Ip),
    of(basic::IP_ECN, Field::IpEcn, Needs::Ip),
    of(basic::IP_PROTO, Field::IpProto, Needs::Ip),
    of(basic::IPV4_SRC, Field::Ipv4Src, Needs::Ipv4),
    of(basic::IPV4_DST, Field::Ipv4Dst, Needs::Ipv4),
    of(basic::TCP_SRC, Field::TpSrc, Needs::Proto(TCP)),
    of(basic::TCP_DST, Field::TpDst, Needs::Proto(TCP)),
    of(basic::UDP_SRC, Field::TpSrc, Needs::Proto(UDP)),
    of(basic::UDP_DST, Field::TpDst, Needs::Proto(UDP)),
    of(basic::SCTP_SRC, Field::TpSrc, Needs::Proto(SCTP)),
    of(basic::SCTP_DST, Field::TpDst, Needs::Proto(SCTP)),
    of(basic::ICMPV4_TYPE, Field::IcmpType, Needs::Icmp),
    of(basic::ICMPV4_CODE, Field::IcmpCode, Needs::Icmp),
    of(basic::ARP_OP, Field::ArpOp, Needs::Arp),
    of(basic::ARP_SPA, Field::ArpSpa, Needs::Arp),
    of(basic::ARP_TPA, Field::ArpTpa, Needs::Arp),
    of(basic::ARP_SHA, Field::ArpSha, Needs::Arp),
    of(basic::ARP_THA, Field::ArpTha, Needs::Arp),
    of(basic::IPV6_SRC, Field::Ipv6Src, Needs::Ipv6),
    of(basic::IPV6_DST, Field::Ipv6Dst, Needs::Ipv6),
    of(basic::IPV6_FLABEL, Field::Ipv6Label, Needs::Ipv6),
    of(basic::ICMPV6_TYPE, Field::IcmpType, Needs::Icmpv6),
    of(basic::ICMPV6_CODE, Field::IcmpCode, Needs::Icmpv6),
    of(basic::IPV6_ND_TARGET, Field::NdTarget, Needs::Nd(&[135, 136])),
    of(basic::IPV6_ND_SLL, Field::NdSll, Needs::Nd(&[135])),
    of(basic::IPV6_ND_TLL, Field::NdTll, Needs::Nd(&[136])),
    of(basic::MPLS_LABEL, Field::MplsLabel, Needs::Mpls),
    of(basic::MPLS_TC, Field::MplsTc, Needs::Mpls),
    of(basic::MPLS_BOS, Field::MplsBos, Needs::Mpls),
    of(basic::PBB_ISID, Field::PbbIsid, Needs::Pbb),
    of(basic::TUNNEL_ID, Field::TunId, Needs::Nothing),
    of(basic::IPV6_EXTHDR, Field::Ipv6Exthdr, Needs::Ipv6),
    wire(NXM_1, 0, Field::Reg0, Needs::Nothing),
    wire(NXM_1, 1, Field::Reg1, Needs::Nothing),
    wire(NXM_1, 2, Field::Reg2, Needs::Nothing),
    wire(NXM_1, 3, Field::Reg3, Needs::Nothing),
    wire(NXM_1, 4, Field::Reg4, Needs::Nothing),
    wire(NXM_1, 5, Field::Reg5, Needs::Nothing),
    wire(NXM_1, 6, Field::Reg6, Needs::Nothing),
    wire(NXM_1, 7, Field::Reg7, Needs::Nothing),
    wire(NXM_1, 8, Field::Reg8, Needs::Nothing),
    wire(NXM_1, 9, Field::Reg9, Needs::Nothing),
    wire(NXM_1, 10, Field::Reg10, Needs::Nothing),
    wire(NXM_1, 11, Field::Reg11, Needs::Nothing),
    wire(NXM_1, 12, Field::Reg12, Needs::Nothing),
    wire(NXM_1, 13, Field::Reg13, Needs::Nothing),
    wire(NXM_1, 14, Field::Reg14, Needs::Nothing),
    wire(NXM_1, 15, Field::Reg15, Needs::Nothing),
    wire(NXM_1, 31, Field::TunSrc, Needs::Nothing),
    wire(NXM_1, 32, Field::TunDst, Needs::Nothing),
    wire(NXM_1, 109, Field::TunIpv6Src, Needs::Nothing),
    wire(NXM_1, 110, Field::TunIpv6Dst, Needs::Nothing),
    wire(NXM_1, 26, Field::IpFrag, Needs::Ip),
    wire(NXM_1, 29, Field::IpTtl, Needs::Ip),
    wire(NXM_1, 30, Field::MplsTtl, Needs::Mpls),
    wire(EXPERIMENTER, ONF_TCP_FLAGS, Field::TcpFlags, Needs::Proto(TCP)),
];

/// Older numbers of fields that have one in [`FIELDS`]; Open vSwitch uses them in `load` and `move`.
const OLD_NUMBERS: &[WireField] = &[
    wire(NXM_0, 0, Field::InPort, Needs::Nothing),
    wire(NXM_0, 1, Field::EthDst, Needs::Nothing),
    wire(NXM_0, 2, Field::EthSrc, Needs::Nothing),
    wire(NXM_0, 3, Field::EthType, Needs::Nothing),
    WireField { shift: 2, ..wire(NXM_0, 5, Field::IpDscp, Needs::Ip) },
    wire(NXM_0, 6, Field::IpProto, Needs::Ip),
    wire(NXM_0, 7, Field::Ipv4Src, Needs::Ipv4),
    wire(NXM_0, 8, Field::Ipv4Dst, Needs::Ipv4),
    wire(NXM_0, 9, Field::TpSrc, Needs::Proto(TCP)),
    wire(NXM_0, 10, Field::TpDst, Needs::Proto(TCP)),
    wire(NXM_0, 11, Field::TpSrc, Needs::Proto(UDP)),
    wire(NXM_0, 12, Field::TpDst, Needs::Proto(UDP)),
    wire(NXM_0, 13, Field::IcmpType, Needs::Icmp),
    wire(NXM_0, 14, Field::IcmpCode, Needs::Icmp),
    wire(NXM_0, 15, Field::ArpOp, Needs::Arp),
    wire(NXM_0, 16, Field::ArpSpa, Needs::Arp),
    wire(NXM_0, 17, Field::ArpTpa, Needs::Arp),
    wire(NXM_1, 16, Field::TunId, Needs::Nothing),
    wire(NXM_1, 17, Field::ArpSha, Needs::Arp),
    wire(NXM_1, 18, Field::ArpTha, Needs::Arp),
    wire(NXM_1, 19, Field::Ipv6Src, Needs::Ipv6),
    wire(NXM_1, 20, Field::Ipv6Dst, Needs::Ipv6),
    wire(NXM_1, 21, Field::IcmpType, Needs::Icmpv6),
    wire(NXM_1, 22, Field::IcmpCode, Needs::Icmpv6),
    wire(NXM_1, 23, Field::NdTarget, Needs::Nd(&[135, 136])),
    wire(NXM_1, 24, Field::NdSll, Needs::Nd(&[135])),
    wire(NXM_1, 25, Field::NdTll, Needs::Nd(&[136])),
    wire(NXM_1, 27, Field::Ipv6Label, Needs::Ipv6),
    wire(NXM_1, 28, Field::IpEcn, Needs::Ip),
    wire(NXM_1, 34, Field::TcpFlags, Needs::Proto(TCP)),
];

/// The field that this class and number mean.
#[must_use]
pub fn by_id(id: OxmId) -> Option<&'static WireField> {
    if id.class == BASIC {
        // They come first, by number, with the TCI (8) in between.
        let at = usize::from(id.field) + usize::from(id.field >= 8);
        return FIELDS.get(at).filter(|w| w.id == id);
    }
    FIELDS.iter().chain(OLD_NUMBERS).find(|w| w.id == id)
}

/// How a field is written, for packets of this match: it tells which protocol's ports are meant,
/// and so on. Where it does not tell, TCP's and IPv4's are.
#[must_use]
pub fn by_field(field: Field, m: &Match) -> &'static WireField {
    let mut named = FIELDS.iter().filter(|w| w.field == field);
    let first = named.next();
    let met = first.into_iter().chain(named).find(|w| w.needs.met(m));
    // Every field that a rule may hold but the tunnel's flags, TOS and TTL is in the table, and
    // those are not let into rules.
    met.or(first).unwrap_or(&FIELDS[0])
}

/// Whether a field has a number on the wire.
#[must_use]
pub fn is_known(field: Field) -> bool {
    FIELDS.iter().any(|w| w.field == field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::oxm;

    #[test]
    fn every_field_of_the_codec_is_one_of_the_packet_path() {
        for info in oxm::all() {
            let w = by_id(info.id).unwrap_or_else(|| panic!("{:?} is missing", info.id));
            let same = FIELDS.iter().chain(OLD_NUMBERS).filter(|o| o.id == w.id);
            assert_eq!(same.count(), 1, "{:?}", w.id);
            // ARP's opcode has 16 bits there and 8 here; ports of OpenFlow 1.0 have 16.
            let narrow = matches!(w.field, Field::ArpOp | Field::InPort | Field::IpDscp);
            assert!(narrow || u32::from(info.bits) == w.field.bits(), "{:?}", w.id);
        }
        assert_eq!(oxm::all().count(), FIELDS.len() + OLD_NUMBERS.len());
        let missing: Vec<_> = Field::ALL.iter().filter(|f| !is_known(**f)).collect();
        assert_eq!(missing, [&Field::TunTos, &Field::TunTtl, &Field::TunFlags]);
    }
}
