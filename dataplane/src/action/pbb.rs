//! Pushes and pops PBB headers (OpenFlow 1.3.5 sections 5.12 and 7.2.5, IEEE 802.1Q section 9.7).

use crate::drop::DropReason;
use crate::flow::key::VLAN_PRESENT;
use crate::flow::prereq::ETH_PBB;
use crate::flow::{FlowKey, Layout};
use crate::packet::Packet;
use crate::wire::{ethernet, pbb};

/// Bytes of the two Ethernet addresses.
const ADDRESSES: usize = 12;

/// The I-TAG that pushing makes on a packet with this key ("Field values on push"): the I-SID of the
/// PBB header below, or 0, and the priority of the outermost VLAN tag, or 0.
#[must_use]
pub fn itag_on_push(key: &FlowKey) -> u32 {
    let isid = if key.eth_type.get() == ETH_PBB { key.pbb.get() & pbb::ISID } else { 0 };
    let tci = key.vlan[0].tci.get();
    let pcp = if tci & VLAN_PRESENT != 0 { tci >> 13 } else { 0 };
    u32::from(pcp) << pbb::PCP_SHIFT | isid
}

/// Pushes a backbone header in front of the whole frame, its VLAN tags included: a copy of the
/// addresses, 0x88e7 and the I-TAG. No B-TAG: that is a VLAN tag pushed afterwards.
pub fn push_pbb(p: &mut Packet, layout: &mut Layout, itag: u32) -> Result<(), DropReason> {
    if p.len() < ethernet::HEADER_LEN || !p.open_gap(0, pbb::HEADER_LEN) {
        return Err(DropReason::BadAction);
    }
    let data = p.data_mut();
    data.copy_within(pbb::HEADER_LEN..pbb::HEADER_LEN + ADDRESSES, 0);
    data[ADDRESSES..ethernet::HEADER_LEN].copy_from_slice(&ETH_PBB.to_be_bytes());
    data[ethernet::HEADER_LEN..pbb::HEADER_LEN].copy_from_slice(&itag.to_be_bytes());
    *layout = Layout::default();
    Ok(())
}

/// Removes the outermost PBB header: the customer's addresses become the frame's, EtherType 0x88e7 and
/// the I-TAG go. A B-TAG before them stays, as the specification has it ("It should be removed prior to
/// this operation via the pop VLAN action"). The layout is found anew.
pub fn pop_pbb(p: &mut Packet, layout: &mut Layout) -> Result<(), DropReason> {
    let itag = layout.l2_len();
    let customer = itag + pbb::ITAG_LEN;
    // The customer's EtherType must be there as well.
    if layout.ethertype(p.data()) != Some(ETH_PBB) || p.len() < customer + ethernet::HEADER_LEN {
        return Err(DropReason::BadAction);
    }
    p.data_mut().copy_within(customer..customer + ADDRESSES, 0);
    // From 0x88e7 to the end of the customer's addresses, which are in front by now.
    if !p.close_gap(itag - 2, pbb::HEADER_LEN) {
        return Err(DropReason::BadAction);
    }
    *layout = Layout::of(p.data());
    Ok(())
}
