//! One pass over a frame's headers: the flow key, and where the headers are.
//!
//! Follows Open vSwitch's `miniflow_extract` in what it accepts, so that the same rules match the
//! same packets. Every header is read by one bounds check and then as an array; no input panics.

use super::key::{FRAG_ANY, FRAG_LATER, FlowKey, VLAN_PRESENT, Vlan};
use crate::wire::{arp, at, be16, ethernet, icmp, ipv4, ipv6, mpls, pbb, ports};

/// Where a frame's headers start, in bytes from its first byte; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of VLAN tags behind the MAC addresses (4 each) that were parsed or pushed. Extraction
    /// stops at a third tag, as Open vSwitch does.
    pub vlan_len: u16,
    /// Network header (IPv4, IPv6, ARP); 0 behind MPLS and PBB, whose inside is not looked at.
    pub l3: u16,
    /// Transport header, where the key's transport fields were read from.
    pub l4: u16,
}

impl Layout {
    /// First byte behind the Ethernet header and the VLAN tags: there are the MPLS label stack and the
    /// I-TAG, if the EtherType before it says so.
    #[must_use]
    pub fn l2_len(&self) -> usize {
        ethernet::HEADER_LEN + usize::from(self.vlan_len)
    }

    /// The EtherType behind the VLAN tags, as it stands in the frame (below 0x0600: a length).
    #[must_use]
    pub fn ethertype(&self, frame: &[u8]) -> Option<u16> {
        be16(frame, self.l2_len() - 2)
    }

    /// The layout of a frame whose key nobody needs.
    pub(crate) fn of(frame: &[u8]) -> Self {
        extract_rare(frame, &mut FlowKey::default())
    }

    /// Finds network and transport header anew, after an edit of what is behind the VLAN tags.
    #[inline(never)]
    pub(crate) fn find_network(&mut self, frame: &[u8]) {
        (self.l3, self.l4) = (0, 0);
        if let Some(ethertype) = self.ethertype(frame) {
            network(frame, self.l2_len(), ethertype, &mut FlowKey::default(), self);
        }
    }
}

/// Reads the key of `frame` into `key`, whose packet fields must be zero (metadata, tunnel fields and
/// in_port are left alone).
///
/// Never fails: what cannot be parsed (truncated, unknown) stays zero, from that header on.
#[inline]
pub fn extract(frame: &[u8], key: &mut FlowKey) -> Layout {
    let mut layout = Layout::default();
    let Some(h) = at::<{ ethernet::HEADER_LEN }>(frame, 0) else {
        return layout;
    };
    key.eth_dst = [h[0], h[1], h[2], h[3], h[4], h[5]];
    key.eth_src = [h[6], h[7], h[8], h[9], h[10], h[11]];
    let mut ethertype = u16::from_be_bytes([h[12], h[13]]);
    let mut l3 = ethernet::HEADER_LEN;

    for tag in &mut key.vlan {
        if !ethernet::is_vlan(ethertype) {
            break;
        }
        let Some(&[hi, lo, next_hi, next_lo]) = at(frame, l3) else {
            break;
        };
        let tci = u16::from_be_bytes([hi, lo]) & !ethernet::TCI_DEI | VLAN_PRESENT;
        *tag = Vlan { tpid: ethertype.into(), tci: tci.into() };
        ethertype = u16::from_be_bytes([next_hi, next_lo]);
        l3 += ethernet::TAG_LEN;
        layout.vlan_len += ethernet::TAG_LEN as u16;
    }
    network(frame, l3, ethertype, key, &mut layout);
    layout
}

/// [`extract`] where few packets pass, out of line: so it stays one with the code that all packets take.
#[inline(never)]
pub(crate) fn extract_rare(frame: &[u8], key: &mut FlowKey) -> Layout {
    extract(frame, key)
}

/// Reads what is behind the Ethernet header and its tags, at `l3`.
#[inline]
fn network(
    frame: &[u8],
    mut l3: usize,
    mut ethertype: u16,
    key: &mut FlowKey,
    layout: &mut Layout,
) {
    if ethertype < ethernet::TYPE_MIN {
        ethertype = match ethernet::snap_type(frame, l3) {
            Some(t) => {
                l3 += ethernet::SNAP_LEN;
                t
            }
            None => ethernet::NONE,
        };
    }
    key.eth_type = ethertype.into();

    match ethertype {
        ethernet::IPV4 => ip4(frame, l3, key, layout),
        ethernet::IPV6 => ip6(frame, l3, key, layout),
        ethernet::ARP | ethernet::RARP => arp(frame, l3, key, layout),
        ethernet::MPLS | ethernet::MPLS_MULTICAST => mpls(frame, l3, key),
        ethernet::PBB => pbb(frame, l3, key),
        _ => {}
    }
}

/// Offsets in a layout are 16 bits wide; a header beyond them (a chain of extension headers in a
/// frame longer than a packet may be) counts as none.
fn offset(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(0)
}

#[inline]
fn ip4(frame: &[u8], l3: usize, key: &mut FlowKey, layout: &mut Layout) {
    let Some(bytes) = at(frame, l3) else {
        return;
    };
    let h = ipv4::Ipv4(bytes);
    let (header_len, total_len) = (h.header_len(), h.total_len());
    // A header that contradicts itself or the frame: none of its fields can be believed.
    if header_len < ipv4::HEADER_LEN || total_len < header_len || frame.len() - l3 < total_len {
        return;
    }
    layout.l3 = offset(l3);
    key.ipv4_src = [bytes[12], bytes[13], bytes[14], bytes[15]].into();
    key.ipv4_dst = [bytes[16], bytes[17], bytes[18], bytes[19]].into();
    key.ip_proto = h.proto();
    key.ip_tos = h.tos();
    key.ip_ttl = h.ttl();
    if h.is_fragment() {
        key.ip_frag = FRAG_ANY;
        if h.is_later_fragment() {
            key.ip_frag |= FRAG_LATER;
            return;
        }
    }
    // Ethernet padding behind the packet is none of its payload.
    let l4 = l3 + header_len;
    transport(&frame[..l3 + total_len], l4, key, layout);
    if key.ip_frag != 0 {
        forget_ports(key);
    }
}

#[inline]
fn ip6(frame: &[u8], l3: usize, key: &mut FlowKey, layout: &mut Layout) {
    let Some(bytes) = at::<{ ipv6::HEADER_LEN }>(frame, l3) else {
        return;
    };
    let h = ipv6::Ipv6(bytes);
    let payload = l3 + ipv6::HEADER_LEN;
    if frame.len() - payload < h.payload_len() {
        return;
    }
    layout.l3 = offset(l3);
    let frame = &frame[..payload + h.payload_len()];
    let (addresses, _) = bytes[ipv6::SRC..].as_chunks::<16>();
    key.ipv6_src = addresses[0];
    key.ipv6_dst = addresses[1];
    key.ipv6_label = h.flow_label().into();
    key.ip_tos = h.traffic_class();
    key.ip_ttl = h.hop_limit();
    let Some(x) = ipv6::extensions(h.next_header(), &frame[payload..]) else {
        return;
    };
    key.ip_proto = x.proto;
    key.ipv6_exthdr = x.flags.into();
    if x.fragment {
        key.ip_frag = FRAG_ANY;
    }
    if x.later {
        key.ip_frag |= FRAG_LATER;
        return;
    }
    transport(frame, payload + x.len, key, layout);
    if key.ip_frag != 0 {
        forget_ports(key);
    }
}

/// The fragments of a packet are to be treated alike, and only the first has a transport header:
/// as in Open vSwitch (`ovs-ofctl set-frags BRIDGE normal`), the key of none has ports, or ICMP's type and
/// code. The layout says where the header is, for its checksum follows the addresses.
#[cold]
fn forget_ports(key: &mut FlowKey) {
    key.tp_src = 0.into();
    key.tp_dst = 0.into();
}

/// Reads the transport header at `l4`; `frame` ends where the IP packet does.
#[inline]
fn transport(frame: &[u8], l4: usize, key: &mut FlowKey, layout: &mut Layout) {
    let is_v6 = key.eth_type.get() == ethernet::IPV6;
    match key.ip_proto {
        ipv4::TCP => {
            let Some(h) = at::<{ ports::TCP_LEN }>(frame, l4) else {
                return;
            };
            key.tp_src = [h[0], h[1]].into();
            key.tp_dst = [h[2], h[3]].into();
            let flags = u16::from_be_bytes([h[12], h[13]]) & ports::TCP_FLAGS_MASK;
            key.tcp_flags = flags.into();
        }
        ipv4::UDP => {
            let Some(h) = at::<{ ports::UDP_LEN }>(frame, l4) else {
                return;
            };
            key.tp_src = [h[0], h[1]].into();
            key.tp_dst = [h[2], h[3]].into();
        }
        ipv4::SCTP => {
            let Some(h) = at::<{ ports::SCTP_LEN }>(frame, l4) else {
                return;
            };
            key.tp_src = [h[0], h[1]].into();
            key.tp_dst = [h[2], h[3]].into();
        }
        ipv4::ICMP if !is_v6 => {
            let Some(h) = at::<{ icmp::ICMP_LEN }>(frame, l4) else {
                return;
            };
            key.tp_src = u16::from(h[icmp::TYPE]).into();
            key.tp_dst = u16::from(h[icmp::CODE]).into();
        }
        ipv6::ICMPV6 if is_v6 => {
            let Some(h) = at::<{ icmp::ICMPV6_LEN }>(frame, l4) else {
                return;
            };
            key.tp_src = u16::from(h[icmp::TYPE]).into();
            key.tp_dst = u16::from(h[icmp::CODE]).into();
            neighbour(&frame[l4..], key);
        }
        _ => return,
    }
    layout.l4 = offset(l4);
}

fn neighbour(message: &[u8], key: &mut FlowKey) {
    if !icmp::is_nd(message) {
        return;
    }
    let (Some(target), Some(options)) = (at(message, icmp::ND_TARGET), icmp::nd_options(message))
    else {
        return;
    };
    key.nd_target = *target;
    let address = |o: Option<usize>| o.and_then(|o| at(message, o)).copied().unwrap_or_default();
    key.arp_sha = address(options.sll);
    key.arp_tha = address(options.tll);
}

fn arp(frame: &[u8], l3: usize, key: &mut FlowKey, layout: &mut Layout) {
    let Some(b) = at::<{ arp::LEN }>(frame, l3) else {
        return;
    };
    let a = arp::Arp(b);
    if !a.is_ethernet_ipv4() {
        return;
    }
    layout.l3 = offset(l3);
    key.ip_proto = u8::try_from(a.op()).unwrap_or(0);
    key.arp_sha = [b[8], b[9], b[10], b[11], b[12], b[13]];
    key.ipv4_src = [b[14], b[15], b[16], b[17]].into();
    key.arp_tha = [b[18], b[19], b[20], b[21], b[22], b[23]];
    key.ipv4_dst = [b[24], b[25], b[26], b[27]].into();
}

fn mpls(frame: &[u8], l3: usize, key: &mut FlowKey) {
    for (i, entry) in key.mpls.iter_mut().enumerate() {
        let Some(read) = mpls::entry(frame, l3 + mpls::LEN * i) else {
            return;
        };
        entry.set(read);
        if read & mpls::BOTTOM != 0 {
            return;
        }
    }
}

/// The I-SID is in the key; the customer's frame is not looked at before `pop_pbb`.
fn pbb(frame: &[u8], l3: usize, key: &mut FlowKey) {
    if let Some(itag) = at::<{ pbb::ITAG_LEN }>(frame, l3) {
        key.pbb.set(u32::from_be_bytes(*itag) & pbb::ISID);
    }
}

/// EtherType of the network header at `l3` of `frame`: it is in the two bytes before, whether tags
/// or a SNAP header come first.
#[must_use]
pub(crate) fn network_type(frame: &[u8], l3: u16) -> Option<u16> {
    be16(frame, usize::from(l3).checked_sub(2)?)
}
