//! Open vSwitch's own actions as text: `load`, `move`, `resubmit`, `controller`, `note`
//! (ovs-actions(7)).

use super::error::ParseError;
use super::names::{self, Known, Need, PortNames};
use super::{split, subfield, value};
use crate::action::{Action, Output};
use crate::flow::Field;
use crate::flow::key::VLAN_PRESENT;
use crate::state::OfPort;
use crate::upcall::Reason;
use std::fmt::Write;

/// `OFPCML_NO_BUFFER`: the whole packet to the controller.
const WHOLE: u16 = 0xffff;
/// Bytes of a note action's header, and what its length is rounded up to.
const NOTE_HEADER: usize = 10;
const NOTE_UNIT: usize = 8;

/// Reasons that a rule may give, as they are written.
const REASONS: &[(&str, Reason)] = &[
    ("action", Reason::Action),
    ("no_match", Reason::NoMatch),
    ("invalid_ttl", Reason::InvalidTtl),
];

/// A field of which an action writes some bits.
fn destination(
    part: &str,
    text: &str,
    value: Option<u64>,
    known: &mut Known,
) -> Result<subfield::Subfield, ParseError> {
    let dst = subfield::parse(part, text)?;
    if !dst.field.settable() {
        return Err(ParseError::new(part, format!("field {} cannot be set", dst.field.name())));
    }
    let present = dst.field == Field::VlanTci && dst.bit <= 12 && dst.bit + dst.bits > 12;
    match dst.field {
        // Writing the present bit makes or removes the tag, so it needs none.
        Field::VlanTci if present => {
            let tagged = value.is_some_and(|v| v << dst.bit & u64::from(VLAN_PRESENT) != 0);
            names::set_tagged(&mut known.packet, tagged);
        }
        Field::VlanTci => known.require(Need::Vlan, part)?,
        _ => known.require(dst.need, part)?,
    }
    match dst.field {
        Field::EthType => {
            known.packet.set_eth_type(value.filter(|_| dst.bits == 16).map(|v| v as u16))
        }
        Field::IpProto => known.packet.mask.0.ip_proto = 0,
        _ => {}
    }
    Ok(dst)
}

/// `VALUE->FIELD[BITS]`.
pub(super) fn load(part: &str, text: &str, known: &mut Known) -> Result<Action, ParseError> {
    let (number, dst) = text
        .split_once("->")
        .ok_or_else(|| ParseError::new(part, "expected load:VALUE->FIELD[FIRST..LAST]"))?;
    let value = value::bounded(part, number, 64)? as u64;
    let dst = destination(part, dst, Some(value), known)?;
    if dst.bits < 64 && value >> dst.bits != 0 {
        let problem = format!("the value does not fit into {} bits", dst.bits);
        return Err(ParseError::new(part, problem));
    }
    let subfield::Subfield { field, bit, bits, .. } = dst;
    Ok(Action::Load { field, bit, bits, value })
}

/// `FIELD[BITS]->FIELD[BITS]`.
pub(super) fn r#move(part: &str, text: &str, known: &mut Known) -> Result<Action, ParseError> {
    let (src, dst) = text
        .split_once("->")
        .ok_or_else(|| ParseError::new(part, "expected move:FIELD[...]->FIELD[...]"))?;
    let src = subfield::parse(part, src)?;
    known.require(src.need, part)?;
    let dst = destination(part, dst, None, known)?;
    if src.bits != dst.bits {
        let problem = format!("source has {} bits, destination {}", src.bits, dst.bits);
        return Err(ParseError::new(part, problem));
    }
    Ok(Action::Move {
        src: src.field,
        src_bit: src.bit,
        dst: dst.field,
        dst_bit: dst.bit,
        bits: src.bits,
    })
}

/// `PORT`, or `[PORT],[TABLE]`.
pub(super) fn resubmit(part: &str, text: &str, ports: PortNames<'_>) -> Result<Action, ParseError> {
    let (port, table) = text.split_once(',').unwrap_or((text, ""));
    let port = match port.trim() {
        "" => None,
        name => Some(names::port(name, ports).map_err(|e| ParseError::new(part, e.problem))?),
    };
    let table = match table.trim() {
        "" => None,
        number => Some(value::bounded(part, number, 8)? as u8),
    };
    // 255 is the table that the rule is in (`OFPTT_ALL`).
    let table = table.filter(|t| *t != 255);
    if port.is_none() && table.is_none() {
        return Err(ParseError::new(part, "expected resubmit:PORT or resubmit([PORT],[TABLE])"));
    }
    Ok(Action::Resubmit { port: port.filter(|p| *p != OfPort::IN_PORT), table })
}

pub(super) fn format_resubmit(port: Option<OfPort>, table: Option<u8>) -> String {
    let name = port.map(names::port_name);
    match (name, table) {
        (None, None) => "resubmit:IN_PORT".to_owned(),
        (Some(port), None) => format!("resubmit:{port}"),
        (port, Some(table)) => format!("resubmit({},{table})", port.unwrap_or_default()),
    }
}

/// `max_len=BYTES,id=CONTROLLER,reason=WORD`, each if wanted. What an output to CONTROLLER can say as
/// well becomes one, as in Open vSwitch.
pub(super) fn controller(part: &str, options: &str) -> Result<Action, ParseError> {
    let (mut max_len, mut id, mut reason) = (WHOLE, 0, Reason::Action);
    for option in split(options)? {
        let expected = "expected max_len=BYTES, id=CONTROLLER or reason=REASON in controller(...)";
        let (name, text) = option.split_once('=').ok_or_else(|| ParseError::new(part, expected))?;
        match name {
            "max_len" => max_len = value::bounded(part, text, 16)? as u16,
            "id" => id = value::bounded(part, text, 16)? as u16,
            "reason" => {
                let expected = "expected reason=action, no_match or invalid_ttl";
                let found = REASONS.iter().find(|r| r.0 == text);
                reason = found.ok_or_else(|| ParseError::new(part, expected))?.1;
            }
            _ => return Err(ParseError::new(part, expected)),
        }
    }
    if id == 0 && reason == Reason::Action {
        return Ok(Action::Output(Output { port: OfPort::CONTROLLER, max_len }));
    }
    Ok(Action::Controller { max_len, id, reason })
}

pub(super) fn format_controller(max_len: u16, id: u16, reason: Reason) -> String {
    if id == 0 && reason == Reason::Action {
        return format!("CONTROLLER:{max_len}");
    }
    let mut options = Vec::new();
    if reason != Reason::Action {
        let name = REASONS.iter().find(|r| r.1 == reason).map_or("", |r| r.0);
        options.push(format!("reason={name}"));
    }
    if max_len != WHOLE {
        options.push(format!("max_len={max_len}"));
    }
    if id != 0 {
        options.push(format!("id={id}"));
    }
    format!("controller({})", options.join(","))
}

/// Bytes in hexadecimal, with dots between them or without. Zeros fill the last eight bytes of the
/// action, as they do on the wire.
pub(super) fn note(part: &str, text: &str) -> Result<Action, ParseError> {
    let error = || ParseError::new(part, "expected note:BYTES, each of two hexadecimal digits");
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'.').collect();
    let mut bytes = Vec::new();
    for pair in digits.chunks(2) {
        let text = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2).ok_or_else(error)?;
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return Err(error());
        }
        bytes.push(u8::from_str_radix(text, 16).map_err(|_| error())?);
    }
    let whole = (NOTE_HEADER + bytes.len()).next_multiple_of(NOTE_UNIT);
    bytes.resize(whole - NOTE_HEADER, 0);
    Ok(Action::Note(bytes.into()))
}

pub(super) fn format_note(bytes: &[u8]) -> String {
    let mut text = "note:".to_owned();
    for (i, b) in bytes.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = write!(text, "{}{b:02x}", if i == 0 { "" } else { "." });
    }
    text
}
