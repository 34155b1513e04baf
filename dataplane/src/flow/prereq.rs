//! What a packet must be so that it has a field (OpenFlow 1.3 section 7.2.3.8, table 12).

use super::field::Field;
use super::key::{FRAG_ANY, FlowKey};
use super::mask::Mask;

/// EtherType of IPv4.
pub const ETH_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETH_ARP: u16 = 0x0806;
/// EtherType of RARP, whose packets have ARP's fields.
pub const ETH_RARP: u16 = 0x8035;
/// EtherTypes of MPLS.
pub const ETH_MPLS: [u16; 2] = [0x8847, 0x8848];
/// EtherType of PBB's service tag (802.1ah).
pub const ETH_PBB: u16 = 0x88e7;
/// EtherType of IPv6.
pub const ETH_IPV6: u16 = 0x86dd;
/// IP protocols with ports: TCP, UDP, SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];
/// IP protocol ICMP.
const ICMP: u8 = 1;
/// IP protocol ICMPv6.
const ICMPV6: u8 = 58;
/// ICMPv6 types of neighbour solicitation and advertisement (RFC 4861 section 4.3, 4.4).
const ND: [u16; 2] = [135, 136];

/// What a field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// Nothing: every packet has it.
    None,
    /// A VLAN tag.
    Vlan,
    /// IPv4 or IPv6.
    Ip,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ARP, or RARP (as in Open vSwitch).
    Arp,
    /// TCP, UDP or SCTP, not a fragment.
    Ports,
    /// ICMP or ICMPv6, not a fragment.
    Icmp,
    /// MPLS.
    Mpls,
    /// PBB (802.1ah).
    Pbb,
    /// A neighbour solicitation or advertisement.
    Nd,
    /// A neighbour solicitation.
    NdSolicit,
    /// A neighbour advertisement.
    NdAdvert,
}

impl Field {
    /// What a packet must be to have the field.
    #[must_use]
    pub const fn prerequisite(self) -> Prerequisite {
        match self {
            Self::InPort
            | Self::InPhyPort
            | Self::Metadata
            | Self::TunId
            | Self::TunSrc
            | Self::TunDst
            | Self::TunIpv6Src
            | Self::TunIpv6Dst
            | Self::TunTos
            | Self::TunTtl
            | Self::TunFlags
            | Self::EthDst
            | Self::EthSrc
            | Self::EthType
            | Self::Reg0
            | Self::Reg1
            | Self::Reg2
            | Self::Reg3
            | Self::Reg4
            | Self::Reg5
            | Self::Reg6
            | Self::Reg7
            | Self::Reg8
            | Self::Reg9
            | Self::Reg10
            | Self::Reg11
            | Self::Reg12
            | Self::Reg13
            | Self::Reg14
            | Self::Reg15 => Prerequisite::None,
            Self::VlanVid | Self::VlanPcp | Self::VlanTci => Prerequisite::Vlan,
            Self::IpProto | Self::IpDscp | Self::IpEcn | Self::IpTtl | Self::IpFrag => {
                Prerequisite::Ip
            }
            Self::Ipv4Src | Self::Ipv4Dst => Prerequisite::Ipv4,
            Self::MplsLabel | Self::MplsTc | Self::MplsBos | Self::MplsTtl => Prerequisite::Mpls,
            Self::PbbIsid => Prerequisite::Pbb,
            Self::Ipv6Src | Self::Ipv6Dst | Self::Ipv6Label | Self::Ipv6Exthdr => {
                Prerequisite::Ipv6
            }
            Self::TpSrc | Self::TpDst | Self::TcpFlags => Prerequisite::Ports,
            Self::IcmpType | Self::IcmpCode => Prerequisite::Icmp,
            Self::ArpOp | Self::ArpSpa | Self::ArpTpa | Self::ArpSha | Self::ArpTha => {
                Prerequisite::Arp
            }
            Self::NdTarget => Prerequisite::Nd,
            Self::NdSll => Prerequisite::NdSolicit,
            Self::NdTll => Prerequisite::NdAdvert,
        }
    }

    /// Whether an action may set the field: all but where the packet came in, and what says how it was
    /// cut or is to be read. (OpenFlow 1.3.5 section 7.2.5 has metadata written by its instruction only;
    /// Open vSwitch sets it as well.)
    #[must_use]
    pub const fn settable(self) -> bool {
        !matches!(
            self,
            Self::InPort | Self::InPhyPort | Self::Ipv6Exthdr | Self::IpFrag | Self::TcpFlags
        )
    }

    /// Whether the field is no part of the frame but travels beside it (tunnel fields, metadata).
    #[must_use]
    pub const fn beside_frame(self) -> bool {
        matches!(
            self,
            Self::Metadata
                | Self::TunId
                | Self::TunSrc
                | Self::TunDst
                | Self::TunIpv6Src
                | Self::TunIpv6Dst
                | Self::TunTos
                | Self::TunTtl
                | Self::TunFlags
                | Self::InPhyPort
                | Self::Reg0
                | Self::Reg1
                | Self::Reg2
                | Self::Reg3
                | Self::Reg4
                | Self::Reg5
                | Self::Reg6
                | Self::Reg7
                | Self::Reg8
                | Self::Reg9
                | Self::Reg10
                | Self::Reg11
                | Self::Reg12
                | Self::Reg13
                | Self::Reg14
                | Self::Reg15
        )
    }
}

impl Prerequisite {
    /// Whether a packet with this key fulfils it; the bits that tell are added to `wc`.
    pub fn met(self, key: &FlowKey, wc: &mut Mask) -> bool {
        let eth = key.eth_type.get();
        match self {
            Self::None => true,
            Self::Vlan => {
                wc.0.vlan[0].tci.set(u16::MAX);
                key.has_vlan()
            }
            _ => {
                wc.0.eth_type.set(u16::MAX);
                match self {
                    Self::Arp => eth == ETH_ARP || eth == ETH_RARP,
                    Self::Mpls => ETH_MPLS.contains(&eth),
                    Self::Pbb => eth == ETH_PBB,
                    Self::Ipv4 => eth == ETH_IPV4,
                    Self::Ipv6 => eth == ETH_IPV6,
                    Self::Ip => eth == ETH_IPV4 || eth == ETH_IPV6,
                    _ => (eth == ETH_IPV4 || eth == ETH_IPV6) && self.transport_met(key, wc),
                }
            }
        }
    }

    fn transport_met(self, key: &FlowKey, wc: &mut Mask) -> bool {
        wc.0.ip_proto = u8::MAX;
        wc.0.ip_frag = u8::MAX;
        if key.ip_frag & FRAG_ANY != 0 {
            return false;
        }
        let v6 = key.eth_type.get() == ETH_IPV6;
        let icmp = key.ip_proto == if v6 { ICMPV6 } else { ICMP };
        match self {
            Self::Ports => WITH_PORTS.contains(&key.ip_proto),
            Self::Icmp => icmp,
            _ => {
                wc.0.tp_src.set(u16::MAX);
                wc.0.tp_dst.set(u16::MAX);
                let kind = key.tp_src.get();
                let known = match self {
                    Self::NdSolicit => kind == ND[0],
                    Self::NdAdvert => kind == ND[1],
                    _ => ND.contains(&kind),
                };
                v6 && icmp && known && key.tp_dst.get() == 0
            }
        }
    }
}
