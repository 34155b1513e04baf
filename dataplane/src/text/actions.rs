//! Actions and instructions as text.

use super::error::ParseError;
use super::names::{self, Known, Need, PortNames};
use super::{nicira, split, subfield, value};
use crate::action::{Action, Instructions, Output};
use crate::flow::key::VLAN_PRESENT;
use crate::flow::prereq::ETH_MPLS;
use crate::flow::{Field, Match};
use crate::state::OfPort;
use crate::wire::{ethernet, ipv4, ipv6};
use std::net::Ipv4Addr;

/// `OFPCML_NO_BUFFER`: the whole packet to the controller.
const WHOLE: u16 = 0xffff;
const PRESENT: u128 = VLAN_PRESENT as u128;

/// Parses what comes behind `actions=` of a rule with this match.
pub(super) fn parse(
    text: &str,
    matching: &Match,
    ports: PortNames<'_>,
) -> Result<Instructions, ParseError> {
    let mut i = Instructions::default();
    let mut known = Known { packet: *matching, checked: true };
    let mut last = (0, "");
    let parts = split(text)?;
    for part in &parts {
        let (name, argument) = name_and_argument(part)?;
        if name.eq_ignore_ascii_case("drop") {
            if parts.iter().any(|p| !p.eq_ignore_ascii_case("drop")) {
                return Err(ParseError::new(part, "drop goes with no other action or instruction"));
            }
            continue;
        }
        // They are done in this order however they are written; so they have to be written in it.
        let rank = match name {
            "meter" => 0,
            "clear_actions" => 2,
            "write_actions" => 3,
            "write_metadata" => 4,
            "goto_table" => 5,
            _ => 1,
        };
        if rank < last.0 {
            let problem = format!("must come before {}", last.1);
            return Err(ParseError::new(part, problem));
        }
        last = (rank, name);
        match name {
            "meter" => {
                let meter = value::bounded(part, argument.unwrap_or_default(), 32)?;
                i.meter = Some(meter as u32);
            }
            "apply_actions" => {
                for part in split(argument.unwrap_or_default())? {
                    i.apply.push(action(part, &mut known, ports)?);
                }
            }
            "clear_actions" => i.clear = true,
            "write_actions" => {
                for part in split(argument.unwrap_or_default())? {
                    i.write.push(action(part, &mut known, ports)?);
                }
            }
            "write_metadata" => {
                let text = argument.unwrap_or_default();
                let (value, mask) = value::parse(part, Field::Metadata, text, ports)?;
                i.metadata = Some((value as u64, mask as u64));
            }
            "goto_table" => {
                let table = value::bounded(part, argument.unwrap_or_default(), 8)?;
                i.goto_table = Some(table as u8);
            }
            _ => i.apply.push(action(part, &mut known, ports)?),
        }
    }
    Ok(i)
}

/// `name`, `name:argument` or `name(argument)`.
pub(super) fn name_and_argument(part: &str) -> Result<(&str, Option<&str>), ParseError> {
    if part.starts_with('"') {
        return Ok((part, None));
    }
    let Some(at) = part.find([':', '(', '=']) else {
        return Ok((part, None));
    };
    let (name, rest) = (&part[..at], &part[at + 1..]);
    if part.as_bytes()[at] != b'(' {
        return Ok((name, Some(rest)));
    }
    let inner =
        rest.strip_suffix(')').ok_or_else(|| ParseError::new(part, "expected a final )"))?;
    Ok((name, Some(inner)))
}

pub(super) fn action(
    part: &str,
    known: &mut Known,
    ports: PortNames<'_>,
) -> Result<Action, ParseError> {
    let (name, argument) = name_and_argument(part)?;
    let value = || {
        let problem = format!("expected {name}:VALUE");
        argument.filter(|a| !a.is_empty()).ok_or_else(|| ParseError::new(part, problem))
    };
    let bare = |a: Action| match argument {
        None | Some("") => Ok(a),
        Some(_) => Err(ParseError::new(part, format!("{name} takes no argument"))),
    };
    // An action of OpenFlow 1.0 that sets a whole field.
    let set = |field: Field, need: Need, known: &Known| {
        known.require(need, part)?;
        let (value, mask) = value::parse(part, field, value()?, ports)?;
        if mask != field.max() {
            return Err(ParseError::new(part, format!("{name} takes no mask")));
        }
        Ok(Action::SetField { field, value, mask })
    };
    match name {
        "output" => output(part, value()?, ports),
        "push_vlan" => {
            let tpid = value::bounded(part, value()?, 16)? as u16;
            if !ethernet::is_vlan(tpid) {
                return Err(ParseError::new(part, "expected push_vlan:0x8100 or push_vlan:0x88a8"));
            }
            names::set_tagged(&mut known.packet, true);
            Ok(Action::PushVlan(tpid))
        }
        "pop_vlan" | "strip_vlan" => {
            // Whether another tag follows is not known.
            names::set_tagged(&mut known.packet, false);
            bare(Action::PopVlan)
        }
        "mod_vlan_vid" => {
            let vid = value::bounded(part, value()?, 12)?;
            Ok(set_tag(known, Field::VlanVid, PRESENT | vid, vid, 0xfff))
        }
        "mod_vlan_pcp" => {
            let pcp = value::bounded(part, value()?, 3)?;
            Ok(set_tag(known, Field::VlanPcp, pcp, pcp << 13, 7 << 13))
        }
        "mod_dl_src" => set(Field::EthSrc, Need::Nothing, known),
        "mod_dl_dst" => set(Field::EthDst, Need::Nothing, known),
        "mod_nw_src" => set(Field::Ipv4Src, Need::Ipv4, known),
        "mod_nw_dst" => set(Field::Ipv4Dst, Need::Ipv4, known),
        "mod_nw_ecn" => set(Field::IpEcn, Need::Ip, known),
        "mod_nw_ttl" => set(Field::IpTtl, Need::Ip, known),
        "mod_nw_tos" => {
            known.require(Need::Ip, part)?;
            let tos = value::bounded(part, value()?, 8)?;
            if tos & 3 != 0 {
                return Err(ParseError::new(part, "expected a TOS with its ECN bits (3) clear"));
            }
            let field = Field::IpDscp;
            Ok(Action::SetField { field, value: tos >> 2, mask: field.max() })
        }
        "mod_tp_src" => set(Field::TpSrc, Need::Ports, known),
        "mod_tp_dst" => set(Field::TpDst, Need::Ports, known),
        "set_tunnel" | "set_tunnel64" => set(Field::TunId, Need::Nothing, known),
        "set_field" => set_field(part, value()?, known, ports),
        "dec_ttl" => {
            known.require(Need::Ip, part)?;
            bare(Action::DecTtl)
        }
        "push_mpls" => {
            let ethertype = value::bounded(part, value()?, 16)? as u16;
            if !ETH_MPLS.contains(&ethertype) {
                return Err(ParseError::new(part, "expected push_mpls:0x8847 or push_mpls:0x8848"));
            }
            known.packet.set_eth_type(Some(ethertype));
            Ok(Action::PushMpls(ethertype))
        }
        "pop_mpls" => {
            known.require(Need::Mpls, part)?;
            let ethertype = value::bounded(part, value()?, 16)? as u16;
            known.packet.set_eth_type(Some(ethertype));
            Ok(Action::PopMpls(ethertype))
        }
        "push_pbb" => {
            let ethertype = value::bounded(part, value()?, 16)? as u16;
            if ethertype != ethernet::PBB {
                return Err(ParseError::new(part, "expected push_pbb:0x88e7"));
            }
            known.packet.set_eth_type(Some(ethertype));
            names::set_tagged(&mut known.packet, false);
            Ok(Action::PushPbb(ethertype))
        }
        "pop_pbb" => {
            known.packet.set_eth_type(None);
            names::set_tagged(&mut known.packet, false);
            bare(Action::PopPbb)
        }
        "set_mpls_label" => set(Field::MplsLabel, Need::Mpls, known),
        "set_mpls_tc" => set(Field::MplsTc, Need::Mpls, known),
        "set_mpls_ttl" => set(Field::MplsTtl, Need::Mpls, known),
        "dec_mpls_ttl" => {
            known.require(Need::Mpls, part)?;
            bare(Action::DecMplsTtl)
        }
        "copy_ttl_out" => bare(Action::CopyTtlOut),
        "copy_ttl_in" => bare(Action::CopyTtlIn),
        "group" => Ok(Action::Group(value::bounded(part, value()?, 32)? as u32)),
        "set_queue" => Ok(Action::SetQueue(value::bounded(part, value()?, 32)? as u32)),
        "load" => nicira::load(part, value()?, known),
        "move" => nicira::r#move(part, value()?, known),
        "resubmit" => nicira::resubmit(part, argument.unwrap_or_default(), ports),
        "note" => nicira::note(part, argument.unwrap_or_default()),
        _ => {
            if name.eq_ignore_ascii_case("controller") {
                return match argument {
                    Some(options) if part.ends_with(')') => nicira::controller(part, options),
                    _ => output(part, part, ports),
                };
            }
            if argument.is_none()
                && let Ok(port) = names::port(part, ports)
            {
                return checked_output(part, port, 0);
            }
            let problem = "unknown action or port; expected output:PORT, a port, drop, group, \
                           push_... and pop_... (vlan, mpls, pbb), set_field, load, move, mod_..., \
                           set_mpls_..., set_queue, set_tunnel, dec_ttl, dec_mpls_ttl, copy_ttl_out, \
                           copy_ttl_in, resubmit, controller, note, or an instruction (meter, \
                           apply_actions, clear_actions, write_actions, write_metadata, goto_table)";
            Err(ParseError::new(part, problem))
        }
    }
}

/// Sets the VID or the PCP. Where the packet may have no tag, as Open vSwitch does with actions of
/// OpenFlow 1.0: one is pushed, by setting the TCI's present bit.
fn set_tag(known: &mut Known, field: Field, value: u128, tci: u128, tci_mask: u128) -> Action {
    if known.packet.key.has_vlan() {
        return Action::SetField { field, value, mask: field.max() };
    }
    names::set_tagged(&mut known.packet, true);
    Action::SetField { field: Field::VlanTci, value: PRESENT | tci, mask: PRESENT | tci_mask }
}

fn output(part: &str, target: &str, ports: PortNames<'_>) -> Result<Action, ParseError> {
    let is_controller = target.get(..10).is_some_and(|t| t.eq_ignore_ascii_case("controller"));
    if is_controller {
        let max_len = match target[10..].strip_prefix(':') {
            Some(len) => value::bounded(part, len, 16)? as u16,
            None if target.len() == 10 => WHOLE,
            None => return Err(ParseError::new(part, "expected CONTROLLER or CONTROLLER:BYTES")),
        };
        return checked_output(part, OfPort::CONTROLLER, max_len);
    }
    let port = names::port(target, ports).map_err(|e| ParseError::new(part, e.problem))?;
    checked_output(part, port, if port == OfPort::CONTROLLER { WHOLE } else { 0 })
}

fn checked_output(part: &str, port: OfPort, max_len: u16) -> Result<Action, ParseError> {
    if port == OfPort::ANY || port == OfPort::TABLE || port.0 == 0 {
        return Err(ParseError::new(part, "a rule cannot output to this port"));
    }
    let max_len = if port == OfPort::CONTROLLER && max_len == 0 { WHOLE } else { max_len };
    Ok(Action::Output(Output { port, max_len }))
}

/// `VALUE[/MASK]->FIELD`.
fn set_field(
    part: &str,
    argument: &str,
    known: &mut Known,
    ports: PortNames<'_>,
) -> Result<Action, ParseError> {
    let (text, name) = argument
        .rsplit_once("->")
        .ok_or_else(|| ParseError::new(part, "expected set_field:VALUE[/MASK]->FIELD"))?;
    let (field, need) = names::field(name)
        .ok_or_else(|| ParseError::new(part, format!("unknown field \"{name}\"")))?;
    if !field.settable() {
        return Err(ParseError::new(part, format!("field {name} cannot be set")));
    }
    // The old names for ARP's fields are for matches only.
    let need = if need == Need::Ipv4OrArp { Need::Ipv4 } else { need };
    known.require(need, part)?;
    let (mut value, mask) = set_value(part, field, text, ports)?;
    if mask == 0 {
        return Err(ParseError::new(part, "the mask selects no bit"));
    }
    match field {
        // OpenFlow wants the present bit in the value; people leave it out.
        Field::VlanVid if mask & PRESENT != 0 => value |= PRESENT,
        Field::VlanTci if mask & PRESENT != 0 => {
            names::set_tagged(&mut known.packet, value & PRESENT != 0)
        }
        // Without the bit, the packet must have a tag to be edited.
        Field::VlanTci => known.require(Need::Vlan, part)?,
        Field::EthType => known.packet.set_eth_type(Some(value as u16)),
        Field::IpProto => {
            field.write(&mut known.packet.key, value);
            field.write(&mut known.packet.mask.0, field.max());
        }
        _ => {}
    }
    Ok(Action::SetField { field, value, mask })
}

/// Unlike a match, an action may set some bits of any field.
fn set_value(
    part: &str,
    field: Field,
    text: &str,
    ports: PortNames<'_>,
) -> Result<(u128, u128), ParseError> {
    match text.split_once('/') {
        Some((value, mask)) if value::is_number(field) => {
            let mask = value::bounded(part, mask, field.bits())?;
            Ok((value::bounded(part, value, field.bits())? & mask, mask))
        }
        _ => value::parse(part, field, text, ports),
    }
}

/// Actions and instructions in the words of `ovs-ofctl dump-flows`, for a rule with this match
/// (it tells which protocol's ports are set).
#[must_use]
pub fn format_actions(i: &Instructions, matching: &Match) -> String {
    let mut parts: Vec<String> = i.meter.map(|m| format!("meter:{m}")).into_iter().collect();
    parts.extend(i.apply.iter().map(|a| format_action(a, matching)));
    if i.clear {
        parts.push("clear_actions".to_owned());
    }
    if !i.write.is_empty() {
        let inner: Vec<String> = i.write.iter().map(|a| format_action(a, matching)).collect();
        parts.push(format!("write_actions({})", inner.join(",")));
    }
    if let Some((value, mask)) = i.metadata {
        let text = value::format(Field::Metadata, value.into(), mask.into());
        parts.push(format!("write_metadata:{text}"));
    }
    if let Some(table) = i.goto_table {
        parts.push(format!("goto_table:{table}"));
    }
    if parts.is_empty() { "drop".to_owned() } else { parts.join(",") }
}

pub(super) fn format_action(action: &Action, matching: &Match) -> String {
    match action {
        Action::Output(Output { port: OfPort::CONTROLLER, max_len }) => {
            format!("CONTROLLER:{max_len}")
        }
        Action::Output(o) => match names::port_name(o.port) {
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("output:{number}")
            }
            reserved => reserved,
        },
        Action::PushVlan(tpid) => format!("push_vlan:{tpid:#06x}"),
        Action::PopVlan => "pop_vlan".to_owned(),
        Action::DecTtl => "dec_ttl".to_owned(),
        Action::SetField { field: Field::VlanTci, value, mask: 0x1fff } if value & PRESENT != 0 => {
            format!("mod_vlan_vid:{}", value & 0xfff)
        }
        Action::SetField { field: Field::VlanTci, value, mask: 0xf000 } if value & PRESENT != 0 => {
            format!("mod_vlan_pcp:{}", value >> 13)
        }
        Action::SetField { field, value, mask } => {
            let name = set_name(*field, matching);
            if matches!(field, Field::Ipv4Src | Field::Ipv4Dst)
                && let Some(text) = odd_mask(*value, *mask)
            {
                return format!("set_field:{text}->{name}");
            }
            format!("set_field:{}->{name}", value::format(*field, *value, *mask))
        }
        Action::PushMpls(ethertype) => format!("push_mpls:{ethertype:#06x}"),
        Action::PopMpls(ethertype) => format!("pop_mpls:{ethertype:#06x}"),
        Action::PushPbb(ethertype) => format!("push_pbb:{ethertype:#06x}"),
        Action::PopPbb => "pop_pbb".to_owned(),
        Action::DecMplsTtl => "dec_mpls_ttl".to_owned(),
        Action::CopyTtlOut => "copy_ttl_out".to_owned(),
        Action::CopyTtlIn => "copy_ttl_in".to_owned(),
        Action::Group(group) => format!("group:{group}"),
        Action::SetQueue(queue) => format!("set_queue:{queue}"),
        Action::Load { field, bit, bits, value } => {
            let dst = subfield::format(*field, *bit, *bits, matching);
            format!("load:{}->{dst}", value::hex((*value).into(), 1))
        }
        Action::Move { src, src_bit, dst, dst_bit, bits } => {
            let src = subfield::format(*src, *src_bit, *bits, matching);
            format!("move:{src}->{}", subfield::format(*dst, *dst_bit, *bits, matching))
        }
        Action::Resubmit { port, table } => nicira::format_resubmit(*port, *table),
        Action::Controller { max_len, id, reason } => {
            nicira::format_controller(*max_len, *id, *reason)
        }
        Action::Note(bytes) => nicira::format_note(bytes),
    }
}

/// Open vSwitch prints the mask of an address that is set as an address.
fn odd_mask(value: u128, mask: u128) -> Option<String> {
    let address = |v: u128| Ipv4Addr::from(v as u32);
    (mask != Field::Ipv4Src.max()).then(|| format!("{}/{}", address(value), address(mask)))
}

fn set_name(field: Field, matching: &Match) -> &'static str {
    let is_v6 = matching.key.eth_type.get() == ethernet::IPV6;
    match (field, matching.key.ip_proto) {
        (Field::Ipv4Src, _) => "ip_src",
        (Field::Ipv4Dst, _) => "ip_dst",
        (Field::TpSrc, ipv4::TCP) => "tcp_src",
        (Field::TpDst, ipv4::TCP) => "tcp_dst",
        (Field::TpSrc, ipv4::UDP) => "udp_src",
        (Field::TpDst, ipv4::UDP) => "udp_dst",
        (Field::TpSrc, ipv4::SCTP) => "sctp_src",
        (Field::TpDst, ipv4::SCTP) => "sctp_dst",
        (Field::IcmpType, ipv6::ICMPV6) if is_v6 => "icmpv6_type",
        (Field::IcmpCode, ipv6::ICMPV6) if is_v6 => "icmpv6_code",
        _ => field.name(),
    }
}
