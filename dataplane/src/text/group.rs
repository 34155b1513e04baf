//! Groups as text, as `ovs-ofctl add-group` takes them and `dump-groups` prints them.

use super::error::ParseError;
use super::names::{self, Known, PortNames};
use super::{actions, split, value};
use crate::flow::Match;
use crate::state::OfPort;
use crate::table::group::{
    Bucket, GROUP_ALL, GROUP_ANY, GROUP_MAX, Group, GroupCommand, GroupKind, GroupMod,
};
use std::fmt::Write;
use std::sync::Arc;

/// Types as they are written; of those of one type the first is printed.
const KINDS: &[(&str, GroupKind)] = &[
    ("all", GroupKind::All),
    ("select", GroupKind::Select),
    ("indirect", GroupKind::Indirect),
    ("ff", GroupKind::FastFailover),
    ("fast_failover", GroupKind::FastFailover),
];
/// What begins a bucket.
const BUCKET: &str = "bucket=";
/// Weight of a bucket of a select group that names none.
const WEIGHT: u16 = 1;

/// Parses a group: `group_id=1,type=select,bucket=weight:2,actions=output:2,bucket=...`. A delete
/// names the group only, or `group_id=all`.
pub fn parse_group(
    text: &str,
    command: GroupCommand,
    ports: PortNames<'_>,
) -> Result<GroupMod, ParseError> {
    let mut buckets = text.split(BUCKET);
    let head = buckets.next().unwrap_or_default();
    let (mut id, mut kind) = (None, None);
    for part in split(head)? {
        match part.split_once('=') {
            Some(("group_id", "all")) if command == GroupCommand::Delete => id = Some(GROUP_ALL),
            Some(("group_id", number)) => {
                let number = value::bounded(part, number, 32)? as u32;
                if number > GROUP_MAX {
                    let problem = format!("expected a group of 0 to {GROUP_MAX}");
                    return Err(ParseError::new(part, problem));
                }
                id = Some(number);
            }
            Some(("type", name)) => {
                let expected = "expected type=all, select, indirect or fast_failover";
                let found = KINDS.iter().find(|k| k.0 == name);
                kind = Some(found.ok_or_else(|| ParseError::new(part, expected))?.1);
            }
            _ => {
                let expected = "expected group_id=NUMBER, type=TYPE or bucket=...";
                return Err(ParseError::new(part, expected));
            }
        }
    }
    let missing = |what: &str| ParseError::new(text.trim(), format!("expected {what}"));
    let id = id.ok_or_else(|| missing("group_id=NUMBER"))?;
    if command == GroupCommand::Delete {
        if kind.is_some() || head.len() < text.len() {
            return Err(missing("a delete to name the group only"));
        }
        return Ok(GroupMod { command, id, kind: GroupKind::All, buckets: Vec::new() });
    }
    let kind = kind.ok_or_else(|| missing("type=TYPE"))?;
    let buckets: Vec<Bucket> =
        buckets.map(|text| bucket(text, kind, ports)).collect::<Result<_, _>>()?;
    if kind == GroupKind::Indirect && buckets.len() != 1 {
        return Err(missing("one bucket in a group of type indirect"));
    }
    Ok(GroupMod { command, id, kind, buckets })
}

/// `weight:W,watch_port:P,watch_group:G,actions=ACTIONS`, or the actions without that word.
fn bucket(text: &str, kind: GroupKind, ports: PortNames<'_>) -> Result<Bucket, ParseError> {
    let weight = if kind == GroupKind::Select { WEIGHT } else { 0 };
    let mut b = Bucket {
        weight,
        watch_port: OfPort::ANY,
        watch_group: GROUP_ANY,
        actions: Vec::new(),
        counts: Arc::default(),
    };
    let mut known = Known { packet: Match::default(), checked: false };
    for part in split(text)? {
        let part = part.strip_prefix("actions=").unwrap_or(part);
        let (name, argument) = part.split_once([':', '=']).unwrap_or((part, ""));
        match name {
            "weight" if kind == GroupKind::Select => {
                b.weight = value::bounded(part, argument, 16)? as u16;
            }
            "weight" => {
                return Err(ParseError::new(part, "only buckets of type select have a weight"));
            }
            "watch_port" => {
                let port = names::port(argument, ports);
                b.watch_port = port.map_err(|e| ParseError::new(part, e.problem))?;
            }
            "watch_group" => b.watch_group = value::bounded(part, argument, 32)? as u32,
            // Numbers of buckets came with OpenFlow 1.5; here their order counts.
            "bucket_id" => {
                value::bounded(part, argument, 32)?;
            }
            "" | "drop" => {}
            _ => b.actions.push(actions::action(part, &mut known, ports)?),
        }
    }
    let watches = b.watch_port != OfPort::ANY || b.watch_group != GROUP_ANY;
    if kind == GroupKind::FastFailover && !watches {
        let expected = "expected watch_port or watch_group in a bucket of type fast_failover";
        return Err(ParseError::new(text.trim_end_matches([',', ' ']), expected));
    }
    Ok(b)
}

/// A group as `ovs-ofctl -O OpenFlow13 dump-groups` prints it. [`parse_group`] reads it again.
#[must_use]
pub fn format_group(group: &Group) -> String {
    let kind = KINDS.iter().find(|k| k.1 == group.kind).map_or("", |k| k.0);
    let mut text = format!("group_id={},type={kind}", group.id);
    for b in &group.buckets {
        // Writing to a String does not fail.
        let _ = write!(text, ",{BUCKET}");
        if group.kind == GroupKind::Select && b.weight != WEIGHT {
            let _ = write!(text, "weight:{},", b.weight);
        }
        if b.watch_port != OfPort::ANY {
            let _ = write!(text, "watch_port:{},", names::port_name(b.watch_port));
        }
        if b.watch_group != GROUP_ANY {
            let _ = write!(text, "watch_group:{},", b.watch_group);
        }
        let all: Vec<String> =
            b.actions.iter().map(|a| actions::format_action(a, &Match::default())).collect();
        let all = if all.is_empty() { "drop".to_owned() } else { all.join(",") };
        let _ = write!(text, "actions={all}");
    }
    text
}
