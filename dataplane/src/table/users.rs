//! Which rules send to a group or use a meter, so that they go with it.
//!
//! As with timeouts, entries are checked when they are used: a rule that is no longer in its table is
//! dropped then. So a rule that goes need not be searched for here.

use super::rule::Rule;
use std::collections::HashMap;
use std::sync::Arc;

/// What a rule can name that may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Group(u32),
    Meter(u32),
}

/// What a rule names, each once.
pub(super) fn targets(rule: &Rule) -> impl Iterator<Item = Target> {
    let meter = rule.instructions.meter.map(Target::Meter);
    rule.groups().into_iter().map(Target::Group).chain(meter)
}

/// How many rules name what. Exact, and part of each clone of the pipeline.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses(HashMap<Target, u32>);

impl Uses {
    pub(super) fn count(&self, target: Target) -> u32 {
        self.0.get(&target).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, target: Target) {
        *self.0.entry(target).or_insert(0) += 1;
    }

    pub(super) fn remove(&mut self, target: Target) {
        if let Some(n) = self.0.get_mut(&target) {
            *n -= 1;
            if *n == 0 {
                self.0.remove(&target);
            }
        }
    }
}

/// A rule and its table.
pub(super) type User = (u8, Arc<Rule>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<Target, Vec<User>>);

impl Users {
    /// Notes that a rule names a target, as `live` rules do now.
    pub(super) fn add(
        &mut self,
        target: Target,
        user: User,
        live: u32,
        in_table: impl Fn(&User) -> bool,
    ) {
        let users = self.0.entry(target).or_default();
        if users.len() > 2 * live as usize + 64 {
            users.retain(in_table);
        }
        users.push(user);
    }

    /// Takes all rules that ever named a target; those that have gone may be among them.
    pub(super) fn take(&mut self, target: Target) -> Vec<User> {
        self.0.remove(&target).unwrap_or_default()
    }
}
