//! Executes the steps of a decision on a frame.
//!
//! A frame that has been queued on a port is never edited again: ports share it by its index until
//! the turn's end. An editing step behind an output goes on with a copy.

use super::list::Step;
use super::set_field::set_field;
use crate::drop::DropReason;
use crate::flow::Layout;
use crate::packet::{Packet, Pool};
use crate::port::TxItem;
use crate::state::PortId;
use crate::wire::{at_mut, be16, ethernet};

/// Runs `steps` on `packets[packet]` and hands every output to `out`. Copies are taken from `pool`
/// and pushed to `packets`. `layout` is the frame's, `hash` its flow's ([`crate::flow::hash()`]).
///
/// On an error the outputs handed out so far stay valid, and the steps behind it are not run; an
/// error within [`Step::Sub`] ends only those, and is reported at the end.
///
/// # Panics
/// If `packet` is not an index into `packets`.
pub fn apply(
    steps: &[Step],
    packet: u32,
    layout: Layout,
    hash: u32,
    packets: &mut Vec<Packet>,
    pool: &mut Pool,
    out: &mut impl FnMut(PortId, TxItem),
) -> Result<(), DropReason> {
    Run { hash, packets, pool, out }.run(steps, packet as usize, layout, false)
}

struct Run<'a, O> {
    hash: u32,
    packets: &'a mut Vec<Packet>,
    pool: &'a mut Pool,
    out: &'a mut O,
}

impl<O: FnMut(PortId, TxItem)> Run<'_, O> {
    /// `shared`: `packets[current]` is queued, or still needed as it is, and must not be edited.
    fn run(
        &mut self,
        all: &[Step],
        mut current: usize,
        mut layout: Layout,
        mut shared: bool,
    ) -> Result<(), DropReason> {
        let mut failed = Ok(());
        for (i, step) in all.iter().enumerate() {
            match step {
                Step::Output { port, tunnel } => {
                    shared = true;
                    let tunnel = tunnel.clone();
                    (self.out)(*port, TxItem { packet: current as u32, hash: self.hash, tunnel });
                }
                Step::Sub(steps) => {
                    // Nobody needs the frame as it is behind the last step.
                    shared |= i + 1 < all.len();
                    failed = failed.and(self.run(steps, current, layout, shared));
                }
                Step::PushVlan { tpid, tci } => {
                    push_vlan(self.own(&mut current, &mut shared), &mut layout, *tpid, *tci)?;
                }
                Step::PopVlan => pop_vlan(self.own(&mut current, &mut shared), &mut layout)?,
                Step::Set { field, value, mask } => {
                    set_field(
                        self.own(&mut current, &mut shared),
                        &mut layout,
                        *field,
                        *value,
                        *mask,
                    )?;
                }
                _ => {}
            }
        }
        failed
    }

    /// The packet to edit: a copy from here on if the current one is shared.
    fn own(&mut self, current: &mut usize, shared: &mut bool) -> &mut Packet {
        if std::mem::take(shared) {
            let copy = self.pool.clone_packet(&self.packets[*current]);
            *current = self.packets.len();
            self.packets.push(copy);
        }
        &mut self.packets[*current]
    }
}

/// Pushes a tag behind the MAC addresses.
pub fn push_vlan(
    p: &mut Packet,
    layout: &mut Layout,
    tpid: u16,
    tci: u16,
) -> Result<(), DropReason> {
    if p.len() < ethernet::HEADER_LEN || !p.open_gap(ethernet::TYPE, ethernet::TAG_LEN) {
        return Err(DropReason::BadAction);
    }
    if let Some(tag) = at_mut::<{ ethernet::TAG_LEN }>(p.data_mut(), ethernet::TYPE) {
        tag[..2].copy_from_slice(&tpid.to_be_bytes());
        tag[2..].copy_from_slice(&tci.to_be_bytes());
    }
    layout.vlan_len += ethernet::TAG_LEN as u16;
    for at in [&mut layout.l3, &mut layout.l4] {
        if *at != 0 {
            *at += ethernet::TAG_LEN as u16;
        }
    }
    Ok(())
}

/// Removes the outermost tag.
pub fn pop_vlan(p: &mut Packet, layout: &mut Layout) -> Result<(), DropReason> {
    let tagged = be16(p.data(), ethernet::TYPE).is_some_and(ethernet::is_vlan);
    // The EtherType behind the tag must be there as well.
    if !tagged
        || p.len() < ethernet::HEADER_LEN + ethernet::TAG_LEN
        || !p.close_gap(ethernet::TYPE, ethernet::TAG_LEN)
    {
        return Err(DropReason::BadAction);
    }
    layout.vlan_len = layout.vlan_len.saturating_sub(ethernet::TAG_LEN as u16);
    for at in [&mut layout.l3, &mut layout.l4] {
        *at = at.saturating_sub(ethernet::TAG_LEN as u16);
    }
    Ok(())
}
