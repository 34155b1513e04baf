//! Open vSwitch's extension actions (`NXAST_*`, ovs-actions(7)): those that everyday use needs.

use super::WHOLE_PACKET;
use super::action::{Action, bad, ether_type, field_header, set_field};
use super::bytes::{Put, Reader};
use super::error::{WireError, bad_action};
use super::experimenter::NICIRA;
use super::oxm::{FieldInfo, Header, Oxm, OxmId, basic, lookup};
use super::packet_in::REASON_ACTION;

const RESUBMIT: u16 = 1;
const SET_TUNNEL: u16 = 2;
const REG_MOVE: u16 = 6;
const REG_LOAD: u16 = 7;
const NOTE: u16 = 8;
const SET_TUNNEL64: u16 = 9;
const RESUBMIT_TABLE: u16 = 14;
const DEC_TTL: u16 = 18;
const CONTROLLER: u16 = 20;
const PUSH_MPLS: u16 = 23;
const POP_MPLS: u16 = 24;
const SET_MPLS_TTL: u16 = 25;
const DEC_MPLS_TTL: u16 = 26;
const REG_LOAD2: u16 = 33;
const CONTROLLER2: u16 = 37;

/// `NXAC2PT_MAX_LEN`.
const PROPERTY_MAX_LEN: u16 = 0;
/// `NXAC2PT_CONTROLLER_ID`.
const PROPERTY_CONTROLLER_ID: u16 = 1;
/// `NXAC2PT_REASON`.
const PROPERTY_REASON: u16 = 2;

/// `OFPP_IN_PORT` as a port number of 16 bits.
pub const RESUBMIT_IN_PORT: u16 = 0xfff8;
/// The table that a resubmit action itself is in.
pub const RESUBMIT_SAME_TABLE: u8 = 255;

/// Reads an experimenter action, type and length already taken.
pub(super) fn decode(body: &mut Reader<'_>) -> Result<Action, WireError> {
    if body.u32()? != NICIRA {
        return Err(bad(bad_action::BAD_EXPERIMENTER));
    }
    let subtype = body.u16()?;
    let action = match subtype {
        RESUBMIT => {
            let port = body.u16()?;
            body.skip(4)?;
            Action::Resubmit { port, table: RESUBMIT_SAME_TABLE }
        }
        RESUBMIT_TABLE => {
            let port = body.u16()?;
            let table = body.u8()?;
            body.skip(3)?;
            Action::Resubmit { port, table }
        }
        SET_TUNNEL => {
            body.skip(2)?;
            set_tunnel(u64::from(body.u32()?))
        }
        SET_TUNNEL64 => {
            body.skip(6)?;
            set_tunnel(body.u64()?)
        }
        REG_MOVE => reg_move(body)?,
        REG_LOAD => reg_load(body)?,
        REG_LOAD2 => {
            let oxm = set_field(body, true)?;
            if body.rest().iter().any(|b| *b != 0) {
                return Err(bad(bad_action::BAD_SET_ARGUMENT));
            }
            Action::SetField(oxm)
        }
        NOTE => Action::Note(body.rest().to_vec()),
        DEC_TTL => {
            body.skip(6)?;
            Action::DecNwTtl
        }
        CONTROLLER => {
            let max_len = body.u16()?;
            let id = body.u16()?;
            let reason = body.u8()?;
            body.skip(1)?;
            Action::Controller { max_len, id, reason }
        }
        CONTROLLER2 => controller2(body)?,
        PUSH_MPLS => {
            let ether_type = ether_type(body, &[0x8847, 0x8848])?;
            body.skip(2)?;
            Action::PushMpls(ether_type)
        }
        POP_MPLS => {
            let ether_type = ether_type(body, &[])?;
            body.skip(2)?;
            Action::PopMpls(ether_type)
        }
        SET_MPLS_TTL => {
            let ttl = body.u8()?;
            body.skip(5)?;
            Action::SetMplsTtl(ttl)
        }
        DEC_MPLS_TTL => {
            body.skip(6)?;
            Action::DecMplsTtl
        }
        _ => return Err(bad(bad_action::BAD_EXP_TYPE)),
    };
    body.end()?;
    Ok(action)
}

fn set_tunnel(id: u64) -> Action {
    Action::SetField(Oxm {
        id: OxmId::basic(basic::TUNNEL_ID),
        len: 8,
        value: u128::from(id),
        mask: None,
    })
}

/// Bits of a field.
fn check_bits(field: &FieldInfo, bit: u16, bits: u16) -> Result<(), WireError> {
    if bits == 0 || u32::from(bit) + u32::from(bits) > u32::from(field.bits) {
        return Err(bad(bad_action::BAD_SET_LEN));
    }
    Ok(())
}

/// A field without its value; of a mask nothing is said either.
fn bare_field(body: &mut Reader<'_>) -> Result<&'static FieldInfo, WireError> {
    let (field, header) = field_header(body)?;
    if header.masked {
        return Err(bad(bad_action::BAD_SET_TYPE));
    }
    Ok(field)
}

fn reg_move(body: &mut Reader<'_>) -> Result<Action, WireError> {
    let bits = body.u16()?;
    let src_bit = body.u16()?;
    let dst_bit = body.u16()?;
    let src = bare_field(body)?;
    let dst = bare_field(body)?;
    // An experimenter's field makes the action longer than it is without.
    if body.rest().iter().any(|b| *b != 0) {
        return Err(bad(bad_action::BAD_ARGUMENT));
    }
    check_bits(src, src_bit, bits)?;
    check_bits(dst, dst_bit, bits)?;
    Ok(Action::Move { src: src.id, src_bit, dst: dst.id, dst_bit, bits })
}

fn reg_load(body: &mut Reader<'_>) -> Result<Action, WireError> {
    let packed = body.u16()?;
    let (bit, bits) = (packed >> 6, (packed & 0x3f) + 1);
    let field = bare_field(body)?;
    let value = body.u64()?;
    check_bits(field, bit, bits)?;
    if bits < 64 && value >> bits != 0 {
        return Err(bad(bad_action::BAD_ARGUMENT));
    }
    Ok(Action::Load { field: field.id, bit, bits, value })
}

fn controller2(body: &mut Reader<'_>) -> Result<Action, WireError> {
    body.skip(6)?;
    let (mut max_len, mut id, mut reason) = (WHOLE_PACKET, 0, REASON_ACTION);
    while !body.is_empty() {
        let kind = body.u16()?;
        let len = usize::from(body.u16()?);
        let value_len = len.checked_sub(4).ok_or(bad(bad_action::BAD_LEN))?;
        let mut value = body.part(value_len)?;
        body.skip((len.next_multiple_of(8) - len).min(body.left()))?;
        match kind {
            PROPERTY_MAX_LEN => max_len = value.u16()?,
            PROPERTY_CONTROLLER_ID => id = value.u16()?,
            PROPERTY_REASON => reason = value.u8()?,
            // Data of the user's, pausing, a meter: the action would do something else without.
            _ => return Err(bad(bad_action::BAD_ARGUMENT)),
        }
    }
    Ok(Action::Controller { max_len, id, reason })
}

/// Appends one of Open vSwitch's actions; others are [`Action`]'s own matter.
pub(super) fn encode(action: &Action, out: &mut Vec<u8>) {
    let start = out.len();
    match action {
        Action::SetField(oxm) => {
            header(REG_LOAD2, out);
            oxm.encode(out);
        }
        Action::Load { field, bit, bits, value } => {
            header(REG_LOAD, out);
            out.u16(bit << 6 | bits.wrapping_sub(1) & 0x3f);
            bare(*field, out);
            out.u64(*value);
        }
        Action::Move { src, src_bit, dst, dst_bit, bits } => {
            header(REG_MOVE, out);
            out.u16(*bits);
            out.u16(*src_bit);
            out.u16(*dst_bit);
            bare(*src, out);
            bare(*dst, out);
        }
        Action::Resubmit { port, table } => {
            header(RESUBMIT_TABLE, out);
            out.u16(*port);
            out.u8(*table);
            out.zeros(3);
        }
        Action::Controller { max_len, id, reason } => {
            header(CONTROLLER, out);
            out.u16(*max_len);
            out.u16(*id);
            out.u8(*reason);
            out.zeros(1);
        }
        Action::Note(note) => {
            header(NOTE, out);
            out.extend_from_slice(note);
        }
        _ => return,
    }
    out.pad8(start);
    out.patch_len(start + 2, start);
}

fn header(subtype: u16, out: &mut Vec<u8>) {
    out.u16(super::action::action_type::EXPERIMENTER);
    out.u16(0);
    out.u32(NICIRA);
    out.u16(subtype);
}

fn bare(id: OxmId, out: &mut Vec<u8>) {
    Header::encode(id, false, lookup(id).map_or(0, |f| f.bytes), out);
}
