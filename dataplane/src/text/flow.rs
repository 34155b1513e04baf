//! Flows as text: one line each, in files and in dumps.

use super::error::ParseError;
use super::names::PortNames;
use super::{actions, format_actions, format_match, matching, names, split, value};
use crate::flow::{Field, Match};
use crate::table::rule::{
    FLAG_CHECK_OVERLAP, FLAG_NO_BYT_COUNTS, FLAG_NO_PKT_COUNTS, FLAG_RESET_COUNTS,
    FLAG_SEND_FLOW_REM,
};
use crate::table::{Command, FlowFilter, FlowMod, Rule};
use std::fmt::Write;
use std::time::Instant;

/// Flags, in the order in which they are printed.
const FLAGS: &[(&str, u16)] = &[
    ("send_flow_rem", FLAG_SEND_FLOW_REM),
    ("check_overlap", FLAG_CHECK_OVERLAP),
    ("reset_counts", FLAG_RESET_COUNTS),
    ("no_packet_counts", FLAG_NO_PKT_COUNTS),
    ("no_byte_counts", FLAG_NO_BYT_COUNTS),
];
/// What a dump says of a flow's past; taken and ignored, so that a dump can be loaded again.
const HISTORY: &[&str] = &["duration", "n_packets", "n_bytes", "idle_age", "hard_age"];
/// Priority of a flow that names none (`OFP_DEFAULT_PRIORITY`).
const DEFAULT_PRIORITY: u16 = 0x8000;

/// Parses a flow as `ovs-ofctl add-flow`, `mod-flows` and `del-flows` take it.
pub fn parse_flow(
    text: &str,
    command: Command,
    ports: PortNames<'_>,
) -> Result<FlowMod, ParseError> {
    let deletes = matches!(command, Command::Delete | Command::DeleteStrict);
    // ovs-ofctl takes both spellings.
    let (head, action_text) = match text.find("action") {
        Some(at) => {
            let rest = &text[at + "action".len()..];
            let rest = rest.strip_prefix('s').unwrap_or(rest).trim_start().strip_prefix('=');
            let expected = "expected actions=...";
            let rest = rest.ok_or_else(|| ParseError::new(text[at..].trim(), expected))?;
            (&text[..at], Some(rest))
        }
        None => (text, None),
    };
    let mut m = FlowMod { command, table: (!deletes).then_some(0), ..FlowMod::default() };
    let mut matches = Vec::new();
    for part in split(head)? {
        if !common(part, &mut m, ports)? {
            matches.push(part);
        }
    }
    m.matching = matching::parse(&matches, ports)?;
    match action_text {
        Some(_) if deletes => {
            return Err(ParseError::new("actions=", "a delete takes no actions"));
        }
        Some(text) => m.instructions = actions::parse(text, &m.matching, ports)?,
        None if deletes => {}
        None => return Err(ParseError::new(text.trim(), "expected actions=... at the end")),
    }
    Ok(m)
}

/// Parses which flows to show, as `ovs-ofctl dump-flows` takes it: a match, `table`, `cookie` with
/// its mask, `out_port`, `out_group`. An empty text means all flows.
pub fn parse_filter(text: &str, ports: PortNames<'_>) -> Result<FlowFilter, ParseError> {
    let m = parse_flow(text, Command::Delete, ports)?;
    Ok(FlowFilter {
        table: m.table,
        matching: m.matching,
        cookie: m.cookie,
        cookie_mask: m.cookie_mask,
        out_port: m.out_port,
        out_group: m.out_group,
    })
}

/// Parses a file of flows, one a line; `#` begins a comment. An error names its line.
pub fn parse_flows(
    text: &str,
    command: Command,
    ports: PortNames<'_>,
) -> Result<Vec<FlowMod>, ParseError> {
    let mut flows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let flow = line.split('#').next().unwrap_or_default().trim();
        if flow.is_empty() {
            continue;
        }
        let parsed = parse_flow(flow, command, ports);
        flows.push(parsed.map_err(|e| ParseError { line: Some(i + 1), ..e })?);
    }
    Ok(flows)
}

/// Takes a part that is not of the match; false if it may be.
fn common(part: &str, m: &mut FlowMod, ports: PortNames<'_>) -> Result<bool, ParseError> {
    let deletes = matches!(m.command, Command::Delete | Command::DeleteStrict);
    if let Some((_, flag)) = FLAGS.iter().find(|f| f.0 == part) {
        if deletes {
            return Err(ParseError::new(part, "a delete takes no flags"));
        }
        m.flags |= flag;
        return Ok(true);
    }
    let Some((name, text)) = part.split_once('=') else {
        return Ok(false);
    };
    match name {
        "table" => m.table = Some(value::bounded(part, text, 8)? as u8),
        "priority" if matches!(m.command, Command::Delete) => {
            return Err(ParseError::new(part, "only a strict delete looks at the priority"));
        }
        "priority" => m.priority = value::bounded(part, text, 16)? as u16,
        "idle_timeout" | "hard_timeout" if deletes => {
            return Err(ParseError::new(part, "a delete takes no timeouts"));
        }
        "idle_timeout" => m.idle_timeout = value::bounded(part, text, 16)? as u16,
        "hard_timeout" => m.hard_timeout = value::bounded(part, text, 16)? as u16,
        "cookie" => {
            let has_mask = text.contains('/');
            if m.command == Command::Add && has_mask {
                return Err(ParseError::new(part, "an added flow's cookie takes no mask"));
            }
            if deletes && !has_mask {
                let expected = "expected cookie=VALUE/MASK: a delete only compares (all bits: /-1)";
                return Err(ParseError::new(part, expected));
            }
            // 64 bits with an optional mask, as metadata.
            let (cookie, mask) = value::parse(part, Field::Metadata, text, ports)?;
            m.cookie = cookie as u64;
            m.cookie_mask = if has_mask { mask as u64 } else { 0 };
        }
        "out_port" if deletes => {
            let port = names::port(text, ports);
            m.out_port = port.map_err(|e| ParseError::new(part, e.problem))?;
        }
        "out_group" if deletes => m.out_group = value::bounded(part, text, 32)? as u32,
        "out_port" | "out_group" => {
            return Err(ParseError::new(part, "only a delete filters by output port and group"));
        }
        _ => return Ok(HISTORY.contains(&name)),
    }
    Ok(true)
}

/// A rule of `table` as `ovs-ofctl -O OpenFlow13 dump-flows` prints it. [`parse_flow`] reads it again.
#[must_use]
pub fn format_flow(rule: &Rule, table: u8, now: Instant) -> String {
    let age = now.saturating_duration_since(rule.created);
    let mut text = format!(
        " cookie={:#x}, duration={}.{:03}s, table={table}, n_packets={}, n_bytes={}, ",
        rule.cookie,
        age.as_secs(),
        age.subsec_millis(),
        rule.stats.packets(),
        rule.stats.bytes(),
    );
    // Writing to a String does not fail.
    if rule.idle_timeout != 0 {
        let _ = write!(text, "idle_timeout={}, ", rule.idle_timeout);
    }
    if rule.hard_timeout != 0 {
        let _ = write!(text, "hard_timeout={}, ", rule.hard_timeout);
    }
    for (name, _) in FLAGS.iter().filter(|f| rule.flags & f.1 != 0) {
        let _ = write!(text, "{name} ");
    }
    let matching = rule.matching();
    let spec = format_spec(rule.priority, &matching);
    let actions = format_actions(&rule.instructions, &matching);
    let space = if spec.is_empty() { "" } else { " " };
    let _ = write!(text, "{spec}{space}actions={actions}");
    text
}

/// Priority, where it is not the default one, and match.
fn format_spec(priority: u16, matching: &Match) -> String {
    let matching = format_match(matching);
    match (priority, matching.is_empty()) {
        (DEFAULT_PRIORITY, _) => matching,
        (_, true) => format!("priority={priority}"),
        (_, false) => format!("priority={priority},{matching}"),
    }
}
