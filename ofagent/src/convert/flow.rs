//! Flow-mods, and what is told of rules (sections 7.3.4.1, 7.3.5.2 and 7.4.2).

use super::{instruction, matching};
use crate::wire::TABLE_ALL;
use crate::wire::error::{WireError, flow_mod_failed, kind};
use crate::wire::flow_mod::{FlowMod as WireFlowMod, FlowModCommand};
use crate::wire::flow_removed::FlowRemoved;
use crate::wire::multipart::flow::{FlowStats, FlowStatsRequest};
use dataplane::state::OfPort;
use dataplane::table::pipeline::{Command, FlowFilter, FlowMod, Removed, RemovedReason};
use dataplane::table::rule::{
    FLAG_CHECK_OVERLAP, FLAG_NO_BYT_COUNTS, FLAG_NO_PKT_COUNTS, FLAG_RESET_COUNTS,
    FLAG_SEND_FLOW_REM, Rule,
};

/// Flags that are a rule's, and told; the others were the flow-mod's.
const RULE_FLAGS: u16 = FLAG_SEND_FLOW_REM | FLAG_NO_PKT_COUNTS | FLAG_NO_BYT_COUNTS;
const ALL_FLAGS: u16 = RULE_FLAGS | FLAG_CHECK_OVERLAP | FLAG_RESET_COUNTS;

fn table(number: u8) -> Option<u8> {
    (number != TABLE_ALL).then_some(number)
}

/// A flow-mod from the wire.
///
/// # Errors
/// What is wrong with its flags, match, instructions or actions, as far as the tables need not be
/// asked.
pub fn mod_from_wire(m: &WireFlowMod) -> Result<FlowMod, WireError> {
    if m.flags & !ALL_FLAGS != 0 {
        return Err(WireError::new(kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_FLAGS));
    }
    let matching = matching::from_wire(&m.matching)?;
    Ok(FlowMod {
        command: match m.command {
            FlowModCommand::Add => Command::Add,
            FlowModCommand::Modify => Command::Modify,
            FlowModCommand::ModifyStrict => Command::ModifyStrict,
            FlowModCommand::Delete => Command::Delete,
            FlowModCommand::DeleteStrict => Command::DeleteStrict,
        },
        table: table(m.table_id),
        instructions: instruction::from_wire(&m.instructions, &matching)?,
        matching,
        priority: m.priority,
        cookie: m.cookie,
        cookie_mask: m.cookie_mask,
        idle_timeout: m.idle_timeout,
        hard_timeout: m.hard_timeout,
        flags: m.flags,
        out_port: OfPort(m.out_port),
        out_group: m.out_group,
    })
}

/// Which rules a statistics request is about.
///
/// # Errors
/// What is wrong with its match.
pub fn filter_from_wire(request: &FlowStatsRequest) -> Result<FlowFilter, WireError> {
    Ok(FlowFilter {
        table: table(request.table_id),
        matching: matching::from_wire(&request.matching)?,
        cookie: request.cookie,
        cookie_mask: request.cookie_mask,
        out_port: OfPort(request.out_port),
        out_group: request.out_group,
    })
}

/// A rule in a statistics reply.
#[must_use]
pub fn stats_to_wire(table_id: u8, rule: &Rule) -> FlowStats {
    let (age, m) = (rule.created.elapsed(), rule.matching());
    FlowStats {
        table_id,
        duration_sec: age.as_secs() as u32,
        duration_nsec: age.subsec_nanos(),
        priority: rule.priority,
        idle_timeout: rule.idle_timeout,
        hard_timeout: rule.hard_timeout,
        flags: rule.flags & RULE_FLAGS,
        cookie: rule.cookie,
        packet_count: rule.stats.packets(),
        byte_count: rule.stats.bytes(),
        matching: matching::to_wire(&m),
        instructions: instruction::to_wire(&rule.instructions, &m),
    }
}

/// `OFPRR_*`. OpenFlow 1.3 has none for a meter's end: Open vSwitch says that the flow was deleted.
#[must_use]
pub const fn reason_to_wire(reason: RemovedReason) -> u8 {
    match reason {
        RemovedReason::IdleTimeout => 0,
        RemovedReason::HardTimeout => 1,
        RemovedReason::Delete | RemovedReason::MeterDelete => 2,
        RemovedReason::GroupDelete => 3,
    }
}

/// What controllers are told of a rule that went.
#[must_use]
pub fn removed_to_wire(removed: &Removed) -> FlowRemoved {
    let rule = &removed.rule;
    let age = rule.created.elapsed();
    FlowRemoved {
        cookie: rule.cookie,
        priority: rule.priority,
        reason: reason_to_wire(removed.reason),
        table_id: removed.table,
        duration_sec: age.as_secs() as u32,
        duration_nsec: age.subsec_nanos(),
        idle_timeout: rule.idle_timeout,
        hard_timeout: rule.hard_timeout,
        packet_count: rule.stats.packets(),
        byte_count: rule.stats.bytes(),
        matching: matching::to_wire(&rule.matching()),
    }
}
