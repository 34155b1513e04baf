//! [`FlowKey`]: every field of a packet that a flow table can look at, in network byte order.
//!
//! The key is plain bytes, so that masks, hashes and comparisons work on words without knowing the
//! fields. Its first [`PACKET_WORDS`] words are what a packet brings along, and all that caches look
//! at; the rest (metadata, registers) is zero when a packet arrives and is written by the pipeline. A field that a packet does not have is zero. Fields that never
//! occur together share their place, as in Open vSwitch: ARP's opcode sits in `ip_proto`, its
//! addresses in `ipv4_src` and `ipv4_dst`, ICMP's type and code in `tp_src` and `tp_dst`, the
//! link-layer options of IPv6 neighbour discovery in `arp_sha` and `arp_tha`.

use zerocopy::network_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Words of a key.
pub const KEY_WORDS: usize = 33;
/// Words of a key that a packet decides; those behind are zero until the pipeline writes them.
pub const PACKET_WORDS: usize = 23;
/// Registers (Open vSwitch's `reg0` to `reg15`).
pub const REGISTERS: usize = 16;
/// MPLS label stack entries that a key holds.
pub const MPLS_DEPTH: usize = 3;

/// Set in [`Vlan::tci`] where a tag is present (OpenFlow 1.3 section 7.2.3.7, `OFPVID_PRESENT`).
pub const VLAN_PRESENT: u16 = 0x1000;

/// `ip_frag`: the packet is a fragment (any).
pub const FRAG_ANY: u8 = 1;
/// `ip_frag`: the packet is a fragment, and not the first.
pub const FRAG_LATER: u8 = 2;

/// `tun_flags`: the outer UDP checksum was, or is to be, filled in.
pub const TUN_CSUM: u16 = 1;
/// `tun_flags`: the outer IPv4 header had, or is to have, DF.
pub const TUN_DF: u16 = 2;

/// One 802.1Q tag.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct Vlan {
    /// 0x8100 or 0x88a8; 0 where there is no tag.
    pub tpid: U16,
    /// PCP in bits 15-13, [`VLAN_PRESENT`], VID in bits 11-0. DEI is not kept.
    pub tci: U16,
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(8))]
pub struct FlowKey {
    /// Tunnel key, for VXLAN the VNI (24 bits); zero for packets from other ports.
    pub tun_id: U64,
    /// Where the packet came in: in caches the datapath's [`crate::state::PortId`], in flow tables
    /// the bridge's OpenFlow port number (translation replaces the one with the other).
    pub in_port: U32,
    /// Where a packet that was taken apart goes on (see [`crate::translate::Frozen`]); 0: it has
    /// just arrived. Every decision looks at it and at the port, so they share a word.
    pub recirc: U32,
    /// Outer IPv4 source; zero where the underlay is IPv6 or there is no tunnel.
    pub tun_src: U32,
    /// Outer IPv4 destination.
    pub tun_dst: U32,
    /// Outer IPv6 source.
    pub tun_ipv6_src: [u8; 16],
    /// Outer IPv6 destination.
    pub tun_ipv6_dst: [u8; 16],
    /// Destination MAC address.
    pub eth_dst: [u8; 6],
    /// Source MAC address.
    pub eth_src: [u8; 6],
    /// EtherType behind the VLAN tags; 0x05ff for an 802.2 frame without SNAP.
    pub eth_type: U16,
    /// Padding; always zero.
    pub pad0: U16,
    /// VLAN tags, outermost first.
    pub vlan: [Vlan; 2],
    /// MPLS label stack entries, outermost first.
    pub mpls: [U32; MPLS_DEPTH],
    /// [`TUN_CSUM`], [`TUN_DF`].
    pub tun_flags: U16,
    /// Outer TOS byte.
    pub tun_tos: u8,
    /// Outer TTL.
    pub tun_ttl: u8,
    /// IPv6 flow label (20 bits).
    pub ipv6_label: U32,
    /// PBB service instance (24 bits).
    pub pbb: U32,
    /// IP protocol (behind IPv6 extension headers), or the low byte of ARP's opcode.
    pub ip_proto: u8,
    /// DSCP (bits 7-2) and ECN (bits 1-0).
    pub ip_tos: u8,
    /// TTL or hop limit.
    pub ip_ttl: u8,
    /// [`FRAG_ANY`], [`FRAG_LATER`].
    pub ip_frag: u8,
    /// TCP, UDP or SCTP source port, or ICMP type.
    pub tp_src: U16,
    /// TCP, UDP or SCTP destination port, or ICMP code.
    pub tp_dst: U16,
    /// IPv4 source, or ARP's sender protocol address.
    pub ipv4_src: U32,
    /// IPv4 destination, or ARP's target protocol address.
    pub ipv4_dst: U32,
    /// IPv6 source.
    pub ipv6_src: [u8; 16],
    /// IPv6 destination.
    pub ipv6_dst: [u8; 16],
    /// ND target address.
    pub nd_target: [u8; 16],
    /// ARP sender hardware address, or ND source link-layer address.
    pub arp_sha: [u8; 6],
    /// ARP target hardware address, or ND target link-layer address.
    pub arp_tha: [u8; 6],
    /// TCP flags (12 bits).
    pub tcp_flags: U16,
    /// IPv6 extension header flags (OpenFlow 1.3 `OFPIEH_*`, 9 bits).
    pub ipv6_exthdr: U16,
    /// OpenFlow metadata.
    pub metadata: U64,
    /// Physical port below `in_port`; the same for all ports here.
    pub in_phy_port: U32,
    /// Padding; always zero.
    pub pad1: U32,
    /// Registers.
    pub regs: [U32; REGISTERS],
}

const _: () = assert!(size_of::<FlowKey>() == KEY_WORDS * 8);

impl Default for FlowKey {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl FlowKey {
    /// The key as words (their byte order is the memory's; only good for masks and hashes).
    #[must_use]
    pub fn words(&self) -> &[u64; KEY_WORDS] {
        zerocopy::transmute_ref!(self)
    }

    /// The words that a packet decides (see the module).
    #[inline]
    #[must_use]
    pub fn packet_words(&self) -> &[u64; PACKET_WORDS] {
        self.words().first_chunk().expect("a key is longer than its packet's part")
    }

    /// Zeroes the words that a packet decides, for [`super::extract()`] to fill. Whoever keeps a key for one
    /// packet after the other and never writes the rest of it saves zeroing that.
    #[inline]
    pub fn clear_packet(&mut self) {
        self.words_mut()[..PACKET_WORDS].fill(0);
    }

    /// The key as words, to be changed.
    pub fn words_mut(&mut self) -> &mut [u64; KEY_WORDS] {
        zerocopy::transmute_mut!(self)
    }

    /// Whether the packet carries a VLAN tag.
    #[must_use]
    pub fn has_vlan(&self) -> bool {
        self.vlan[0].tci.get() & VLAN_PRESENT != 0
    }
}

impl std::fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::text::format_key(self))
    }
}
