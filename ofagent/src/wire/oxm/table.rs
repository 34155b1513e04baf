//! The fields that can be matched or set: their numbers, widths, masks and prerequisites
//! (section 7.2.3.7, table 12; for Open vSwitch's, ovs-fields(7)).

use super::{BASIC, EXPERIMENTER, NXM_0, NXM_1, OxmId, basic};

/// What must stand in a match before a field (table 12, column "Pre-requisites").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// Nothing.
    None,
    /// `IN_PORT`.
    InPort,
    /// `VLAN_VID` with `OFPVID_PRESENT`.
    Vlan,
    /// `ETH_TYPE` of IPv4 or IPv6.
    Ip,
    /// `ETH_TYPE` of IPv4.
    Ipv4,
    /// `ETH_TYPE` of IPv6.
    Ipv6,
    /// `ETH_TYPE` of ARP or, as Open vSwitch has it, RARP.
    Arp,
    /// `ETH_TYPE` of MPLS, unicast or multicast.
    Mpls,
    /// `ETH_TYPE` of PBB.
    Pbb,
    /// `IP_PROTO` 6.
    Tcp,
    /// `IP_PROTO` 17.
    Udp,
    /// `IP_PROTO` 132.
    Sctp,
    /// IPv4 and `IP_PROTO` 1.
    Icmpv4,
    /// IPv6 and `IP_PROTO` 58.
    Icmpv6,
    /// `ICMPV6_TYPE` 135 or 136.
    Nd,
    /// `ICMPV6_TYPE` 135.
    NdSolicit,
    /// `ICMPV6_TYPE` 136.
    NdAdvert,
}

/// A field, as it goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Its number.
    pub id: OxmId,
    /// Bytes of its value.
    pub bytes: u8,
    /// Bits of these that it uses, the lowest.
    pub bits: u8,
    /// Bits of the lowest that it leaves free (`NXM_OF_IP_TOS` is a DSCP above two zero bits).
    pub shift: u8,
    /// Whether it takes a mask.
    pub maskable: bool,
    /// What must stand before it.
    pub needs: Prerequisite,
    /// What it says something of, as bits: two fields that share one are the same field twice.
    pub(super) subjects: u128,
}

impl FieldInfo {
    /// All bits of the value that the field uses.
    #[must_use]
    pub fn max(&self) -> u128 {
        let all = u128::MAX >> (128 - u32::from(self.bits));
        all >> self.shift << self.shift
    }
}

const N: bool = false;
const M: bool = true;

use Prerequisite as P;

const fn field(
    class: u16,
    field: u8,
    bits: u8,
    maskable: bool,
    needs: P,
    subject: u8,
) -> FieldInfo {
    FieldInfo {
        id: OxmId { class, field },
        bytes: bits.div_ceil(8),
        bits,
        shift: 0,
        maskable,
        needs,
        subjects: 1 << subject,
    }
}

/// A field of table 12; its subject is its number.
const fn of(id: u8, bits: u8, maskable: bool, needs: P) -> FieldInfo {
    field(BASIC, id, bits, maskable, needs, id)
}

/// The same with a value of more bytes than its bits need.
const fn wide(id: u8, bytes: u8, bits: u8, maskable: bool, needs: P) -> FieldInfo {
    FieldInfo { bytes, ..of(id, bits, maskable, needs) }
}

const fn nxm0(id: u8, bits: u8, maskable: bool, needs: P, same: u8) -> FieldInfo {
    field(NXM_0, id, bits, maskable, needs, same)
}

const fn nxm1(id: u8, bits: u8, maskable: bool, needs: P, same: u8) -> FieldInfo {
    field(NXM_1, id, bits, maskable, needs, same)
}

const fn reg(id: u8) -> FieldInfo {
    nxm1(id, 32, M, P::None, REG0 + id)
}

// Subjects of what table 12 does not have.
const NW_TTL: u8 = 64;
const IP_FRAG: u8 = 65;
const MPLS_TTL: u8 = 66;
const TUN_SRC: u8 = 67;
const TUN_DST: u8 = 68;
const TUN6_SRC: u8 = 69;
const TUN6_DST: u8 = 70;
const TCP_FLAGS: u8 = 71;
const REG0: u8 = 80;

/// Table 12.
static OPENFLOW: [FieldInfo; 40] = [
    of(basic::IN_PORT, 32, N, P::None),
    of(basic::IN_PHY_PORT, 32, N, P::InPort),
    of(basic::METADATA, 64, M, P::None),
    of(basic::ETH_DST, 48, M, P::None),
    of(basic::ETH_SRC, 48, M, P::None),
    of(basic::ETH_TYPE, 16, N, P::None),
    of(basic::VLAN_VID, 13, M, P::None),
    of(basic::VLAN_PCP, 3, N, P::Vlan),
    of(basic::IP_DSCP, 6, N, P::Ip),
    of(basic::IP_ECN, 2, N, P::Ip),
    of(basic::IP_PROTO, 8, N, P::Ip),
    of(basic::IPV4_SRC, 32, M, P::Ipv4),
    of(basic::IPV4_DST, 32, M, P::Ipv4),
    // Ports and the flow label have no mask in table 12; Open vSwitch's tools send them with one.
    of(basic::TCP_SRC, 16, M, P::Tcp),
    of(basic::TCP_DST, 16, M, P::Tcp),
    of(basic::UDP_SRC, 16, M, P::Udp),
    of(basic::UDP_DST, 16, M, P::Udp),
    of(basic::SCTP_SRC, 16, M, P::Sctp),
    of(basic::SCTP_DST, 16, M, P::Sctp),
    of(basic::ICMPV4_TYPE, 8, N, P::Icmpv4),
    of(basic::ICMPV4_CODE, 8, N, P::Icmpv4),
    of(basic::ARP_OP, 16, N, P::Arp),
    of(basic::ARP_SPA, 32, M, P::Arp),
    of(basic::ARP_TPA, 32, M, P::Arp),
    of(basic::ARP_SHA, 48, M, P::Arp),
    of(basic::ARP_THA, 48, M, P::Arp),
    of(basic::IPV6_SRC, 128, M, P::Ipv6),
    of(basic::IPV6_DST, 128, M, P::Ipv6),
    wide(basic::IPV6_FLABEL, 4, 20, M, P::Ipv6),
    of(basic::ICMPV6_TYPE, 8, N, P::Icmpv6),
    of(basic::ICMPV6_CODE, 8, N, P::Icmpv6),
    of(basic::IPV6_ND_TARGET, 128, M, P::Nd),
    of(basic::IPV6_ND_SLL, 48, M, P::NdSolicit),
    of(basic::IPV6_ND_TLL, 48, M, P::NdAdvert),
    wide(basic::MPLS_LABEL, 4, 20, N, P::Mpls),
    of(basic::MPLS_TC, 3, N, P::Mpls),
    of(basic::MPLS_BOS, 1, N, P::Mpls),
    of(basic::PBB_ISID, 24, M, P::Pbb),
    of(basic::TUNNEL_ID, 64, M, P::None),
    of(basic::IPV6_EXTHDR, 9, M, P::Ipv6),
];

/// Open vSwitch's NXM fields of class 0.
static CLASS_0: [FieldInfo; 18] = [
    nxm0(0, 16, N, P::None, basic::IN_PORT),
    nxm0(1, 48, M, P::None, basic::ETH_DST),
    nxm0(2, 48, M, P::None, basic::ETH_SRC),
    nxm0(3, 16, N, P::None, basic::ETH_TYPE),
    FieldInfo {
        subjects: 1 << basic::VLAN_VID | 1 << basic::VLAN_PCP,
        ..nxm0(4, 16, M, P::None, basic::VLAN_VID)
    },
    FieldInfo { shift: 2, ..nxm0(5, 8, N, P::Ip, basic::IP_DSCP) },
    nxm0(6, 8, N, P::Ip, basic::IP_PROTO),
    nxm0(7, 32, M, P::Ipv4, basic::IPV4_SRC),
    nxm0(8, 32, M, P::Ipv4, basic::IPV4_DST),
    nxm0(9, 16, M, P::Tcp, basic::TCP_SRC),
    nxm0(10, 16, M, P::Tcp, basic::TCP_DST),
    nxm0(11, 16, M, P::Udp, basic::UDP_SRC),
    nxm0(12, 16, M, P::Udp, basic::UDP_DST),
    nxm0(13, 8, N, P::Icmpv4, basic::ICMPV4_TYPE),
    nxm0(14, 8, N, P::Icmpv4, basic::ICMPV4_CODE),
    nxm0(15, 16, N, P::Arp, basic::ARP_OP),
    nxm0(16, 32, M, P::Arp, basic::ARP_SPA),
    nxm0(17, 32, M, P::Arp, basic::ARP_TPA),
];

/// Open vSwitch's NXM fields of class 1, by number; registers come before these.
static CLASS_1: [FieldInfo; 19] = [
    nxm1(16, 64, M, P::None, basic::TUNNEL_ID),
    nxm1(17, 48, M, P::Arp, basic::ARP_SHA),
    nxm1(18, 48, M, P::Arp, basic::ARP_THA),
    nxm1(19, 128, M, P::Ipv6, basic::IPV6_SRC),
    nxm1(20, 128, M, P::Ipv6, basic::IPV6_DST),
    nxm1(21, 8, N, P::Icmpv6, basic::ICMPV6_TYPE),
    nxm1(22, 8, N, P::Icmpv6, basic::ICMPV6_CODE),
    nxm1(23, 128, M, P::Nd, basic::IPV6_ND_TARGET),
    nxm1(24, 48, M, P::NdSolicit, basic::IPV6_ND_SLL),
    nxm1(25, 48, M, P::NdAdvert, basic::IPV6_ND_TLL),
    nxm1(26, 2, M, P::Ip, IP_FRAG),
    FieldInfo { bytes: 4, ..nxm1(27, 20, M, P::Ipv6, basic::IPV6_FLABEL) },
    nxm1(28, 2, N, P::Ip, basic::IP_ECN),
    nxm1(29, 8, N, P::Ip, NW_TTL),
    nxm1(30, 8, N, P::Mpls, MPLS_TTL),
    nxm1(31, 32, M, P::None, TUN_SRC),
    nxm1(32, 32, M, P::None, TUN_DST),
    nxm1(109, 128, M, P::None, TUN6_SRC),
    nxm1(110, 128, M, P::None, TUN6_DST),
];

static REGISTERS: [FieldInfo; 16] = [
    reg(0),
    reg(1),
    reg(2),
    reg(3),
    reg(4),
    reg(5),
    reg(6),
    reg(7),
    reg(8),
    reg(9),
    reg(10),
    reg(11),
    reg(12),
    reg(13),
    reg(14),
    reg(15),
];

/// TCP flags, under Open vSwitch's own number and under that of the Open Networking Foundation's
/// extension set, which Open vSwitch uses in OpenFlow 1.3.
static FLAGS: [FieldInfo; 2] = [
    nxm1(34, 12, M, P::Tcp, TCP_FLAGS),
    field(EXPERIMENTER, super::ONF_TCP_FLAGS, 12, M, P::Tcp, TCP_FLAGS),
];

/// Looks a field up.
#[must_use]
pub fn lookup(id: OxmId) -> Option<&'static FieldInfo> {
    let number = usize::from(id.field);
    match id.class {
        BASIC => OPENFLOW.get(number),
        NXM_0 => CLASS_0.get(number),
        NXM_1 => match number {
            0..16 => REGISTERS.get(number),
            16..=32 => CLASS_1.get(number - 16),
            34 => Some(&FLAGS[0]),
            109 | 110 => CLASS_1.get(number - 109 + 17),
            _ => None,
        },
        EXPERIMENTER if id.field == super::ONF_TCP_FLAGS => Some(&FLAGS[1]),
        _ => None,
    }
}

/// All fields.
pub fn all() -> impl Iterator<Item = &'static FieldInfo> {
    OPENFLOW.iter().chain(&CLASS_0).chain(&REGISTERS).chain(&CLASS_1).chain(&FLAGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_number() {
        for field in all() {
            assert_eq!(lookup(field.id), Some(field));
            assert!(field.bytes >= field.bits.div_ceil(8), "{field:?}");
        }
        assert_eq!(all().count(), 95);
    }
}
