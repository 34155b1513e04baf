//! Finds the rule of highest priority that matches a key: tuple space search.
//!
//! Rules that look at the same bits (have the same mask) share a *subtable*, a hash table of the
//! masked keys: one probe finds a subtable's candidates. Subtables are searched in the order of
//! their highest priority, until what is left cannot beat what was found.
//!
//! **Un-wildcarding.** A lookup adds to `wc` every bit that its outcome depended on, which is the
//! mask of every subtable that was probed, hit or miss. A bit too many only makes a cached decision
//! narrower; a bit too few makes it wrong for some packet.
//!
//! **Sharing.** A clone costs little (one reference per subtable) and a change copies only what it
//! touches (see [`super::trie`]): the control thread clones, changes and publishes, also with a
//! million rules. Readers hold an immutable snapshot.

use super::rule::Rule;
use super::trie::Trie;
use crate::flow::hash::{CompactMask, random_seed};
use crate::flow::{FlowKey, Mask, Match};
use std::cmp::Reverse;
use std::sync::Arc;

/// How many rules have which priority, so that the highest is known after a removal.
/// Pages of 256 priorities, highest page first; a page is there while it counts something.
#[derive(Clone, Debug, Default)]
struct Priorities(Vec<(u8, Arc<[u32; 256]>)>);

impl Priorities {
    fn add(&mut self, priority: u16) {
        let [high, low] = priority.to_be_bytes();
        let at = match self.0.binary_search_by_key(&Reverse(high), |p| Reverse(p.0)) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (high, Arc::new([0; 256])));
                at
            }
        };
        Arc::make_mut(&mut self.0[at].1)[usize::from(low)] += 1;
    }

    fn remove(&mut self, priority: u16) {
        let [high, low] = priority.to_be_bytes();
        if let Ok(at) = self.0.binary_search_by_key(&Reverse(high), |p| Reverse(p.0)) {
            let page = Arc::make_mut(&mut self.0[at].1);
            page[usize::from(low)] -= 1;
            if page.iter().all(|n| *n == 0) {
                self.0.remove(at);
            }
        }
    }

    fn max(&self) -> Option<u16> {
        let (high, page) = self.0.first()?;
        let low = page.iter().rposition(|n| *n != 0)?;
        Some(u16::from_be_bytes([*high, low as u8]))
    }
}

/// Rules that look at the same bits.
#[derive(Clone, Debug)]
struct Subtable {
    mask: Mask,
    compact: CompactMask,
    max_priority: u16,
    priorities: Priorities,
    rules: Trie,
}

impl Subtable {
    fn new(mask: &Mask) -> Self {
        Self {
            mask: *mask,
            compact: CompactMask::new(mask),
            max_priority: 0,
            priorities: Priorities::default(),
            rules: Trie::default(),
        }
    }

    /// Rules whose masked key equals that of `key`, highest priority first.
    fn get(&self, seed: u64, key: &FlowKey) -> &[Arc<Rule>] {
        let hash = self.compact.hash(seed, key.words());
        self.rules.get(hash, |rule| self.compact.equal(rule.matching.key.words(), key.words()))
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// By `max_priority`, descending.
    subtables: Vec<Arc<Subtable>>,
    len: usize,
    seed: u64,
}

impl Default for Classifier {
    fn default() -> Self {
        Self { subtables: Vec::new(), len: 0, seed: random_seed() }
    }
}

impl Classifier {
    /// Number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of distinct masks.
    #[must_use]
    pub fn masks(&self) -> usize {
        self.subtables.len()
    }

    /// The rule of highest priority that matches `key`; which bits decided is added to `wc`.
    pub fn lookup(&self, key: &FlowKey, wc: &mut Mask) -> Option<&Arc<Rule>> {
        let mut best: Option<&Arc<Rule>> = None;
        for subtable in &self.subtables {
            if best.is_some_and(|b| b.priority >= subtable.max_priority) {
                break;
            }
            subtable.compact.add_to(wc);
            if let Some(rule) = subtable.get(self.seed, key).first()
                && best.is_none_or(|b| rule.priority > b.priority)
            {
                best = Some(rule);
            }
        }
        best
    }

    /// The rule with exactly this match and priority.
    #[must_use]
    pub fn find(&self, matching: &Match, priority: u16) -> Option<&Arc<Rule>> {
        let subtable = self.subtables.iter().find(|s| s.mask == matching.mask)?;
        subtable.get(self.seed, &matching.key).iter().find(|r| r.priority == priority)
    }

    /// Adds a rule; gives back the one with the same match and priority that it replaces.
    pub fn insert(&mut self, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        let mask = &rule.matching.mask;
        let at = self.subtables.iter().position(|s| s.mask == *mask).unwrap_or_else(|| {
            self.subtables.push(Arc::new(Subtable::new(mask)));
            self.subtables.len() - 1
        });
        let priority = rule.priority;
        let subtable = Arc::make_mut(&mut self.subtables[at]);
        let hash = subtable.compact.hash(self.seed, rule.matching.key.words());
        let old = subtable.rules.insert(hash, rule);
        if old.is_none() {
            self.len += 1;
            subtable.priorities.add(priority);
            if priority >= subtable.max_priority {
                subtable.max_priority = priority;
                self.sort();
            }
        }
        old
    }

    /// Removes the rule with exactly this match and priority.
    pub fn remove(&mut self, matching: &Match, priority: u16) -> Option<Arc<Rule>> {
        self.find(matching, priority)?;
        let at = self.subtables.iter().position(|s| s.mask == matching.mask)?;
        let subtable = Arc::make_mut(&mut self.subtables[at]);
        let hash = subtable.compact.hash(self.seed, matching.key.words());
        let rule = subtable.rules.remove(hash, priority, &|r| r.matching.key == matching.key)?;
        self.len -= 1;
        subtable.priorities.remove(priority);
        match subtable.priorities.max() {
            None => {
                self.subtables.remove(at);
            }
            Some(max) if max != subtable.max_priority => {
                subtable.max_priority = max;
                self.sort();
            }
            Some(_) => {}
        }
        Some(rule)
    }

    /// Calls `f` for every rule, in no particular order.
    pub fn for_each<'a>(&'a self, mut f: impl FnMut(&'a Arc<Rule>)) {
        for subtable in &self.subtables {
            subtable.rules.for_each(&mut f);
        }
    }

    /// Calls `f` for every rule that `by` covers: those that match nothing that `by` does not match.
    pub fn for_each_covered<'a>(&'a self, by: &Match, mut f: impl FnMut(&'a Arc<Rule>)) {
        for subtable in self.subtables.iter().filter(|s| s.mask.covers(&by.mask)) {
            if subtable.mask == by.mask {
                subtable.get(self.seed, &by.key).iter().for_each(&mut f);
            } else {
                subtable.rules.for_each(&mut |rule| {
                    if by.matches(&rule.matching.key) {
                        f(rule);
                    }
                });
            }
        }
    }

    /// A rule of this priority that some packet could match as well as `matching`.
    #[must_use]
    pub fn overlapping(&self, matching: &Match, priority: u16) -> Option<&Arc<Rule>> {
        let mut found = None;
        for subtable in self.subtables.iter().filter(|s| s.max_priority >= priority) {
            subtable.rules.for_each(&mut |rule| {
                if rule.priority == priority && rule.matching.overlaps(matching) {
                    found = Some(rule);
                }
            });
            if found.is_some() {
                break;
            }
        }
        found
    }

    fn sort(&mut self) {
        self.subtables.sort_by_key(|s| Reverse(s.max_priority));
    }
}
