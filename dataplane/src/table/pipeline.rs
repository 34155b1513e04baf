//! The flow tables of one bridge, and flow-mods on them (OpenFlow 1.3 section 6.4).
//!
//! A clone is cheap and shares all rules. The control thread clones the published pipeline, changes
//! the clone and publishes it; workers go on with the snapshot that they have.

use super::classifier::Classifier;
use super::cursor::Cursor;
pub use super::flow_mod::{Command, FlowFilter, FlowMod, FlowModOutcome, Removed, RemovedReason};
use super::group::{GroupMod, GroupModError, GroupTable};
use super::ledger::Ledger;
use super::meter::{MeterMod, MeterModError, MeterTable};
use super::rule::{FLAG_CHECK_OVERLAP, FLAG_RESET_COUNTS, FLAG_SEND_FLOW_REM, Rule, RuleStats};
use super::users::{Target, Uses, targets};
use super::validate::{self, FlowModError};
use crate::action::Instructions;
use crate::flow::{FlowKey, Mask, Match};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Highest number of a table (`OFPTT_MAX` is 0xfe; 254 is kept for the switch itself, as in Open vSwitch).
pub const LAST_TABLE: u8 = 253;
/// Most rules of a table.
pub const MAX_RULES: usize = 2_000_000;

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
    /// Rules that something besides the table knows of.
    known: usize,
}

/// Whether something besides its table knows of a rule: a controller that wants to hear when it
/// goes, its timeouts, a group or a meter. Others can go without a look at each.
fn is_known(rule: &Rule) -> bool {
    rule.flags & FLAG_SEND_FLOW_REM != 0
        || rule.has_timeout()
        || rule.instructions.meter.is_some()
        || !rule.groups().is_empty()
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Tables by number; `None` where no rule ever was.
    tables: Vec<Option<Arc<Table>>>,
    /// `OFPTC_*` of all tables, as a table-mod set them; no bit of them means anything in
    /// OpenFlow 1.3.
    configs: Arc<[u32; LAST_TABLE as usize + 1]>,
    /// Shared by all clones: what is in it is checked against the tables before it is used.
    ledger: Arc<Mutex<Ledger>>,
    /// Rules that have a timeout.
    timed: usize,
    uses: Arc<Uses>,
    pub(super) groups: Arc<GroupTable>,
    pub(super) meters: Arc<MeterTable>,
}

impl Default for Pipeline {
    /// Table 0 exists from the start, so that misses are counted.
    fn default() -> Self {
        let tables = vec![Some(Arc::new(Table::default()))];
        Self {
            tables,
            configs: Arc::new([0; LAST_TABLE as usize + 1]),
            ledger: Arc::default(),
            timed: 0,
            uses: Arc::default(),
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

    /// Rules and groups that send to a group, each once (`ref_count` of OpenFlow's group statistics).
    #[must_use]
    pub fn group_references(&self, group: u32) -> u32 {
        self.uses.count(Target::Group(group)) + self.groups.parents(group)
    }

    /// Rules that use a meter (`flow_count` of OpenFlow's meter statistics).
    #[must_use]
    pub fn meter_references(&self, meter: u32) -> u32 {
        self.uses.count(Target::Meter(meter))
    }

    /// What a table-mod last set (`OFPTC_*`); 0 before.
    #[must_use]
    pub fn table_config(&self, table: u8) -> u32 {
        self.configs.get(usize::from(table)).copied().unwrap_or(0)
    }

    /// Keeps the configuration of a table, or (`None`) of all.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn set_table_config(&mut self, table: Option<u8>, config: u32) -> Result<(), FlowModError> {
        let configs = Arc::make_mut(&mut self.configs);
        match table {
            None => configs.fill(config),
            Some(table) => {
                *configs.get_mut(usize::from(table)).ok_or(FlowModError::BadTable(table))? = config;
            }
        }
        Ok(())
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

    /// A walk over the rules that a filter lets through, for dumps in pieces.
    #[must_use]
    pub fn cursor(self: &Arc<Self>, filter: FlowFilter) -> Cursor {
        Cursor::new(Arc::clone(self), filter)
    }

    /// One more than the highest table in which there ever was a rule.
    pub(super) fn number_of_tables(&self) -> usize {
        self.tables.len()
    }

    /// Does a flow-mod, wholly or (on an error) not at all. `now_ms` is of [`crate::state::clock_ms`].
    pub fn apply(&mut self, m: &FlowMod, now_ms: u64) -> Result<FlowModOutcome, FlowModError> {
        if let Some(table) = m.table.filter(|t| *t > LAST_TABLE) {
            return Err(FlowModError::BadTable(table));
        }
        match m.command {
            Command::Add => self.add(m, now_ms),
            Command::Modify | Command::ModifyStrict => self.modify(m),
            Command::Delete | Command::DeleteStrict => Ok(self.delete(m)),
        }
    }

    /// Whether [`Self::expire`] may have something to do: cheap, for asking before a clone is made.
    #[must_use]
    pub fn has_expired(&self, now_ms: u64) -> bool {
        lock(&self.ledger).timeouts.is_due(now_ms)
    }

    /// Removes the rules whose timeouts have passed.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Removed> {
        let mut removed = Vec::new();
        let ledger = Arc::clone(&self.ledger);
        while let Some((timed, reason)) =
            lock(&ledger).timeouts.pop(now_ms, |t| self.holds(t.table, &t.rule))
        {
            self.remove(timed.table, &timed.rule);
            removed.push(Removed { table: timed.table, rule: timed.rule, reason });
        }
        removed
    }

    /// Does a group-mod, wholly or (on an error) not at all; gives back the rules that went with
    /// their group. To be used only on a pipeline that stays in use: a clone that is thrown away
    /// afterwards would take with it what its siblings know of who uses the group.
    pub fn apply_group(&mut self, m: &GroupMod) -> Result<Vec<Removed>, GroupModError> {
        let gone = Arc::make_mut(&mut self.groups).apply(m)?;
        let gone = gone.into_iter().map(Target::Group);
        Ok(self.remove_users(gone, RemovedReason::GroupDelete))
    }

    /// Does a meter-mod, wholly or (on an error) not at all; gives back the rules that went with
    /// their meter. See [`Self::apply_group`] for where it may be used.
    pub fn apply_meter(&mut self, m: &MeterMod) -> Result<Vec<Removed>, MeterModError> {
        let gone = Arc::make_mut(&mut self.meters).apply(m)?;
        let gone = gone.into_iter().map(Target::Meter);
        Ok(self.remove_users(gone, RemovedReason::MeterDelete))
    }

    fn remove_users(
        &mut self,
        targets: impl Iterator<Item = Target>,
        reason: RemovedReason,
    ) -> Vec<Removed> {
        let mut removed = Vec::new();
        for target in targets {
            let users = lock(&self.ledger).users.take(target);
            for (table, rule) in users {
                if self.holds(table, &rule) {
                    self.remove(table, &rule);
                    removed.push(Removed { table, rule, reason });
                }
            }
        }
        removed
    }

    /// Whether all groups and meters that instructions name exist.
    fn check_targets(&self, instructions: &Instructions) -> Result<(), FlowModError> {
        for group in super::rule::groups_of(instructions.apply.iter().chain(&instructions.write)) {
            if self.groups.get(group).is_none() {
                return Err(FlowModError::UnknownGroup(group));
            }
        }
        match instructions.meter {
            Some(meter) if self.meters.get(meter).is_none() => {
                Err(FlowModError::UnknownMeter(meter))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, m: &FlowMod, now_ms: u64) -> Result<FlowModOutcome, FlowModError> {
        let number = m.table.ok_or(FlowModError::AllTables)?;
        validate::check(number, &m.matching, &m.instructions)?;
        self.check_targets(&m.instructions)?;
        let old = match self.table(number) {
            None => None,
            Some(table) => {
                if m.flags & FLAG_CHECK_OVERLAP != 0
                    && let Some(other) = table.rules.overlapping(&m.matching, m.priority)
                {
                    let (priority, cookie) = (other.priority, other.cookie);
                    return Err(FlowModError::Overlap { priority, cookie });
                }
                let old = table.rules.find(&m.matching, m.priority);
                if old.is_none() && table.rules.len() >= MAX_RULES {
                    return Err(FlowModError::TableFull(number));
                }
                old
            }
        };
        // "If the OFPFF_RESET_COUNTS flag is set, the flow entry counters must be cleared, otherwise
        // they should be copied from the replaced flow entry."
        let kept = old.filter(|_| m.flags & FLAG_RESET_COUNTS == 0);
        let stats = kept.map_or_else(Arc::default, |old| Arc::clone(&old.stats));
        let matching = Match::new(&m.matching.key, &m.matching.mask);
        let matching = self.table_mut(number).rules.compact(&matching);
        let instructions = lock(&self.ledger).share(&m.instructions);
        // "That entry, including its duration, must be cleared": timeouts begin anew as well.
        self.insert(
            number,
            Arc::new(Rule {
                matching,
                priority: m.priority,
                instructions,
                cookie: m.cookie,
                idle_timeout: m.idle_timeout,
                hard_timeout: m.hard_timeout,
                flags: m.flags,
                created: Instant::now(),
                created_ms: now_ms,
                stats,
            }),
        );
        Ok(FlowModOutcome { added: 1, ..FlowModOutcome::default() })
    }

    fn modify(&mut self, m: &FlowMod) -> Result<FlowModOutcome, FlowModError> {
        self.check_targets(&m.instructions)?;
        let rules = self.selected(m);
        for (number, rule) in &rules {
            validate::check(*number, &rule.matching(), &m.instructions)?;
        }
        if let (true, Some(number)) = (rules.is_empty(), m.table) {
            validate::check(number, &m.matching, &m.instructions)?;
        }
        let instructions = lock(&self.ledger).share(&m.instructions);
        for (number, rule) in &rules {
            let reset = m.flags & FLAG_RESET_COUNTS != 0;
            let stats: Arc<RuleStats> =
                if reset { Arc::default() } else { Arc::clone(&rule.stats) };
            // "Its cookie, idle_timeout, hard_timeout, flags, counters and duration fields are left
            // unchanged."
            let rule = Rule {
                matching: rule.matching.clone(),
                instructions: Arc::clone(&instructions),
                stats,
                ..**rule
            };
            self.insert(*number, Arc::new(rule));
        }
        Ok(FlowModOutcome { modified: rules.len(), ..FlowModOutcome::default() })
    }

    fn delete(&mut self, m: &FlowMod) -> FlowModOutcome {
        let mut outcome = FlowModOutcome::default();
        let mut known = Vec::new();
        if m.command == Command::DeleteStrict {
            for (number, rule) in self.selected(m) {
                self.remove(number, &rule);
                outcome.removed += 1;
                known.push((number, rule));
            }
        } else {
            let filter = FlowFilter::of(m);
            for number in 0..self.tables.len() as u8 {
                if filter.table.is_none_or(|t| t == number) {
                    outcome.removed += self.delete_from(number, &filter, &mut known);
                }
            }
        }
        let told = known.into_iter().filter(|(_, rule)| rule.flags & FLAG_SEND_FLOW_REM != 0);
        outcome.told.extend(told.map(|(table, rule)| Removed {
            table,
            rule,
            reason: RemovedReason::Delete,
        }));
        outcome
    }

    /// Removes the rules of a table that a filter lets through; gives back how many, and adds those
    /// that something besides the table knew of to `known`.
    fn delete_from(
        &mut self,
        number: u8,
        filter: &FlowFilter,
        known: &mut Vec<(u8, Arc<Rule>)>,
    ) -> usize {
        let Some(table) = self.tables[usize::from(number)].as_mut() else { return 0 };
        if table.rules.is_empty() {
            return 0;
        }
        let table = Arc::make_mut(table);
        if filter.is_open() && table.known == 0 {
            return std::mem::take(&mut table.rules).len();
        }
        let first = known.len();
        let removed = table.rules.remove_covered(&filter.matching, |rule| {
            let goes = filter.admits(rule);
            if goes && is_known(rule) {
                known.push((number, Arc::clone(rule)));
            }
            goes
        });
        table.known -= known.len() - first;
        for (_, rule) in &known[first..] {
            self.forget(rule);
        }
        removed
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
        let known = is_known(&rule);
        let table = self.table_mut(number);
        let old = table.rules.insert(Arc::clone(&rule)).filter(|old| is_known(old));
        table.known += usize::from(known);
        table.known -= usize::from(old.is_some());
        if known {
            self.remember(number, &rule);
        }
        if let Some(old) = old {
            self.forget(&old);
        }
    }

    fn remove(&mut self, number: u8, rule: &Rule) {
        let table = self.table_mut(number);
        let removed = table.rules.remove(&rule.matching(), rule.priority);
        if let Some(rule) = removed.filter(|rule| is_known(rule)) {
            table.known -= 1;
            self.forget(&rule);
        }
    }

    /// Notes what a rule that is now in its table has to do with.
    fn remember(&mut self, number: u8, rule: &Arc<Rule>) {
        for target in targets(rule) {
            let uses = Arc::make_mut(&mut self.uses);
            uses.add(target);
            let live = uses.count(target);
            let user = (number, Arc::clone(rule));
            lock(&self.ledger).users.add(target, user, live, |(n, rule)| self.holds(*n, rule));
        }
        if rule.has_timeout() {
            self.timed += 1;
            let timeouts = &mut lock(&self.ledger).timeouts;
            timeouts.shrink(self.timed, |t| self.holds(t.table, &t.rule));
            timeouts.add(number, rule);
        }
    }

    /// The same for one that is no longer there.
    fn forget(&mut self, rule: &Rule) {
        for target in targets(rule) {
            Arc::make_mut(&mut self.uses).remove(target);
        }
        if rule.has_timeout() {
            self.timed -= 1;
        }
    }

    /// Whether this very rule is still in its table.
    fn holds(&self, number: u8, rule: &Arc<Rule>) -> bool {
        let found = self.table(number).and_then(|t| t.rules.find(&rule.matching(), rule.priority));
        found.is_some_and(|found| Arc::ptr_eq(found, rule))
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    // Entries are checked before use, so those that a panic left are as good as any.
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
