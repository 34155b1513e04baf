//! Pushes and pops MPLS label stack entries (OpenFlow 1.3.5 sections 5.12 and 7.2.5, RFC 3032).

use crate::drop::DropReason;
use crate::flow::prereq::ETH_MPLS;
use crate::flow::{FlowKey, Layout};
use crate::packet::Packet;
use crate::wire::{at_mut, ethernet, mpls};

/// The entry that pushing makes on a packet with this key ("Field values on push"): a copy of the entry
/// below with the bottom bit clear, or label and traffic class 0 at the bottom of the stack with the
/// TTL of IP; TTL 0 on anything else.
#[must_use]
pub fn entry_on_push(key: &FlowKey) -> u32 {
    match key.eth_type.get() {
        t if ETH_MPLS.contains(&t) => key.mpls[0].get() & !mpls::BOTTOM,
        ethernet::IPV4 | ethernet::IPV6 => mpls::BOTTOM | u32::from(key.ip_ttl),
        _ => mpls::BOTTOM,
    }
}

/// Pushes an entry behind the VLAN tags and sets the EtherType before it. What is below is not looked
/// at any more: the layout has no network header then.
///
/// Fails with [`DropReason::BadAction`] on an 802.2 frame, which has no EtherType there.
pub fn push_mpls(
    p: &mut Packet,
    layout: &mut Layout,
    ethertype: u16,
    lse: u32,
) -> Result<(), DropReason> {
    let at = layout.l2_len();
    let is_type = layout.ethertype(p.data()).is_some_and(|t| t >= ethernet::TYPE_MIN);
    if !is_type || !p.open_gap(at, mpls::LEN) {
        return Err(DropReason::BadAction);
    }
    if let Some(bytes) = at_mut::<{ 2 + mpls::LEN }>(p.data_mut(), at - 2) {
        bytes[..2].copy_from_slice(&ethertype.to_be_bytes());
        bytes[2..].copy_from_slice(&lse.to_be_bytes());
    }
    (layout.l3, layout.l4) = (0, 0);
    Ok(())
}

/// Removes the outermost entry; what is below is of the EtherType that the action says, and the layout
/// is found anew.
pub fn pop_mpls(p: &mut Packet, layout: &mut Layout, ethertype: u16) -> Result<(), DropReason> {
    let at = layout.l2_len();
    let is_mpls = layout.ethertype(p.data()).is_some_and(|t| ETH_MPLS.contains(&t));
    if !is_mpls || !p.close_gap(at, mpls::LEN) {
        return Err(DropReason::BadAction);
    }
    if let Some(bytes) = at_mut::<2>(p.data_mut(), at - 2) {
        *bytes = ethertype.to_be_bytes();
    }
    layout.find_network(p.data());
    Ok(())
}
