//! Actions that change the packet. Each changes the key, for the tables to come, and adds a step.
//!
//! An action whose field the packet does not have does nothing: no packet is corrupted.

use super::{Flow, Lookup, Place, Source, Walk};
use crate::action::Step;
use crate::drop::DropReason;
use crate::flow::key::VLAN_PRESENT;
use crate::flow::prereq::Prerequisite;
use crate::flow::{Field, Vlan};
use crate::wire::ethernet;

/// [`VLAN_PRESENT`] in a field's value.
const PRESENT: u128 = VLAN_PRESENT as u128;
/// TTL in a label stack entry (RFC 3032 section 2.1).
pub(super) const MPLS_TTL: u32 = 0xff;
/// TPID of tags that setting a TCI makes (IEEE 802.1Q).
const TPID: u16 = 0x8100;

impl<L: Lookup> Walk<'_, L> {
    /// Tags move when others are pushed or popped, so their bits are added all at once.
    pub(super) fn unwildcard_vlans(&mut self) {
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
        // Three tags are more than a key has room for, and what is behind them is not looked at.
        self.stale |= self.key.vlan[1].tpid.get() != 0;
        let tag = Vlan { tpid: tpid.into(), tci: (tci | VLAN_PRESENT).into() };
        self.key.vlan = [tag, self.key.vlan[0]];
        self.steps.push(Step::PushVlan { tpid, tci });
    }

    pub(super) fn pop_vlan(&mut self) {
        self.unwildcard_vlans();
        if self.key.has_vlan() {
            if self.key.vlan[1].tpid.get() != 0 {
                // The type says whether there is a third.
                self.wildcards.0.eth_type.set(u16::MAX);
                self.stale |= ethernet::is_vlan(self.key.eth_type.get());
            }
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
        // These say what is behind them.
        self.stale |= matches!(field, Field::EthType | Field::IpProto | Field::MplsBos);
    }

    /// Sets `bits` bits of a field from `bit` on.
    pub(super) fn load(&mut self, field: Field, bit: u16, bits: u16, value: u64) {
        let mask = ones(bits);
        if bit < 128 {
            self.set_field(field, (u128::from(value) & mask) << bit, mask << bit);
        }
    }

    /// Copies bits from one field, from this bit on, to another.
    pub(super) fn copy_bits(&mut self, src: (Field, u16), dst: (Field, u16), bits: u16) {
        let ((src, src_bit), (dst, dst_bit)) = (src, dst);
        if src_bit >= 128 || dst_bit >= 128 {
            return;
        }
        if !src.prerequisite().met(&self.key, &mut self.wildcards) {
            return;
        }
        let mask = ones(bits);
        src.write_masked(&mut self.wildcards.0, u128::MAX, mask << src_bit);
        let value = src.read(&self.key) >> src_bit & mask;
        self.set_field(dst, value << dst_bit, mask << dst_bit);
    }

    /// The IP header's; a label's is [`Self::dec_mpls_ttl`]'s.
    pub(super) fn dec_ttl(&mut self, at: &Place<'_>, source: Source) -> Flow {
        if !Prerequisite::Ip.met(&self.key, &mut self.wildcards) {
            return Flow::Continue;
        }
        self.wildcards.0.ip_ttl = u8::MAX;
        self.decrement(at, source, Field::IpTtl)
    }

    pub(super) fn dec_mpls_ttl(&mut self, at: &Place<'_>, source: Source) -> Flow {
        // Only an action set can meet another packet; as in Open vSwitch, it ends there.
        if !Prerequisite::Mpls.met(&self.key, &mut self.wildcards) {
            self.note(DropReason::BadAction);
            return Flow::Stop;
        }
        self.wildcards.0.mpls[0].set(self.wildcards.0.mpls[0].get() | MPLS_TTL);
        self.decrement(at, source, Field::MplsTtl)
    }

    /// A TTL that the packet has.
    fn decrement(&mut self, at: &Place<'_>, source: Source, field: Field) -> Flow {
        let ttl = field.read(&self.key);
        if ttl <= 1 {
            self.ttl_expired(at, source);
            return Flow::Stop;
        }
        field.write(&mut self.key, ttl - 1);
        self.steps.push(Step::Set { field, value: ttl - 1, mask: field.max() });
        Flow::Continue
    }
}

/// So many 1-bits.
fn ones(bits: u16) -> u128 {
    u128::MAX.checked_shr(128 - u32::from(bits.min(128))).unwrap_or(0)
}
