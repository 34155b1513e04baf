//! Actions (section 7.2.5).

use super::field::{WireField, by_field, by_id};
use super::matching::{new_port, oxm, value_and_mask};
use crate::wire::action::Action as WireAction;
use crate::wire::error::{WireError, bad_action, kind};
use crate::wire::oxm::{NXM_0, Oxm, OxmId};
use dataplane::action::{Action, Output};
use dataplane::flow::key::VLAN_PRESENT;
use dataplane::flow::{Field, Match};
use dataplane::state::OfPort;
use dataplane::upcall::Reason;

/// `NXM_OF_IN_PORT`.
const OLD_IN_PORT_FIELD: OxmId = OxmId { class: NXM_0, field: 0 };
/// `OFPP_IN_PORT` of OpenFlow 1.0, as `resubmit` has it.
const OLD_IN_PORT: u16 = 0xfff8;
/// `resubmit`'s table number for the current one.
const SAME_TABLE: u8 = 255;
/// The groups' and queues' "all" and "any" are no actions' arguments.
const QUEUE_ALL: u32 = u32::MAX;

const fn bad(code: u16) -> WireError {
    WireError::new(kind::BAD_ACTION, code)
}

/// Actions from the wire, of a rule with this match; those of buckets and packet-outs have the empty
/// one.
///
/// # Errors
/// `OFPET_BAD_ACTION`.
pub fn list_from_wire(actions: &[WireAction], m: &Match) -> Result<Vec<Action>, WireError> {
    actions.iter().map(|a| from_wire(a, m)).collect()
}

fn from_wire(action: &WireAction, m: &Match) -> Result<Action, WireError> {
    Ok(match action {
        WireAction::Output { port, max_len } => {
            Action::Output(Output { port: OfPort(*port), max_len: *max_len })
        }
        WireAction::CopyTtlOut => Action::CopyTtlOut,
        WireAction::CopyTtlIn => Action::CopyTtlIn,
        WireAction::SetMplsTtl(ttl) => set(Field::MplsTtl, (*ttl).into()),
        WireAction::DecMplsTtl => Action::DecMplsTtl,
        WireAction::PushVlan(tpid) => Action::PushVlan(*tpid),
        WireAction::PopVlan => Action::PopVlan,
        WireAction::PushMpls(ethertype) => Action::PushMpls(*ethertype),
        WireAction::PopMpls(ethertype) => Action::PopMpls(*ethertype),
        WireAction::SetQueue(QUEUE_ALL) => return Err(bad(bad_action::BAD_QUEUE)),
        WireAction::SetQueue(queue) => Action::SetQueue(*queue),
        WireAction::Group(group) => Action::Group(*group),
        WireAction::SetNwTtl(ttl) => set(Field::IpTtl, (*ttl).into()),
        WireAction::DecNwTtl => Action::DecTtl,
        WireAction::SetField(oxm) => set_field(oxm, m)?,
        WireAction::PushPbb(ethertype) => Action::PushPbb(*ethertype),
        WireAction::PopPbb => Action::PopPbb,
        WireAction::Load { field, bit, bits, value } => {
            let bits = bits_here(*field, *bit, *bits);
            let w = bits_of(*field, *bit, bits, m)?;
            if bits > 64 || bits < 64 && value >> bits != 0 {
                return Err(bad(bad_action::BAD_ARGUMENT));
            }
            Action::Load { field: w.field, bit: *bit, bits, value: *value }
        }
        WireAction::Move { src, src_bit, dst, dst_bit, bits } => {
            let here = bits_here(*src, *src_bit, *bits).min(bits_here(*dst, *dst_bit, *bits));
            Action::Move {
                src: bits_of(*src, *src_bit, here, m)?.field,
                src_bit: *src_bit,
                dst: bits_of(*dst, *dst_bit, here, m)?.field,
                dst_bit: *dst_bit,
                bits: here,
            }
        }
        WireAction::Resubmit { port, table } => Action::Resubmit {
            port: (*port != OLD_IN_PORT).then(|| new_port(*port)),
            table: (*table != SAME_TABLE).then_some(*table),
        },
        WireAction::Controller { max_len, id, reason } => Action::Controller {
            max_len: *max_len,
            id: *id,
            reason: match reason {
                0 => Reason::NoMatch,
                1 => Reason::Action,
                2 => Reason::InvalidTtl,
                _ => return Err(bad(bad_action::BAD_ARGUMENT)),
            },
        },
        WireAction::Note(bytes) => Action::Note(bytes.as_slice().into()),
    })
}

fn set(field: Field, value: u128) -> Action {
    Action::SetField { field, value, mask: field.max() }
}

fn set_field(oxm: &Oxm, m: &Match) -> Result<Action, WireError> {
    let w = by_id(oxm.id).ok_or(bad(bad_action::BAD_SET_TYPE))?;
    let set_argument = bad(bad_action::BAD_SET_ARGUMENT);
    let (value, mask) = value_and_mask(w, oxm).ok_or(set_argument)?;
    if mask == 0 {
        return Err(set_argument);
    }
    // Without the present bit (section 7.2.3.7) the tag would have to go: that is what pop is for.
    let present = u128::from(VLAN_PRESENT);
    if w.field == Field::VlanVid && mask & present != 0 && value & present == 0 {
        return Err(set_argument);
    }
    if w.needs.contradicted(m) {
        return Err(bad(bad_action::MATCH_INCONSISTENT));
    }
    Ok(Action::SetField { field: w.field, value, mask })
}

/// The whole of ARP's opcode has 16 bits on the wire, and 8 in the packet path, that all opcodes fit.
fn bits_here(id: OxmId, bit: u16, bits: u16) -> u16 {
    let is_opcode = by_id(id).is_some_and(|w| w.field == Field::ArpOp);
    if is_opcode && (bit, bits) == (0, 16) { 8 } else { bits }
}

/// The same the other way round.
fn bits_there(field: Field, bit: u16, bits: u16) -> u16 {
    if field == Field::ArpOp && (bit, bits) == (0, 8) { 16 } else { bits }
}

/// The field, if it has these bits.
fn bits_of(id: OxmId, bit: u16, bits: u16, m: &Match) -> Result<&'static WireField, WireError> {
    let w = by_id(id).ok_or(bad(bad_action::BAD_SET_TYPE))?;
    if bits == 0 || u32::from(bit) + u32::from(bits) > w.field.bits() {
        return Err(bad(bad_action::BAD_ARGUMENT));
    }
    if w.needs.contradicted(m) {
        return Err(bad(bad_action::MATCH_INCONSISTENT));
    }
    Ok(w)
}

/// Actions as they go over the wire.
#[must_use]
pub fn list_to_wire(actions: &[Action], m: &Match) -> Vec<WireAction> {
    actions.iter().map(|a| to_wire(a, m)).collect()
}

fn to_wire(action: &Action, m: &Match) -> WireAction {
    match action {
        Action::Output(o) => WireAction::Output { port: o.port.0, max_len: o.max_len },
        Action::PushVlan(tpid) => WireAction::PushVlan(*tpid),
        Action::PopVlan => WireAction::PopVlan,
        Action::SetField { field: Field::MplsTtl, value, mask: 0xff } => {
            WireAction::SetMplsTtl(*value as u8)
        }
        Action::SetField { field: Field::IpTtl, value, mask: 0xff } => {
            WireAction::SetNwTtl(*value as u8)
        }
        Action::SetField { field, value, mask } => {
            WireAction::SetField(oxm(by_field(*field, m), *value, *mask))
        }
        Action::DecTtl => WireAction::DecNwTtl,
        Action::Group(group) => WireAction::Group(*group),
        Action::SetQueue(queue) => WireAction::SetQueue(*queue),
        Action::PushMpls(ethertype) => WireAction::PushMpls(*ethertype),
        Action::PopMpls(ethertype) => WireAction::PopMpls(*ethertype),
        Action::PushPbb(ethertype) => WireAction::PushPbb(*ethertype),
        Action::PopPbb => WireAction::PopPbb,
        Action::DecMplsTtl => WireAction::DecMplsTtl,
        Action::CopyTtlOut => WireAction::CopyTtlOut,
        Action::CopyTtlIn => WireAction::CopyTtlIn,
        Action::Load { field, bit, bits, value } => WireAction::Load {
            field: by_field(*field, m).id,
            bit: *bit,
            bits: bits_there(*field, *bit, *bits),
            value: *value,
        },
        Action::Move { src, src_bit, dst, dst_bit, bits } => WireAction::Move {
            // Open vSwitch's tools move the port by its 16-bit name.
            src: match src {
                Field::InPort if src_bit + bits <= 16 => OLD_IN_PORT_FIELD,
                _ => by_field(*src, m).id,
            },
            src_bit: *src_bit,
            dst: by_field(*dst, m).id,
            dst_bit: *dst_bit,
            bits: *bits,
        },
        Action::Resubmit { port, table } => WireAction::Resubmit {
            port: port.map_or(OLD_IN_PORT, |p| p.0 as u16),
            table: table.unwrap_or(SAME_TABLE),
        },
        Action::Controller { max_len, id, reason } => {
            WireAction::Controller { max_len: *max_len, id: *id, reason: reason_to_wire(*reason) }
        }
        Action::Note(bytes) => WireAction::Note(bytes.to_vec()),
    }
}

/// `OFPR_*`.
#[must_use]
pub const fn reason_to_wire(reason: Reason) -> u8 {
    match reason {
        Reason::NoMatch => crate::wire::packet_in::REASON_NO_MATCH,
        Reason::Action => crate::wire::packet_in::REASON_ACTION,
        Reason::InvalidTtl => crate::wire::packet_in::REASON_INVALID_TTL,
    }
}
