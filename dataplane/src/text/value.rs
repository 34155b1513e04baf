//! Values and masks of fields, read and printed in each field's own notation.

use super::error::ParseError;
use super::names::{self, PortNames};
use crate::flow::Field;
use crate::flow::key::{FRAG_ANY, FRAG_LATER, TUN_CSUM, TUN_DF};
use crate::state::OfPort;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How a field's values are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notation {
    Decimal,
    /// Hexadecimal, with at least this many digits.
    Hex(usize),
    Mac,
    Ipv4,
    Ipv6,
    Port,
    Frag,
    Flags(&'static [(&'static str, u128)]),
}

/// Flags of TCP (RFC 9293 section 3.1), lowest bit first.
const TCP_FLAGS: &[(&str, u128)] = &[
    ("fin", 0x001),
    ("syn", 0x002),
    ("rst", 0x004),
    ("psh", 0x008),
    ("ack", 0x010),
    ("urg", 0x020),
    ("ece", 0x040),
    ("cwr", 0x080),
    ("ns", 0x100),
    ("[200]", 0x200),
    ("[400]", 0x400),
    ("[800]", 0x800),
];
const TUN_FLAGS: &[(&str, u128)] = &[("csum", TUN_CSUM as u128), ("df", TUN_DF as u128)];

/// Words for fragments: value and mask of `ip_frag`.
const FRAGS: &[(&str, u8, u8)] = &[
    ("no", 0, FRAG_ANY | FRAG_LATER),
    ("yes", FRAG_ANY, FRAG_ANY),
    ("first", FRAG_ANY, FRAG_ANY | FRAG_LATER),
    ("later", FRAG_ANY | FRAG_LATER, FRAG_ANY | FRAG_LATER),
    ("not_later", 0, FRAG_LATER),
];

fn notation(field: Field) -> Notation {
    match field {
        Field::Metadata | Field::TunId => Notation::Hex(1),
        Field::EthType | Field::VlanTci => Notation::Hex(4),
        Field::Ipv6Label => Notation::Hex(5),
        Field::EthSrc
        | Field::EthDst
        | Field::ArpSha
        | Field::ArpTha
        | Field::NdSll
        | Field::NdTll => Notation::Mac,
        Field::TunSrc
        | Field::TunDst
        | Field::Ipv4Src
        | Field::Ipv4Dst
        | Field::ArpSpa
        | Field::ArpTpa => Notation::Ipv4,
        Field::TunIpv6Src
        | Field::TunIpv6Dst
        | Field::Ipv6Src
        | Field::Ipv6Dst
        | Field::NdTarget => Notation::Ipv6,
        Field::InPort => Notation::Port,
        Field::IpFrag => Notation::Frag,
        Field::TcpFlags => Notation::Flags(TCP_FLAGS),
        Field::TunFlags => Notation::Flags(TUN_FLAGS),
        Field::TunTos
        | Field::TunTtl
        | Field::VlanVid
        | Field::VlanPcp
        | Field::IpProto
        | Field::IpDscp
        | Field::IpEcn
        | Field::IpTtl
        | Field::TpSrc
        | Field::TpDst
        | Field::IcmpType
        | Field::IcmpCode
        | Field::ArpOp
        | Field::InPhyPort
        | Field::MplsLabel
        | Field::MplsTc
        | Field::MplsBos
        | Field::MplsTtl => Notation::Decimal,
        // Identifiers and flags without names.
        Field::PbbIsid
        | Field::Ipv6Exthdr
        | Field::Reg0
        | Field::Reg1
        | Field::Reg2
        | Field::Reg3
        | Field::Reg4
        | Field::Reg5
        | Field::Reg6
        | Field::Reg7
        | Field::Reg8
        | Field::Reg9
        | Field::Reg10
        | Field::Reg11
        | Field::Reg12
        | Field::Reg13
        | Field::Reg14
        | Field::Reg15 => Notation::Hex(1),
    }
}

/// Whether a match may look at some of the field's bits only (ovs-fields(7)).
fn maskable(field: Field) -> bool {
    match notation(field) {
        Notation::Mac | Notation::Ipv4 | Notation::Ipv6 | Notation::Flags(_) => true,
        Notation::Port | Notation::Frag => false,
        Notation::Hex(_) => field != Field::EthType,
        Notation::Decimal => matches!(field, Field::VlanVid | Field::TpSrc | Field::TpDst),
    }
}

/// A number, decimal or hexadecimal with 0x.
pub(super) fn number(text: &str) -> Option<u128> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = hex.unwrap_or(text);
    // from_str_radix takes a sign, which a flow's numbers do not have.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(digits, if hex.is_some() { 16 } else { 10 }).ok()
}

/// A number of at most `bits` bits; `token` is what an error shows.
pub(super) fn bounded(token: &str, text: &str, bits: u32) -> Result<u128, ParseError> {
    let max = u128::MAX >> (128 - bits);
    number(text).filter(|n| *n <= max).ok_or_else(|| {
        ParseError::new(token, format!("expected a number of at most {bits} bits (0 to {max})"))
    })
}

/// A field's value and mask.
pub(super) fn parse(
    token: &str,
    field: Field,
    text: &str,
    ports: PortNames<'_>,
) -> Result<(u128, u128), ParseError> {
    match notation(field) {
        Notation::Port => {
            let port = names::port(text, ports).map_err(|e| ParseError::new(token, e.problem))?;
            return Ok((port.0.into(), field.max()));
        }
        Notation::Frag => {
            let frag = FRAGS.iter().find(|f| f.0 == text);
            let expected = "expected no, yes, first, later or not_later";
            let &(_, value, mask) = frag.ok_or_else(|| ParseError::new(token, expected))?;
            return Ok((value.into(), mask.into()));
        }
        Notation::Flags(names) if !text.starts_with(|c: char| c.is_ascii_digit()) => {
            return flags(token, names, text, field);
        }
        _ => {}
    }
    let Some((value, mask)) = text.split_once('/') else {
        return Ok((one(token, field, text)?, field.max()));
    };
    if !maskable(field) {
        return Err(ParseError::new(token, format!("{} takes no mask", field.name())));
    }
    let prefix = matches!(notation(field), Notation::Ipv4 | Notation::Ipv6)
        .then(|| mask.parse::<u32>().ok())
        .flatten();
    let mask = match prefix {
        Some(len) if len <= field.bits() => prefix_mask(len, field.bits()),
        Some(_) => {
            let expected = format!("expected a prefix length of 0 to {}", field.bits());
            return Err(ParseError::new(token, expected));
        }
        // "-1" is all ones.
        None if mask == "-1" => field.max(),
        None => one(token, field, mask)?,
    };
    Ok((one(token, field, value)? & mask, mask))
}

fn prefix_mask(len: u32, bits: u32) -> u128 {
    let all = u128::MAX >> (128 - bits);
    if len == 0 { 0 } else { all & !(all.checked_shr(len).unwrap_or(0)) }
}

/// A value without a mask.
fn one(token: &str, field: Field, text: &str) -> Result<u128, ParseError> {
    let expected = |what: &str| ParseError::new(token, format!("expected {what}"));
    match notation(field) {
        Notation::Mac => mac(text).ok_or_else(|| expected("a MAC address like 02:00:00:00:00:01")),
        Notation::Ipv4 => match text.parse::<Ipv4Addr>() {
            Ok(a) => Ok(u32::from(a).into()),
            Err(_) => Err(expected("an IPv4 address")),
        },
        Notation::Ipv6 => match text.parse::<Ipv6Addr>() {
            Ok(a) => Ok(a.into()),
            Err(_) => Err(expected("an IPv6 address")),
        },
        _ => bounded(token, text, field.bits()),
    }
}

fn mac(text: &str) -> Option<u128> {
    let mut value = 0;
    let mut bytes = 0;
    for part in text.split(':') {
        if part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        value = value << 8 | u128::from_str_radix(part, 16).ok()?;
        bytes += 1;
    }
    (bytes == 6).then_some(value)
}

/// `+syn-ack`: these bits, set and clear; `syn|ack`: just these set.
fn flags(
    token: &str,
    names: &[(&str, u128)],
    text: &str,
    field: Field,
) -> Result<(u128, u128), ParseError> {
    let bit = |name: &str| {
        names.iter().find(|f| f.0 == name).map(|f| f.1).ok_or_else(|| {
            let known: Vec<&str> = names.iter().map(|f| f.0).collect();
            let known = known.join(", ");
            ParseError::new(token, format!("unknown flag \"{name}\"; expected of: {known}"))
        })
    };
    if !text.starts_with(['+', '-']) {
        let mut value = 0;
        for name in text.split('|') {
            value |= bit(name)?;
        }
        return Ok((value, field.max()));
    }
    let (mut value, mut mask) = (0, 0);
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let end = rest[1..].find(['+', '-']).map_or(rest.len(), |i| i + 1);
        let bit = bit(&rest[1..end])?;
        if mask & bit != 0 {
            return Err(ParseError::new(token, "the same flag twice"));
        }
        mask |= bit;
        value |= if sign == '+' { bit } else { 0 };
        rest = &rest[end..];
    }
    Ok((value, mask))
}

/// Prints a value and its mask so that [`parse`] reads them again.
pub(super) fn format(field: Field, value: u128, mask: u128) -> String {
    let exact = mask == field.max();
    match notation(field) {
        Notation::Port => names::port_name(OfPort(value as u32)),
        Notation::Frag => {
            let frag = FRAGS.iter().find(|f| u128::from(f.1) == value && u128::from(f.2) == mask);
            frag.map_or_else(|| format!("{value:#x}/{mask:#x}"), |f| f.0.to_owned())
        }
        Notation::Mac if exact => format_mac(value),
        Notation::Mac => format!("{}/{}", format_mac(value), format_mac(mask)),
        Notation::Ipv4 => {
            let address = |v: u128| Ipv4Addr::from(v as u32);
            match prefix_len(mask, 32) {
                Some(32) => address(value).to_string(),
                Some(len) => format!("{}/{len}", address(value)),
                None => format!("{}/{}", address(value), address(mask)),
            }
        }
        Notation::Ipv6 => match prefix_len(mask, 128) {
            Some(128) => Ipv6Addr::from(value).to_string(),
            Some(len) => format!("{}/{len}", Ipv6Addr::from(value)),
            None => format!("{}/{}", Ipv6Addr::from(value), Ipv6Addr::from(mask)),
        },
        Notation::Flags(names) => format_flags(names, value, mask, exact),
        Notation::Decimal if exact => value.to_string(),
        Notation::Hex(digits) if exact => hex(value, digits),
        Notation::Decimal => format!("{value:#x}/{mask:#x}"),
        Notation::Hex(digits) => format!("{}/{}", hex(value, digits), hex(mask, digits)),
    }
}

/// As C's `%#x` does it: a zero without padding goes without 0x.
pub(super) fn hex(value: u128, digits: usize) -> String {
    if value == 0 && digits == 1 { "0".to_owned() } else { format!("0x{value:0digits$x}") }
}

fn prefix_len(mask: u128, bits: u32) -> Option<u32> {
    let len = mask.count_ones();
    (mask == prefix_mask(len, bits)).then_some(len)
}

fn format_mac(value: u128) -> String {
    let b = value.to_be_bytes();
    let [.., a, b, c, d, e, f] = b;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn format_flags(names: &[(&str, u128)], value: u128, mask: u128, exact: bool) -> String {
    let known = names.iter().fold(0, |a, f| a | f.1);
    if (value | if exact { 0 } else { mask }) & !known != 0 {
        return format!("{value:#x}/{mask:#x}");
    }
    if exact {
        let set: Vec<&str> = names.iter().filter(|f| value & f.1 != 0).map(|f| f.0).collect();
        return if set.is_empty() { "0".to_owned() } else { set.join("|") };
    }
    let bits = names.iter().filter(|f| mask & f.1 != 0);
    bits.map(|(name, bit)| format!("{}{name}", if value & bit != 0 { '+' } else { '-' })).collect()
}

/// Whether values of the field are plain numbers.
pub(super) fn is_number(field: Field) -> bool {
    matches!(notation(field), Notation::Decimal | Notation::Hex(_))
}
