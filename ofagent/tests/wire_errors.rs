//! What is wrong with a message: the specification's error type and code, as Open vSwitch gives them.

use ofagent::wire::error::{
    WireError, bad_action, bad_instruction, bad_match, bad_request, flow_mod_failed,
    group_mod_failed, kind, meter_mod_failed, role_request_failed, table_features_failed,
};
use ofagent::wire::{Message, TooLong, decode, encode, hello::Hello};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |d: &[u8]| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// What a message of this type with this body is answered with.
fn error_of(kind: u8, body: &[u8]) -> Option<(u16, u16)> {
    let mut message = vec![4, kind, 0, 0, 0, 0, 0, 1];
    message.extend_from_slice(body);
    let len = message.len() as u16;
    message[2..4].copy_from_slice(&len.to_be_bytes());
    decode(&message).err().map(|WireError { kind, code }| (kind, code))
}

/// A flow-mod that adds a flow with these match fields and instructions.
fn flow_mod(fields: &str, instructions: &str) -> Option<(u16, u16)> {
    let (fields, instructions) = (bytes(fields), bytes(instructions));
    let mut body = bytes("0000000000000000 0000000000000000 00 00 0000 0000 8000 ffffffff");
    body.extend(bytes("ffffffff ffffffff 0000 0000 0001"));
    body.extend((fields.len() as u16 + 4).to_be_bytes());
    body.extend_from_slice(&fields);
    body.resize(body.len() + (fields.len() + 4).next_multiple_of(8) - fields.len() - 4, 0);
    body.extend(instructions);
    error_of(14, &body)
}

fn matching(fields: &str) -> Option<(u16, u16)> {
    flow_mod(fields, "")
}

fn action(action: &str) -> Option<(u16, u16)> {
    let len = bytes(action).len() + 8;
    flow_mod("", &format!("0004 {len:04x} 00000000 {action}"))
}

const fn bad_match(code: u16) -> Option<(u16, u16)> {
    Some((kind::BAD_MATCH, code))
}

const fn bad_action(code: u16) -> Option<(u16, u16)> {
    Some((kind::BAD_ACTION, code))
}

const fn bad_inst(code: u16) -> Option<(u16, u16)> {
    Some((kind::BAD_INSTRUCTION, code))
}

const fn bad_request(code: u16) -> Option<(u16, u16)> {
    Some((kind::BAD_REQUEST, code))
}

#[test]
fn headers() {
    assert_eq!(error_of(30, &[]), bad_request(bad_request::BAD_TYPE));
    assert_eq!(error_of(5, &[0]), bad_request(bad_request::BAD_LEN));
    assert_eq!(error_of(9, &[0; 3]), bad_request(bad_request::BAD_LEN));
    assert_eq!(error_of(9, &[0; 5]), bad_request(bad_request::BAD_LEN));
    let old = [1, 5, 0, 8, 0, 0, 0, 1];
    assert_eq!(decode(&old), Err(WireError::bad_request(bad_request::BAD_VERSION)));
    let longer = [4, 5, 0, 9, 0, 0, 0, 1];
    assert_eq!(decode(&longer), Err(WireError::bad_request(bad_request::BAD_LEN)));
    assert_eq!(decode(&[4, 5]), Err(WireError::bad_request(bad_request::BAD_LEN)));
}

#[test]
fn hello_of_any_version_with_elements_of_any_kind() {
    let plain = decode(&bytes("01 00 0008 00000007"));
    assert_eq!(plain, Ok((7, Message::Hello(Hello { version: 1, bitmap: None }))));
    // An unknown element, then the bitmap.
    let both = decode(&bytes("06 00 0018 00000007 00050006 abcd0000 00010008 00000052"));
    assert_eq!(both, Ok((7, Message::Hello(Hello { version: 6, bitmap: Some(0x52) }))));
    // Elements that make no sense.
    let garbage = decode(&bytes("05 00 000e 00000007 0001ffff 0000"));
    assert_eq!(garbage, Ok((7, Message::Hello(Hello { version: 5, bitmap: None }))));
}

#[test]
fn match_structure() {
    // Standard match, and lengths below the header's and beyond the message's.
    let fixed = "0000000000000000 0000000000000000 00 00 0000 0000 8000 ffffffff ffffffff ffffffff \
                 0000 0000";
    let with = |m: &str| error_of(14, &bytes(&format!("{fixed} {m}")));
    assert_eq!(with("0000 0004 00000000"), bad_match(bad_match::BAD_TYPE));
    assert_eq!(with("0001 0003 00000000"), bad_match(bad_match::BAD_LEN));
    assert_eq!(with("0001 0009 00000000"), bad_match(bad_match::BAD_LEN));
    assert_eq!(with("0001 0004 00000000"), None);
    assert_eq!(matching("80000a02 08"), bad_match(bad_match::BAD_LEN));
    assert_eq!(matching("8000"), bad_match(bad_match::BAD_LEN));
}

#[test]
fn match_fields() {
    assert_eq!(matching("80000a02 0800"), None);
    // Unknown: number, class, experimenter.
    assert_eq!(matching("80006001 00"), bad_match(bad_match::BAD_FIELD));
    assert_eq!(matching("90000a02 0800"), bad_match(bad_match::BAD_FIELD));
    assert_eq!(matching("ffff5406 00000001 0001"), bad_match(bad_match::BAD_FIELD));
    assert_eq!(matching("ffff5403 000000"), bad_match(bad_match::BAD_LEN));
    // A known field of another length.
    assert_eq!(matching("80000a03 080000"), bad_match(bad_match::BAD_LEN));
    // Value bits outside the mask, a mask where there is none, all ones and none at all.
    assert_eq!(
        matching("80000610 001122334455 001122334400 00000000"),
        bad_match(bad_match::BAD_LEN)
    );
    assert_eq!(matching("8000070c 001122334455 001122334400"), bad_match(bad_match::BAD_WILDCARDS));
    assert_eq!(matching("80000b04 0800 ff00"), bad_match(bad_match::BAD_MASK));
    assert_eq!(matching("80000b04 0800 ffff"), None);
    assert_eq!(matching("80000b04 0000 0000"), None);
    // Bits beyond the width.
    assert_eq!(matching("80000c02 2000"), bad_match(bad_match::BAD_VALUE));
    assert_eq!(matching("80000a02 0800 80001001 40"), bad_match(bad_match::BAD_VALUE));
    assert_eq!(matching("80000a02 8847 80004404 00100000"), bad_match(bad_match::BAD_VALUE));
    // NXM_OF_IP_TOS has its DSCP above two zero bits.
    assert_eq!(matching("80000a02 0800 00000a01 fc"), None);
    assert_eq!(matching("80000a02 0800 00000a01 fd"), bad_match(bad_match::BAD_VALUE));
    // Twice, also as NXM and OXM of the same, and VLAN_TCI beside VLAN_VID.
    assert_eq!(matching("80000a02 0800 80000a02 0800"), bad_match(bad_match::DUP_FIELD));
    assert_eq!(matching("80000a02 0800 00000602 0800"), bad_match(bad_match::DUP_FIELD));
    assert_eq!(matching("80000c02 1005 00000802 1005"), bad_match(bad_match::DUP_FIELD));
}

#[test]
fn match_prerequisites_come_first() {
    assert_eq!(matching("80001401 06"), bad_match(bad_match::BAD_PREREQ));
    assert_eq!(matching("80001401 06 80000a02 0800"), bad_match(bad_match::BAD_PREREQ));
    assert_eq!(matching("80000a02 0800 80001401 06 80001a02 0050"), None);
    assert_eq!(
        matching("80000a02 0800 80001401 11 80001a02 0050"),
        bad_match(bad_match::BAD_PREREQ)
    );
    // A priority needs a tag: VLAN_VID with its present bit.
    assert_eq!(matching("80000c02 0000 80000e01 03"), bad_match(bad_match::BAD_PREREQ));
    assert_eq!(matching("80000c02 1005 80000e01 03"), None);
    assert_eq!(matching("80000d04 1000 1000 80000e01 03"), None);
    // A type that is wholly masked out says nothing.
    assert_eq!(matching("80000b04 0000 0000 80001401 06"), bad_match(bad_match::BAD_PREREQ));
    let nd = "80000a02 86dd 80001401 3a 80003a01";
    let target = "80003e10 fe800000000000000000000000000001";
    assert_eq!(matching(&format!("{nd} 87 {target}")), None);
    assert_eq!(matching(&format!("{nd} 86 {target}")), bad_match(bad_match::BAD_PREREQ));
    assert_eq!(
        matching(&format!("{nd} 88 80004006 001122334455")),
        bad_match(bad_match::BAD_PREREQ)
    );
    assert_eq!(matching("80000204 00000001"), bad_match(bad_match::BAD_PREREQ));
}

#[test]
fn actions() {
    assert_eq!(action("0000 0010 00000001 0000 000000000000"), None);
    assert_eq!(action("0000 0008 00000001"), bad_action(bad_action::BAD_LEN));
    assert_eq!(action("0000 0018 00000001 0000 000000000000"), bad_action(bad_action::BAD_LEN));
    assert_eq!(
        action("0000 0018 00000001 0000 000000000000 0000000000000000"),
        bad_action(bad_action::BAD_LEN)
    );
    assert_eq!(action("0012 0007 00000000"), bad_action(bad_action::BAD_LEN));
    assert_eq!(action("0012 0000 00000000"), bad_action(bad_action::BAD_LEN));
    assert_eq!(action("001c 0008 00000000"), bad_action(bad_action::BAD_TYPE));
    assert_eq!(action("0011 0008 08000000"), bad_action(bad_action::BAD_ARGUMENT));
    assert_eq!(action("0013 0008 81000000"), bad_action(bad_action::BAD_ARGUMENT));
    assert_eq!(action("001a 0008 81000000"), bad_action(bad_action::BAD_ARGUMENT));
    assert_eq!(
        action("ffff 0010 00000001 00000000 00000000"),
        bad_action(bad_action::BAD_EXPERIMENTER)
    );
    assert_eq!(
        action("ffff 0010 00002320 ffff 000000000000"),
        bad_action(bad_action::BAD_EXP_TYPE)
    );
}

#[test]
fn set_field() {
    assert_eq!(action("0019 0010 80000c02 1005 000000000000"), None);
    // Without OFPVID_PRESENT; bits beyond the width; fields that are no part of a packet.
    let argument = bad_action(bad_action::BAD_SET_ARGUMENT);
    assert_eq!(action("0019 0010 80000c02 0005 000000000000"), argument);
    assert_eq!(action("0019 0010 80000c02 3005 000000000000"), argument);
    assert_eq!(action("0019 0010 80001001 40 00000000000000"), argument);
    assert_eq!(action("0019 0010 80000004 00000001 00000000"), argument);
    assert_eq!(
        action("0019 0010 80006001 00 00000000000000"),
        bad_action(bad_action::BAD_SET_TYPE)
    );
    assert_eq!(action("0019 0010 80001003 00 00000000000000"), bad_action(bad_action::BAD_SET_LEN));
    assert_eq!(action("0019 0010 80000708 00 00000000000000"), bad_action(bad_action::BAD_SET_LEN));
    assert_eq!(action("0019 0008 80000606"), bad_action(bad_action::BAD_SET_LEN));
}

#[test]
fn open_vswitch_actions() {
    let load = |bits: u16, value: u64| {
        action(&format!("ffff 0018 00002320 0007 {bits:04x} 00010004 {value:016x}"))
    };
    assert_eq!(load(31, 5), None);
    assert_eq!(load(32, 5), bad_action(bad_action::BAD_SET_LEN));
    assert_eq!(load(1 << 6 | 31, 5), bad_action(bad_action::BAD_SET_LEN));
    assert_eq!(load(3, 16), bad_action(bad_action::BAD_ARGUMENT));
    let unknown = "ffff 0018 00002320 0007 0000 0001fe04 0000000000000000";
    assert_eq!(action(unknown), bad_action(bad_action::BAD_SET_TYPE));
    let no_bits = "ffff 0018 00002320 0006 0000 0000 0000 00010004 00010204";
    assert_eq!(action(no_bits), bad_action(bad_action::BAD_SET_LEN));
    // controller(userdata=...) would do less without its data.
    let userdata = "ffff 0020 00002320 0025 000000000000 0003 0008 01020304 0000000000000000";
    assert_eq!(action(userdata), bad_action(bad_action::BAD_ARGUMENT));
}

#[test]
fn instructions() {
    assert_eq!(flow_mod("", "0001 0008 05000000"), None);
    assert_eq!(flow_mod("", "0001 0008 ff000000"), bad_inst(bad_instruction::BAD_TABLE_ID));
    assert_eq!(flow_mod("", "0007 0008 00000000"), bad_inst(bad_instruction::UNKNOWN_INST));
    assert_eq!(flow_mod("", "ffff 0008 00000001"), bad_inst(bad_instruction::BAD_EXPERIMENTER));
    assert_eq!(
        flow_mod("", "0001 0010 05000000 0000000000000000"),
        bad_inst(bad_instruction::BAD_LEN)
    );
    assert_eq!(flow_mod("", "0001 0004"), bad_inst(bad_instruction::BAD_LEN));
    assert_eq!(flow_mod("", "0001 0010 05000000"), bad_inst(bad_instruction::BAD_LEN));
    assert_eq!(
        flow_mod("", "0001 0008 05000000 0001 0008 06000000"),
        bad_inst(bad_instruction::DUP_INST)
    );
}

#[test]
fn modifications() {
    let mut flow = bytes("0000000000000000 0000000000000000 00 05 0000 0000 8000 ffffffff");
    flow.extend(bytes("ffffffff ffffffff 0000 0000 0001 0004 00000000"));
    let failed = |code| Some((kind::FLOW_MOD_FAILED, code));
    assert_eq!(error_of(14, &flow), failed(flow_mod_failed::BAD_COMMAND));
    flow[17] = 0;
    flow[37] = 0x20;
    assert_eq!(error_of(14, &flow), failed(flow_mod_failed::BAD_FLAGS));

    let failed = |code| Some((kind::GROUP_MOD_FAILED, code));
    assert_eq!(error_of(15, &bytes("0003 00 00 00000001")), failed(group_mod_failed::BAD_COMMAND));
    assert_eq!(error_of(15, &bytes("0000 04 00 00000001")), failed(group_mod_failed::BAD_TYPE));
    let bucket = "0000 00 00 00000001 0008 0000 00000000";
    assert_eq!(error_of(15, &bytes(bucket)), failed(group_mod_failed::BAD_BUCKET));

    let failed = |code| Some((kind::METER_MOD_FAILED, code));
    assert_eq!(error_of(29, &bytes("0003 0001 00000001")), failed(meter_mod_failed::BAD_COMMAND));
    let experimenter = "0000 0001 00000001 ffff 0010 00000001 00000002 00000003";
    assert_eq!(error_of(29, &bytes(experimenter)), failed(meter_mod_failed::BAD_BAND));
    let short = "0000 0001 00000001 0001 000c 00000001 00000002";
    assert_eq!(error_of(29, &bytes(short)), bad_request(bad_request::BAD_LEN));

    let role = error_of(24, &bytes("00000004 00000000 0000000000000000"));
    assert_eq!(role, Some((kind::ROLE_REQUEST_FAILED, role_request_failed::BAD_ROLE)));
    let out = "ffffffff fffffffd 0018 000000000000 0000001000000001000000000000000000";
    assert_eq!(error_of(13, &bytes(out)), bad_request(bad_request::BAD_LEN));
}

#[test]
fn multipart() {
    assert_eq!(error_of(18, &bytes("000e 0000 00000000")), bad_request(bad_request::BAD_MULTIPART));
    assert_eq!(error_of(18, &bytes("0000 0000 00000000 00")), bad_request(bad_request::BAD_LEN));
    assert_eq!(
        error_of(18, &bytes("0004 0000 00000000 00000001")),
        bad_request(bad_request::BAD_LEN)
    );
    let features = |property: &str| {
        let property = bytes(property);
        let mut body = bytes("000c 0000 00000000");
        body.extend((64 + property.len() as u16).to_be_bytes());
        body.resize(8 + 64, 0);
        body.extend(property);
        error_of(18, &body)
    };
    let failed = |code| Some((kind::TABLE_FEATURES_FAILED, code));
    assert_eq!(features("0000 0008 0001 0004"), None);
    assert_eq!(features("0009 0004 00000000"), failed(table_features_failed::BAD_TYPE));
    assert_eq!(features("0000 0003 00000000"), failed(table_features_failed::BAD_LEN));
    assert_eq!(features("0000 0010 00000000"), failed(table_features_failed::BAD_LEN));
    assert_eq!(features("0000 0008 0001 0003"), failed(table_features_failed::BAD_LEN));
}

#[test]
fn a_message_that_cannot_say_its_length_is_not_written() {
    let mut out = vec![1, 2, 3];
    let longest = Message::EchoRequest(vec![0; 65535 - 8]);
    assert_eq!(encode(1, &longest, &mut out), Ok(()));
    assert_eq!(out.len(), 3 + 65535);
    let longer = Message::EchoRequest(vec![0; 65535 - 7]);
    assert_eq!(encode(1, &longer, &mut out), Err(TooLong { len: 65536 }));
    assert_eq!(out.len(), 3 + 65535);
}
