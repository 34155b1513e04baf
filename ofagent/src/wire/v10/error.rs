//! Errors as OpenFlow 1.0 numbers them (section 5.4.4); those it does not have go out as Open
//! vSwitch's vendor errors (`nicira-ext.h`, `nx_vendor_error`; numbers: `ofp-errors.h`).

use crate::wire::bytes::Put;
use crate::wire::error::{
    ErrorMessage, WireError, bad_action, bad_instruction, bad_match, bad_request, flow_mod_failed,
    kind, role_request_failed,
};
use crate::wire::experimenter::NICIRA;

/// `NXET_VENDOR`; its only code, `NXVC_VENDOR_ERROR`, is 0.
const VENDOR: u16 = 0xb0c2;

/// `OFPET_FLOW_MOD_FAILED` of OpenFlow 1.0.
const FLOW_MOD_FAILED: u16 = 3;
/// `OFPET_PORT_MOD_FAILED` of OpenFlow 1.0.
const PORT_MOD_FAILED: u16 = 4;
/// `OFPET_QUEUE_OP_FAILED` of OpenFlow 1.0.
const QUEUE_OP_FAILED: u16 = 5;
/// `OFPBRC_BUFFER_UNKNOWN`, and `OFPBAC_BAD_QUEUE`: the last codes of their types.
const LAST_CODE: u16 = 8;

/// Type and code.
enum Number {
    Own(u16, u16),
    Nicira(u16, u16),
}

/// `NXBRC_UNENCODABLE_ERROR`.
const UNENCODABLE: Number = Number::Nicira(1, 521);

fn number(error: WireError) -> Number {
    use Number::{Nicira, Own};
    let WireError { kind, code } = error;
    match (kind, code) {
        (kind::HELLO_FAILED, _) => Own(kind, code),
        (kind::BAD_REQUEST | kind::BAD_ACTION, 0..=LAST_CODE) => Own(kind, code),
        (kind::BAD_REQUEST, bad_request::BAD_TABLE_ID) => Nicira(1, 512),
        (kind::BAD_REQUEST, bad_request::IS_SLAVE) => Own(kind, bad_request::EPERM),
        (kind::BAD_REQUEST, bad_request::BAD_PORT) => Nicira(1, 514),
        (kind::BAD_ACTION, bad_action::BAD_OUT_GROUP) => Nicira(kind, code),
        (kind::BAD_ACTION, bad_action::MATCH_INCONSISTENT) => Nicira(1, 522),
        (kind::BAD_ACTION, bad_action::BAD_SET_TYPE) => Nicira(1, 523),
        (kind::BAD_ACTION, bad_action::BAD_SET_LEN) => Nicira(1, 524),
        (kind::BAD_ACTION, bad_action::BAD_SET_ARGUMENT) => Nicira(1, 525),
        (kind::BAD_INSTRUCTION, bad_instruction::UNSUP_INST) => Nicira(2, 257),
        (kind::BAD_MATCH, bad_match::BAD_WILDCARDS) => Nicira(1, 262),
        (kind::BAD_MATCH, bad_match::BAD_FIELD) => Nicira(0, 263),
        (kind::BAD_MATCH, bad_match::BAD_VALUE) => Nicira(1, 258),
        (kind::BAD_MATCH, bad_match::BAD_MASK) => Nicira(1, 259),
        (kind::BAD_MATCH, bad_match::BAD_PREREQ) => Nicira(1, 260),
        (kind::BAD_MATCH, bad_match::DUP_FIELD) => Nicira(1, 261),
        (kind::FLOW_MOD_FAILED, flow_mod_failed::TABLE_FULL) => Own(FLOW_MOD_FAILED, 0),
        (kind::FLOW_MOD_FAILED, flow_mod_failed::OVERLAP) => Own(FLOW_MOD_FAILED, 1),
        (kind::FLOW_MOD_FAILED, flow_mod_failed::EPERM) => Own(FLOW_MOD_FAILED, 2),
        (kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_COMMAND) => Own(FLOW_MOD_FAILED, 4),
        (kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_TABLE_ID) => Nicira(5, 257),
        (kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_FLAGS) => Nicira(3, 258),
        (kind::GROUP_MOD_FAILED, _) => Nicira(kind, code),
        (kind::PORT_MOD_FAILED, 0 | 1) => Own(PORT_MOD_FAILED, code),
        (kind::QUEUE_OP_FAILED, _) => Own(QUEUE_OP_FAILED, code),
        (kind::ROLE_REQUEST_FAILED, role_request_failed::BAD_ROLE) => Nicira(1, 513),
        _ => UNENCODABLE,
    }
}

pub(super) fn encode(message: &ErrorMessage, out: &mut Vec<u8>) {
    match number(message.error) {
        Number::Own(kind, code) => {
            out.u16(kind);
            out.u16(code);
        }
        Number::Nicira(kind, code) => {
            out.u16(VENDOR);
            out.u16(0);
            out.u32(NICIRA);
            out.u16(kind);
            out.u16(code);
        }
    }
    out.extend_from_slice(&message.data);
}
