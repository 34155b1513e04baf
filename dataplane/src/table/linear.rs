//! The oracle of the tests: a flow table that is too simple to be wrong, and slow.

use super::rule::Rule;
use crate::flow::{FlowKey, Match};
use std::sync::Arc;

/// Rules in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct LinearTable {
    /// The rules.
    pub rules: Vec<Arc<Rule>>,
}

impl LinearTable {
    /// The rule of highest priority that matches `key`; of equals, the one added first.
    #[must_use]
    pub fn lookup(&self, key: &FlowKey) -> Option<&Arc<Rule>> {
        let matching = self.rules.iter().filter(|r| r.matching.matches(key));
        matching.rev().max_by_key(|r| r.priority)
    }

    /// Adds a rule; gives back the one with the same match and priority that it replaces.
    pub fn insert(&mut self, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        let old = self.remove(&rule.matching(), rule.priority);
        self.rules.push(rule);
        old
    }

    /// Removes the rule with exactly this match and priority.
    pub fn remove(&mut self, matching: &Match, priority: u16) -> Option<Arc<Rule>> {
        let same = |r: &Arc<Rule>| r.matching() == *matching && r.priority == priority;
        let at = self.rules.iter().position(same)?;
        Some(self.rules.remove(at))
    }
}
