//! The flow tables of one bridge, and flow-mods on them (OpenFlow 1.3 section 6.4).
//!
//! A clone is cheap and shares all rules. The control thread clones the published pipeline, changes
//! the clone and publishes it; workers go on with the snapshot that they have.

use super::classifier::Classifier;
use super::group::{GROUP_ANY, GroupTable};
use super::meter::MeterTable;
use super::rule::{FLAG_CHECK_OVERLAP, FLAG_RESET_COUNTS, Rule, RuleStats};
use super::timeouts::{Timed, Timeouts, has_timeout};
use super::validate::{self, FlowModError};
use crate::action::{Action, Instructions};
use crate::flow::{FlowKey, Mask, Match};
use crate::state::OfPort;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Highest number of a table (`OFPTT_MAX` is 0xfe; 254 is kept for the switch itself, as in Open vSwitch).
pub const LAST_TABLE: u8 = 253;

/// Counters of a table (OpenFlow 1.3 section 7.3.5.3).
#[derive(Debug, Default)]
pub struct TableStats {
    lookups: AtomicU64,
    matched: AtomicU64,
}

impl TableStats {
    /// Counts `n` packets that were looked up.
    pub fn add(&self, n: u64, matched: bool) {
        self.lookups.fetch_add(n, Ordering::Relaxed);
        if matched {
            self.matched.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Packets looked up.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// Packets that matched a rule.
    #[must_use]
    pub fn matched(&self) -> u64 {
        self.matched.load(Ordering::Relaxed)
    }
}

/// One flow table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its rules.
    pub rules: Classifier,
    /// Its counters, shared by all snapshots.
    pub stats: Arc<TableStats>,
}

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
    fn of(m: &FlowMod) -> Self {
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
    fn admits(&self, rule: &Rule) -> bool {
        (rule.cookie ^ self.cookie) & self.cookie_mask == 0
            && (self.out_port == OfPort::ANY || outputs_to(&rule.instructions, self.out_port))
            // There are no groups yet, so no rule sends to one.
            && self.out_group == GROUP_ANY
    }
}

fn outputs_to(instructions: &Instructions, port: OfPort) -> bool {
    let actions = instructions.apply.iter().chain(&instructions.write);
    actions.into_iter().any(|a| matches!(a, Action::Output(o) if o.port == port))
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
    /// Rules removed. (A replaced rule is not told of: OpenFlow sends no flow-removed for it.)
    pub removed: Vec<Removed>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Tables by number; `None` where no rule ever was.
    tables: Vec<Option<Arc<Table>>>,
    /// Shared by all clones: what is in it is checked against the tables before it is used.
    timeouts: Arc<Mutex<Timeouts>>,
    /// Rules that have a timeout.
    timed: usize,
    groups: Arc<GroupTable>,
    meters: Arc<MeterTable>,
}

impl Default for Pipeline {
    /// Table 0 exists from the start, so that misses are counted.
    fn default() -> Self {
        let tables = vec![Some(Arc::new(Table::default()))];
        Self {
            tables,
            timeouts: Arc::default(),
            timed: 0,
            groups: Arc::default(),
            meters: Arc::default(),
        }
    }
}

impl Pipeline {
    /// A table, if there ever was a rule in it.
    #[must_use]
    pub fn table(&self, number: u8) -> Option<&Arc<Table>> {
        self.tables.get(usize::from(number))?.as_ref()
    }

    /// Tables that exist, by number.
    pub fn tables(&self) -> impl Iterator<Item = (u8, &Arc<Table>)> {
        self.tables.iter().enumerate().filter_map(|(i, t)| Some((i as u8, t.as_ref()?)))
    }

    /// The groups.
    #[must_use]
    pub fn groups(&self) -> &GroupTable {
        &self.groups
    }

    /// The meters.
    #[must_use]
    pub fn meters(&self) -> &MeterTable {
        &self.meters
    }

    /// Number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables().map(|(_, t)| t.rules.len()).sum()
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rule for `key` in a table; see [`Classifier::lookup`].
    pub fn lookup(&self, table: u8, key: &FlowKey, wc: &mut Mask) -> Option<&Arc<Rule>> {
        self.table(table)?.rules.lookup(key, wc)
    }

    /// The rules that a filter lets through, by table, then priority (highest first).
    #[must_use]
    pub fn rules(&self, filter: &FlowFilter) -> Vec<(u8, Arc<Rule>)> {
        let mut found = Vec::new();
        for (number, table) in self.tables() {
            if filter.table.is_none_or(|t| t == number) {
                table.rules.for_each_covered(&filter.matching, |rule| {
                    if filter.admits(rule) {
                        found.push((number, Arc::clone(rule)));
                    }
                });
            }
        }
        found.sort_by_key(|(number, rule)| (*number, std::cmp::Reverse(rule.priority)));
        found
    }

    /// Does a flow-mod, wholly or (on an error) not at all. `now_ms` is of [`crate::state::clock_ms`].
    pub fn apply(&mut self, m: &FlowMod, now_ms: u64) -> Result<FlowModOutcome, FlowModError> {
        if let Some(table) = m.table.filter(|t| *t > LAST_TABLE) {
            return Err(FlowModError::BadTable(table));
        }
        match m.command {
            Command::Add => self.add(m, now_ms),
            Command::Modify | Command::ModifyStrict => self.modify(m, now_ms),
            Command::Delete | Command::DeleteStrict => Ok(self.delete(m)),
        }
    }

    /// Whether [`Self::expire`] may have something to do: cheap, for asking before a clone is made.
    #[must_use]
    pub fn has_expired(&self, now_ms: u64) -> bool {
        lock(&self.timeouts).is_due(now_ms)
    }

    /// Removes the rules whose timeouts have passed.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Removed> {
        let mut removed = Vec::new();
        let timeouts = Arc::clone(&self.timeouts);
        let mut timeouts = lock(&timeouts);
        while let Some((timed, reason)) = timeouts.pop(now_ms, |t| self.holds(t)) {
            self.remove(timed.table, &timed.rule);
            removed.push(Removed { table: timed.table, rule: timed.rule, reason });
        }
        removed
    }

    fn add(&mut self, m: &FlowMod, now_ms: u64) -> Result<FlowModOutcome, FlowModError> {
        let number = m.table.ok_or(FlowModError::AllTables)?;
        validate::check(number, &m.matching, &m.instructions)?;
        let old = match self.table(number) {
            None => None,
            Some(table) => {
                if m.flags & FLAG_CHECK_OVERLAP != 0
                    && let Some(other) = table.rules.overlapping(&m.matching, m.priority)
                {
                    let (priority, cookie) = (other.priority, other.cookie);
                    return Err(FlowModError::Overlap { priority, cookie });
                }
                table.rules.find(&m.matching, m.priority)
            }
        };
        // "If the OFPFF_RESET_COUNTS flag is set, the flow entry counters must be cleared, otherwise
        // they should be copied from the replaced flow entry."
        let kept = old.filter(|_| m.flags & FLAG_RESET_COUNTS == 0);
        let stats = kept.map_or_else(Arc::default, |old| Arc::clone(&old.stats));
        self.insert(
            number,
            Arc::new(Rule {
                matching: Match::new(&m.matching.key, &m.matching.mask),
                priority: m.priority,
                instructions: m.instructions.clone(),
                cookie: m.cookie,
                idle_timeout: m.idle_timeout,
                hard_timeout: m.hard_timeout,
                flags: m.flags,
                created: Instant::now(),
                modified_ms: now_ms,
                stats,
            }),
        );
        Ok(FlowModOutcome { added: 1, ..FlowModOutcome::default() })
    }

    fn modify(&mut self, m: &FlowMod, now_ms: u64) -> Result<FlowModOutcome, FlowModError> {
        let rules = self.selected(m);
        for (number, rule) in &rules {
            validate::check(*number, &rule.matching, &m.instructions)?;
        }
        if let (true, Some(number)) = (rules.is_empty(), m.table) {
            validate::check(number, &m.matching, &m.instructions)?;
        }
        for (number, rule) in &rules {
            let reset = m.flags & FLAG_RESET_COUNTS != 0;
            let stats: Arc<RuleStats> =
                if reset { Arc::default() } else { Arc::clone(&rule.stats) };
            let rule = Rule {
                instructions: m.instructions.clone(),
                modified_ms: now_ms,
                stats,
                matching: rule.matching,
                ..**rule
            };
            self.insert(*number, Arc::new(rule));
        }
        Ok(FlowModOutcome { modified: rules.len(), ..FlowModOutcome::default() })
    }

    fn delete(&mut self, m: &FlowMod) -> FlowModOutcome {
        let rules = self.selected(m);
        let removed = rules.into_iter().map(|(table, rule)| {
            self.remove(table, &rule);
            Removed { table, rule, reason: RemovedReason::Delete }
        });
        FlowModOutcome { removed: removed.collect(), ..FlowModOutcome::default() }
    }

    /// The rules that a modify or delete is about.
    fn selected(&self, m: &FlowMod) -> Vec<(u8, Arc<Rule>)> {
        let filter = FlowFilter::of(m);
        if matches!(m.command, Command::Modify | Command::Delete) {
            return self.rules(&filter);
        }
        let tables = self.tables().filter(|(n, _)| m.table.is_none_or(|t| t == *n));
        tables
            .filter_map(|(n, t)| Some((n, Arc::clone(t.rules.find(&m.matching, m.priority)?))))
            .filter(|(_, rule)| filter.admits(rule))
            .collect()
    }

    fn table_mut(&mut self, number: u8) -> &mut Table {
        let at = usize::from(number);
        if self.tables.len() <= at {
            self.tables.resize(at + 1, None);
        }
        Arc::make_mut(self.tables[at].get_or_insert_default())
    }

    fn insert(&mut self, number: u8, rule: Arc<Rule>) {
        let new_timed = has_timeout(&rule);
        if new_timed {
            self.timed += 1;
        }
        let old = self.table_mut(number).rules.insert(Arc::clone(&rule));
        if old.is_some_and(|old| has_timeout(&old)) {
            self.timed -= 1;
        }
        if new_timed {
            let mut timeouts = lock(&self.timeouts);
            timeouts.shrink(self.timed, |t| self.holds(t));
            timeouts.add(number, &rule);
        }
    }

    fn remove(&mut self, number: u8, rule: &Rule) {
        let removed = self.table_mut(number).rules.remove(&rule.matching, rule.priority);
        if removed.is_some_and(|rule| has_timeout(&rule)) {
            self.timed -= 1;
        }
    }

    /// Whether this very rule is still in its table.
    fn holds(&self, timed: &Timed) -> bool {
        let find = |t: &Arc<Table>| {
            let rule = t.rules.find(&timed.rule.matching, timed.rule.priority)?;
            Some(Arc::ptr_eq(rule, &timed.rule))
        };
        self.table(timed.table).and_then(find).unwrap_or(false)
    }
}

fn lock(timeouts: &Mutex<Timeouts>) -> MutexGuard<'_, Timeouts> {
    // Entries are checked before use, so those that a panic left are as good as any.
    timeouts.lock().unwrap_or_else(PoisonError::into_inner)
}
