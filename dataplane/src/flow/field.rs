//! Fields by number: their place in the key, width, names, and what must be matched beside them.

use super::key::FlowKey;
use zerocopy::IntoBytes;

macro_rules! fields {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $member:ident $(+ $add:literal)?, $bytes:literal, $bits:literal, $shift:literal;)*) => {
        /// A field of the key that a rule can match or an action can set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field { $($(#[$doc])* $id,)* }

        impl Field {
            /// All fields.
            pub const ALL: &[Self] = &[$(Self::$id),*];

            /// Name in Open vSwitch's flow syntax (ovs-fields(7)).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name),* }
            }

            /// First byte in the key.
            #[must_use]
            pub const fn offset(self) -> usize {
                match self { $(Self::$id => std::mem::offset_of!(FlowKey, $member) $(+ $add)?),* }
            }

            /// Bytes that hold the field in the key.
            #[must_use]
            pub const fn bytes(self) -> usize {
                match self { $(Self::$id => $bytes),* }
            }

            /// Width in bits.
            #[must_use]
            pub const fn bits(self) -> u32 {
                match self { $(Self::$id => $bits),* }
            }

            /// Bits below the field in its bytes (DSCP sits above ECN: 2).
            #[must_use]
            pub const fn shift(self) -> u32 {
                match self { $(Self::$id => $shift),* }
            }
        }
    };
}

fields! {
    /// OpenFlow port the packet came in by.
    InPort = "in_port", in_port, 4, 32, 0;
    /// Physical port below it.
    InPhyPort = "in_phy_port", in_phy_port, 4, 32, 0;
    /// Metadata between tables.
    Metadata = "metadata", metadata, 8, 64, 0;
    /// Tunnel key (VNI).
    TunId = "tun_id", tun_id, 8, 64, 0;
    /// Outer IPv4 source.
    TunSrc = "tun_src", tun_src, 4, 32, 0;
    /// Outer IPv4 destination.
    TunDst = "tun_dst", tun_dst, 4, 32, 0;
    /// Outer IPv6 source.
    TunIpv6Src = "tun_ipv6_src", tun_ipv6_src, 16, 128, 0;
    /// Outer IPv6 destination.
    TunIpv6Dst = "tun_ipv6_dst", tun_ipv6_dst, 16, 128, 0;
    /// Outer TOS.
    TunTos = "tun_tos", tun_tos, 1, 8, 0;
    /// Outer TTL.
    TunTtl = "tun_ttl", tun_ttl, 1, 8, 0;
    /// Tunnel flags.
    TunFlags = "tun_flags", tun_flags, 2, 16, 0;
    /// Destination MAC.
    EthDst = "eth_dst", eth_dst, 6, 48, 0;
    /// Source MAC.
    EthSrc = "eth_src", eth_src, 6, 48, 0;
    /// EtherType.
    EthType = "eth_type", eth_type, 2, 16, 0;
    /// VLAN id of the outermost tag with its present bit (13 bits).
    VlanVid = "vlan_vid", vlan + 2, 2, 13, 0;
    /// Priority of the outermost tag.
    VlanPcp = "vlan_pcp", vlan + 2, 2, 3, 13;
    /// Outermost tag control information, present bit included.
    VlanTci = "vlan_tci", vlan + 2, 2, 16, 0;
    /// Label of the outermost MPLS entry.
    MplsLabel = "mpls_label", mpls, 4, 20, 12;
    /// Traffic class of the outermost MPLS entry.
    MplsTc = "mpls_tc", mpls, 4, 3, 9;
    /// Bottom of stack bit of the outermost MPLS entry.
    MplsBos = "mpls_bos", mpls, 4, 1, 8;
    /// TTL of the outermost MPLS entry.
    MplsTtl = "mpls_ttl", mpls, 4, 8, 0;
    /// PBB service instance.
    PbbIsid = "pbb_isid", pbb, 4, 24, 0;
    /// IPv6 flow label.
    Ipv6Label = "ipv6_label", ipv6_label, 4, 20, 0;
    /// IP protocol.
    IpProto = "nw_proto", ip_proto, 1, 8, 0;
    /// DSCP (OpenFlow's ip_dscp, 6 bits).
    IpDscp = "ip_dscp", ip_tos, 1, 6, 2;
    /// ECN.
    IpEcn = "nw_ecn", ip_tos, 1, 2, 0;
    /// TTL or hop limit.
    IpTtl = "nw_ttl", ip_ttl, 1, 8, 0;
    /// Fragment kind.
    IpFrag = "ip_frag", ip_frag, 1, 2, 0;
    /// IPv4 source.
    Ipv4Src = "nw_src", ipv4_src, 4, 32, 0;
    /// IPv4 destination.
    Ipv4Dst = "nw_dst", ipv4_dst, 4, 32, 0;
    /// IPv6 source.
    Ipv6Src = "ipv6_src", ipv6_src, 16, 128, 0;
    /// IPv6 destination.
    Ipv6Dst = "ipv6_dst", ipv6_dst, 16, 128, 0;
    /// TCP, UDP or SCTP source port.
    TpSrc = "tp_src", tp_src, 2, 16, 0;
    /// TCP, UDP or SCTP destination port.
    TpDst = "tp_dst", tp_dst, 2, 16, 0;
    /// TCP flags.
    TcpFlags = "tcp_flags", tcp_flags, 2, 12, 0;
    /// ICMP or ICMPv6 type.
    IcmpType = "icmp_type", tp_src + 1, 1, 8, 0;
    /// ICMP or ICMPv6 code.
    IcmpCode = "icmp_code", tp_dst + 1, 1, 8, 0;
    /// ARP opcode (low byte; larger opcodes are seen as 0).
    ArpOp = "arp_op", ip_proto, 1, 8, 0;
    /// ARP sender protocol address.
    ArpSpa = "arp_spa", ipv4_src, 4, 32, 0;
    /// ARP target protocol address.
    ArpTpa = "arp_tpa", ipv4_dst, 4, 32, 0;
    /// ARP sender hardware address.
    ArpSha = "arp_sha", arp_sha, 6, 48, 0;
    /// ARP target hardware address.
    ArpTha = "arp_tha", arp_tha, 6, 48, 0;
    /// ND target address.
    NdTarget = "nd_target", nd_target, 16, 128, 0;
    /// ND source link-layer address.
    NdSll = "nd_sll", arp_sha, 6, 48, 0;
    /// ND target link-layer address.
    NdTll = "nd_tll", arp_tha, 6, 48, 0;
    /// IPv6 extension headers (`OFPIEH_*`).
    Ipv6Exthdr = "ipv6_exthdr", ipv6_exthdr, 2, 9, 0;
    /// Register 0.
    Reg0 = "reg0", regs + 0, 4, 32, 0;
    /// Register 1.
    Reg1 = "reg1", regs + 4, 4, 32, 0;
    /// Register 2.
    Reg2 = "reg2", regs + 8, 4, 32, 0;
    /// Register 3.
    Reg3 = "reg3", regs + 12, 4, 32, 0;
    /// Register 4.
    Reg4 = "reg4", regs + 16, 4, 32, 0;
    /// Register 5.
    Reg5 = "reg5", regs + 20, 4, 32, 0;
    /// Register 6.
    Reg6 = "reg6", regs + 24, 4, 32, 0;
    /// Register 7.
    Reg7 = "reg7", regs + 28, 4, 32, 0;
    /// Register 8.
    Reg8 = "reg8", regs + 32, 4, 32, 0;
    /// Register 9.
    Reg9 = "reg9", regs + 36, 4, 32, 0;
    /// Register 10.
    Reg10 = "reg10", regs + 40, 4, 32, 0;
    /// Register 11.
    Reg11 = "reg11", regs + 44, 4, 32, 0;
    /// Register 12.
    Reg12 = "reg12", regs + 48, 4, 32, 0;
    /// Register 13.
    Reg13 = "reg13", regs + 52, 4, 32, 0;
    /// Register 14.
    Reg14 = "reg14", regs + 56, 4, 32, 0;
    /// Register 15.
    Reg15 = "reg15", regs + 60, 4, 32, 0;
}

/// The registers, by number.
pub const REGS: [Field; super::key::REGISTERS] = [
    Field::Reg0,
    Field::Reg1,
    Field::Reg2,
    Field::Reg3,
    Field::Reg4,
    Field::Reg5,
    Field::Reg6,
    Field::Reg7,
    Field::Reg8,
    Field::Reg9,
    Field::Reg10,
    Field::Reg11,
    Field::Reg12,
    Field::Reg13,
    Field::Reg14,
    Field::Reg15,
];

impl Field {
    /// All 1-bits of the field, as a number.
    #[must_use]
    pub const fn max(self) -> u128 {
        u128::MAX >> (128 - self.bits())
    }

    /// Reads the field.
    #[must_use]
    pub fn read(self, key: &FlowKey) -> u128 {
        let b = &key.as_bytes()[self.offset()..self.offset() + self.bytes()];
        let mut v = 0u128;
        for x in b {
            v = v << 8 | u128::from(*x);
        }
        v >> self.shift() & self.max()
    }

    /// Writes the bits of `value` that `mask` selects.
    pub fn write_masked(self, key: &mut FlowKey, value: u128, mask: u128) {
        let n = self.bytes();
        let off = self.offset();
        let b = &mut key.as_mut_bytes()[off..off + n];
        let v = ((value & mask & self.max()) << self.shift()).to_be_bytes();
        let m = ((mask & self.max()) << self.shift()).to_be_bytes();
        for i in 0..n {
            b[i] = b[i] & !m[16 - n + i] | v[16 - n + i];
        }
    }

    /// Writes the whole field.
    pub fn write(self, key: &mut FlowKey, value: u128) {
        self.write_masked(key, value, self.max());
    }
}
