//! Ethernet II, IEEE 802.2 LLC with SNAP, IEEE 802.1Q tags.

use super::at;

/// Length of the header: destination, source, type.
pub const HEADER_LEN: usize = 14;
/// Offset of the type (or length, or first tag).
pub const TYPE: usize = 12;
/// Length of a tag: TPID and TCI.
pub const TAG_LEN: usize = 4;
/// Length of an LLC header with SNAP (RFC 1042).
pub const SNAP_LEN: usize = 8;

/// First EtherType; below, the field is the length of an 802.2 frame (IEEE 802.3 section 3.2.6).
pub const TYPE_MIN: u16 = 0x0600;
/// IPv4.
pub const IPV4: u16 = 0x0800;
/// ARP.
pub const ARP: u16 = 0x0806;
/// RARP.
pub const RARP: u16 = 0x8035;
/// IPv6.
pub const IPV6: u16 = 0x86dd;
/// 802.1Q customer tag.
pub const VLAN: u16 = 0x8100;
/// 802.1ad service tag.
pub const QINQ: u16 = 0x88a8;
/// MPLS, unicast.
pub const MPLS: u16 = 0x8847;
/// MPLS with an upstream-assigned label (RFC 5332).
pub const MPLS_MULTICAST: u16 = 0x8848;
/// The I-TAG of provider backbone bridges (IEEE 802.1Q section 9.7).
pub const PBB: u16 = 0x88e7;
/// An 802.2 frame without SNAP, in flow keys (Open vSwitch `FLOW_DL_TYPE_NONE`).
pub const NONE: u16 = 0x05ff;

/// Drop eligible indicator in the TCI.
pub const TCI_DEI: u16 = 0x1000;

/// Whether this EtherType is a tag's.
#[inline]
#[must_use]
pub const fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, VLAN | QINQ)
}

/// The EtherType in the LLC and SNAP header at `offset` (RFC 1042: AA AA 03, organisation zero).
#[must_use]
pub fn snap_type(frame: &[u8], offset: usize) -> Option<u16> {
    let [0xaa, 0xaa, 0x03, 0, 0, 0, hi, lo] = *at::<SNAP_LEN>(frame, offset)? else {
        return None;
    };
    Some(u16::from_be_bytes([hi, lo])).filter(|t| *t >= TYPE_MIN)
}
