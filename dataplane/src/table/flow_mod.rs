//! Flow-mods: what is asked of the tables, and what came of it (OpenFlow 1.3.5 section 7.3.4.1).

use super::group::GROUP_ANY;
use super::rule::Rule;
use crate::action::Instructions;
use crate::flow::{Mask, Match};
use crate::state::OfPort;
use std::sync::Arc;

/// `OFPFC_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Add a rule; replaces one of equal match and priority.
    Add,
    /// Replace the instructions of all rules that the match covers.
    Modify,
    /// Replace the instructions of the rule with this match and priority.
    ModifyStrict,
    /// Remove all rules that the match covers.
    Delete,
    /// Remove the rule with this match and priority.
    DeleteStrict,
}

/// A change of a table (OpenFlow 1.3 section 7.3.4.1).
#[derive(Clone, Debug)]
pub struct FlowMod {
    /// What to do.
    pub command: Command,
    /// The table; `None`: all (delete only).
    pub table: Option<u8>,
    /// Which packets; for non-strict commands, which rules.
    pub matching: Match,
    /// Priority (add and strict commands).
    pub priority: u16,
    /// Cookie of the new rule; for the others, what `cookie_mask` compares with.
    pub cookie: u64,
    /// Bits of the cookie that a rule must agree in to be modified or deleted.
    pub cookie_mask: u64,
    /// Seconds (add).
    pub idle_timeout: u16,
    /// Seconds (add).
    pub hard_timeout: u16,
    /// `FLAG_*`.
    pub flags: u16,
    /// What the rule does (add, modify).
    pub instructions: Instructions,
    /// Delete only rules that output to this port; [`OfPort::ANY`]: no filter.
    pub out_port: OfPort,
    /// Delete only rules that send to this group; `u32::MAX` (`OFPG_ANY`): no filter.
    pub out_group: u32,
}

impl Default for FlowMod {
    fn default() -> Self {
        Self {
            command: Command::Add,
            table: Some(0),
            matching: Match::default(),
            priority: 0x8000,
            cookie: 0,
            cookie_mask: 0,
            idle_timeout: 0,
            hard_timeout: 0,
            flags: 0,
            instructions: Instructions::default(),
            out_port: OfPort::ANY,
            out_group: GROUP_ANY,
        }
    }
}

/// Which rules to show or delete (OpenFlow 1.3 section 7.3.5.2).
#[derive(Clone, Debug)]
pub struct FlowFilter {
    /// The table; `None`: all.
    pub table: Option<u8>,
    /// Rules that this covers.
    pub matching: Match,
    /// Wanted bits of the cookie.
    pub cookie: u64,
    /// Bits of the cookie that are compared.
    pub cookie_mask: u64,
    /// Rules that output to this port; [`OfPort::ANY`]: no filter.
    pub out_port: OfPort,
    /// Rules that send to this group; [`GROUP_ANY`]: no filter.
    pub out_group: u32,
}

impl Default for FlowFilter {
    /// All rules.
    fn default() -> Self {
        Self {
            table: None,
            matching: Match::default(),
            cookie: 0,
            cookie_mask: 0,
            out_port: OfPort::ANY,
            out_group: GROUP_ANY,
        }
    }
}

impl FlowFilter {
    pub(super) fn of(m: &FlowMod) -> Self {
        let deletes = matches!(m.command, Command::Delete | Command::DeleteStrict);
        Self {
            table: m.table,
            matching: m.matching,
            cookie: m.cookie,
            cookie_mask: m.cookie_mask,
            // "Ignored for OFPFC_ADD, OFPFC_MODIFY or OFPFC_MODIFY_STRICT".
            out_port: if deletes { m.out_port } else { OfPort::ANY },
            out_group: if deletes { m.out_group } else { GROUP_ANY },
        }
    }

    /// Whether the filter, but for its match and table, lets the rule through.
    pub(super) fn admits(&self, rule: &Rule) -> bool {
        (rule.cookie ^ self.cookie) & self.cookie_mask == 0
            && (self.out_port == OfPort::ANY || rule.outputs_to(self.out_port))
            && (self.out_group == GROUP_ANY || rule.sends_to(self.out_group))
    }

    /// Whether it lets every rule of its tables through.
    pub(super) fn is_open(&self) -> bool {
        self.matching.mask == Mask::default()
            && self.cookie_mask == 0
            && self.out_port == OfPort::ANY
            && self.out_group == GROUP_ANY
    }
}

/// Why a rule went (`OFPRR_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovedReason {
    /// No packet for its idle timeout.
    IdleTimeout,
    /// Older than its hard timeout.
    HardTimeout,
    /// Deleted by a flow-mod.
    Delete,
    /// The group that it sent to was removed.
    GroupDelete,
    /// The meter that it used was removed.
    MeterDelete,
}

/// A rule that went.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Its table.
    pub table: u8,
    /// The rule.
    pub rule: Arc<Rule>,
    /// Why.
    pub reason: RemovedReason,
}

/// What a flow-mod did.
#[derive(Clone, Debug, Default)]
pub struct FlowModOutcome {
    /// Rules added; one that replaced another counts here.
    pub added: usize,
    /// Rules modified.
    pub modified: usize,
    /// Rules removed. (One that was replaced is not counted.)
    pub removed: usize,
    /// Of those removed, the ones with [`super::rule::FLAG_SEND_FLOW_REM`]. (A replaced rule is not told of:
    /// OpenFlow sends no flow-removed for it.)
    pub told: Vec<Removed>,
}
