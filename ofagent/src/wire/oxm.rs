//! Flow match fields (section 7.2.3): OXM, and Open vSwitch's NXM.

/// A field's class and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OxmId {
    /// `OFPXMC_*`.
    pub class: u16,
    /// The field within the class.
    pub field: u8,
}

/// `OFPXMC_NXM_0`.
pub const NXM_0: u16 = 0x0000;
/// `OFPXMC_NXM_1`.
pub const NXM_1: u16 = 0x0001;
/// `OFPXMC_OPENFLOW_BASIC`.
pub const BASIC: u16 = 0x8000;
/// `OFPXMC_PACKET_REGS`.
pub const PACKET_REGS: u16 = 0x8001;
/// `OFPXMC_EXPERIMENTER`.
pub const EXPERIMENTER: u16 = 0xffff;

/// `enum oxm_ofb_match_fields` (table 12).
pub mod basic {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const IN_PORT: u8 = 0;
    pub const IN_PHY_PORT: u8 = 1;
    pub const METADATA: u8 = 2;
    pub const ETH_DST: u8 = 3;
    pub const ETH_SRC: u8 = 4;
    pub const ETH_TYPE: u8 = 5;
    pub const VLAN_VID: u8 = 6;
    pub const VLAN_PCP: u8 = 7;
    pub const IP_DSCP: u8 = 8;
    pub const IP_ECN: u8 = 9;
    pub const IP_PROTO: u8 = 10;
    pub const IPV4_SRC: u8 = 11;
    pub const IPV4_DST: u8 = 12;
    pub const TCP_SRC: u8 = 13;
    pub const TCP_DST: u8 = 14;
    pub const UDP_SRC: u8 = 15;
    pub const UDP_DST: u8 = 16;
    pub const SCTP_SRC: u8 = 17;
    pub const SCTP_DST: u8 = 18;
    pub const ICMPV4_TYPE: u8 = 19;
    pub const ICMPV4_CODE: u8 = 20;
    pub const ARP_OP: u8 = 21;
    pub const ARP_SPA: u8 = 22;
    pub const ARP_TPA: u8 = 23;
    pub const ARP_SHA: u8 = 24;
    pub const ARP_THA: u8 = 25;
    pub const IPV6_SRC: u8 = 26;
    pub const IPV6_DST: u8 = 27;
    pub const IPV6_FLABEL: u8 = 28;
    pub const ICMPV6_TYPE: u8 = 29;
    pub const ICMPV6_CODE: u8 = 30;
    pub const IPV6_ND_TARGET: u8 = 31;
    pub const IPV6_ND_SLL: u8 = 32;
    pub const IPV6_ND_TLL: u8 = 33;
    pub const MPLS_LABEL: u8 = 34;
    pub const MPLS_TC: u8 = 35;
    pub const MPLS_BOS: u8 = 36;
    pub const PBB_ISID: u8 = 37;
    pub const TUNNEL_ID: u8 = 38;
    pub const IPV6_EXTHDR: u8 = 39;
}

/// A field with its value, as it stands in a match or a set-field action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oxm {
    /// The field.
    pub id: OxmId,
    /// Bytes of the value (without mask), 1 to 16.
    pub len: u8,
    /// The value, as a number.
    pub value: u128,
    /// The mask, if the field was sent with one.
    pub mask: Option<u128>,
}

/// `ofp_match`: fields in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match(pub Vec<Oxm>);
