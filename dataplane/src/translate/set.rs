//! Actions that change the packet. Each changes the key, for the tables to come, and adds a step.
//!
//! An action whose field the packet does not have does nothing: no packet is corrupted.

use super::{Flow, Lookup, Walk};
use crate::action::Step;
use crate::drop::DropReason;
use crate::flow::key::VLAN_PRESENT;
use crate::flow::prereq::Prerequisite;
use crate::flow::{Field, Vlan};

/// [`VLAN_PRESENT`] in a field's value.
const PRESENT: u128 = VLAN_PRESENT as u128;
/// TPID of tags that setting a TCI makes (IEEE 802.1Q).
const TPID: u16 = 0x8100;

impl<L: Lookup> Walk<'_, L> {
    /// Tags move when others are pushed or popped, so their bits are added all at once.
    fn unwildcard_vlans(&mut self) {
        for vlan in &mut self.wildcards.0.vlan {
            vlan.tpid.set(u16::MAX);
            vlan.tci.set(u16::MAX);
        }
    }

    pub(super) fn push_vlan(&mut self, tpid: u16) {
        self.unwildcard_vlans();
        // "Field values on push": VID and PCP are those of the tag below.
        let below = self.key.vlan[0];
        let tci = below.tci.get() & !VLAN_PRESENT;
        self.push_tag(tpid, tci);
    }

    /// Pushes a tag with this PCP and VID.
    pub(super) fn push_tag(&mut self, tpid: u16, tci: u16) {
        self.unwildcard_vlans();
        let tag = Vlan { tpid: tpid.into(), tci: (tci | VLAN_PRESENT).into() };
        self.key.vlan = [tag, self.key.vlan[0]];
        self.steps.push(Step::PushVlan { tpid, tci });
    }

    pub(super) fn pop_vlan(&mut self) {
        self.unwildcard_vlans();
        if self.key.has_vlan() {
            self.key.vlan = [self.key.vlan[1], Vlan::default()];
            self.steps.push(Step::PopVlan);
        }
    }

    pub(super) fn set_field(&mut self, field: Field, value: u128, mask: u128) {
        let mut mask = mask & field.max();
        if !field.settable() {
            return;
        }
        if field.beside_frame() {
            field.write_masked(&mut self.key, value, mask);
            return;
        }
        if field == Field::VlanTci && mask & PRESENT != 0 {
            // As in Open vSwitch: setting the present bit makes a tag, clearing it removes one.
            self.wildcards.0.vlan[0].tci.set(u16::MAX);
            if value & PRESENT == 0 {
                self.pop_vlan();
                return;
            }
            if !self.key.has_vlan() {
                self.push_tag(TPID, (value & mask & !PRESENT) as u16);
                return;
            }
        }
        if !field.prerequisite().met(&self.key, &mut self.wildcards) {
            return;
        }
        match field {
            // The present bit is not in the frame.
            Field::VlanVid | Field::VlanTci => mask &= !PRESENT,
            // Options of neighbour discovery: absent where the key has no address.
            Field::NdSll => {
                self.wildcards.0.arp_sha = [u8::MAX; 6];
                if self.key.arp_sha == [0; 6] {
                    return;
                }
            }
            Field::NdTll => {
                self.wildcards.0.arp_tha = [u8::MAX; 6];
                if self.key.arp_tha == [0; 6] {
                    return;
                }
            }
            _ => {}
        }
        field.write_masked(&mut self.key, value, mask);
        self.steps.push(Step::Set { field, value: value & mask, mask });
    }

    pub(super) fn dec_ttl(&mut self) -> Flow {
        if !Prerequisite::Ip.met(&self.key, &mut self.wildcards) {
            return Flow::Continue;
        }
        self.wildcards.0.ip_ttl = u8::MAX;
        if self.key.ip_ttl <= 1 {
            self.note(DropReason::TtlExpired);
            return Flow::Stop;
        }
        self.key.ip_ttl -= 1;
        let value = u128::from(self.key.ip_ttl);
        self.steps.push(Step::Set { field: Field::IpTtl, value, mask: Field::IpTtl.max() });
        Flow::Continue
    }
}
