//! When rules expire: a heap of those that have a timeout, soonest first.
//!
//! Entries are checked when they come due: a rule that was used meanwhile is put back, one that is
//! no longer in its table is dropped. So nothing needs to be found in the heap, and a packet never
//! touches it.

use super::pipeline::RemovedReason;
use super::rule::Rule;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// A rule with a timeout.
#[derive(Debug)]
pub(super) struct Timed {
    due_ms: u64,
    pub(super) table: u8,
    pub(super) rule: Arc<Rule>,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.due_ms == other.due_ms
    }
}

impl Eq for Timed {}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timed {
    /// Reversed: a [`BinaryHeap`] gives its greatest first, wanted is the soonest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due_ms.cmp(&self.due_ms)
    }
}

/// When the rule expires as things stand, and why.
fn due(rule: &Rule) -> Option<(u64, RemovedReason)> {
    let after = |start_ms: u64, timeout_s: u16, reason| {
        (timeout_s != 0).then(|| (start_ms + u64::from(timeout_s) * 1000, reason))
    };
    let used_ms = rule.stats.used_ms().unwrap_or(0).max(rule.created_ms);
    let hard = after(rule.created_ms, rule.hard_timeout, RemovedReason::HardTimeout);
    let idle = after(used_ms, rule.idle_timeout, RemovedReason::IdleTimeout);
    // The hard timeout is named where both fall together, as in Open vSwitch.
    hard.into_iter().chain(idle).min_by_key(|d| d.0)
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Timeouts(BinaryHeap<Timed>);

impl Timeouts {
    /// Adds a rule, if it has a timeout.
    pub(super) fn add(&mut self, table: u8, rule: &Arc<Rule>) {
        if let Some((due_ms, _)) = due(rule) {
            self.0.push(Timed { due_ms, table, rule: Arc::clone(rule) });
        }
    }

    /// Drops entries of rules that have gone, once they outnumber the `live` ones.
    pub(super) fn shrink(&mut self, live: usize, in_table: impl Fn(&Timed) -> bool) {
        if self.0.len() > 2 * live + 1024 {
            self.0.retain(in_table);
        }
    }

    /// Whether [`Self::pop`] has something to look at.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.0.peek().is_some_and(|timed| timed.due_ms <= now_ms)
    }

    /// Takes the next rule that has expired by `now_ms`.
    pub(super) fn pop(
        &mut self,
        now_ms: u64,
        in_table: impl Fn(&Timed) -> bool,
    ) -> Option<(Timed, RemovedReason)> {
        while self.0.peek()?.due_ms <= now_ms {
            let timed = self.0.pop()?;
            if !in_table(&timed) {
                continue;
            }
            match due(&timed.rule) {
                Some((due_ms, reason)) if due_ms <= now_ms => return Some((timed, reason)),
                Some((due_ms, _)) => self.0.push(Timed { due_ms, ..timed }),
                None => {}
            }
        }
        None
    }
}
