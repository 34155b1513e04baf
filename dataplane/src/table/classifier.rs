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
//! touches (see `trie.rs`): the control thread clones, changes and publishes, also with a
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Instructions;
    use crate::table::linear::LinearTable;

    /// A generator without pattern (xorshift), so that every run is the same.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % n
        }
    }

    fn rule(matching: Match, priority: u16, cookie: u64) -> Arc<Rule> {
        Arc::new(Rule {
            matching,
            priority,
            instructions: Instructions::default(),
            cookie,
            idle_timeout: 0,
            hard_timeout: 0,
            flags: 0,
            created: std::time::Instant::now(),
            modified_ms: 1,
            stats: Arc::default(),
        })
    }

    /// A key of few values, and one of five masks of it. Each mask has its own priorities, so that
    /// no two rules of equal priority match the same packet.
    fn draw(random: &mut Random) -> (FlowKey, Mask, u16) {
        let mut key = FlowKey::default();
        key.eth_type.set(random.below(2) as u16);
        key.ipv4_dst.set(random.below(40) as u32);
        key.tp_dst.set(random.below(20) as u16);
        let kind = random.below(5);
        let mut mask = Mask::default();
        if kind > 0 {
            mask.0.eth_type.set(u16::MAX);
        }
        if kind > 1 {
            mask.0.ipv4_dst.set(if kind == 2 { 0xffff_fff8 } else { u32::MAX });
        }
        if kind > 3 {
            mask.0.tp_dst.set(u16::MAX);
        }
        (key, mask, (random.below(3) * 256 + kind) as u16)
    }

    fn all(rules: &Classifier) -> Vec<(u16, u64)> {
        let mut found = Vec::new();
        rules.for_each(|r| found.push((r.priority, r.cookie)));
        found.sort_unstable();
        found
    }

    #[test]
    fn agrees_with_the_linear_table_while_rules_come_and_go() {
        let mut random = Random(0x9e37_79b9);
        let (mut rules, mut linear) = (Classifier::default(), LinearTable::default());
        let mut snapshot = (rules.clone(), all(&rules));
        for round in 0..8000 {
            let (key, mask, priority) = draw(&mut random);
            let matching = Match::new(&key, &mask);
            // The tables grow, then shrink, then grow again.
            let insert = random.below(10) < if (round / 2000) % 2 == 0 { 8 } else { 2 };
            let (got, wanted) = if insert {
                let rule = rule(matching, priority, round);
                (rules.insert(Arc::clone(&rule)), linear.insert(rule))
            } else {
                (rules.remove(&matching, priority), linear.remove(&matching, priority))
            };
            assert_eq!(got.map(|r| r.cookie), wanted.map(|r| r.cookie));
            assert_eq!(rules.len(), linear.rules.len());

            let (key, mask, priority) = draw(&mut random);
            let mut wc = Mask::default();
            let cookie = |r: &Arc<Rule>| r.cookie;
            let got = rules.lookup(&key, &mut wc).map(cookie);
            assert_eq!(got, linear.lookup(&key).map(cookie));
            let by = Match::new(&key, &mask);
            if round % 64 == 0 {
                let mut covered = Vec::new();
                rules.for_each_covered(&by, |r| covered.push(r.cookie));
                let wanted = linear.rules.iter().filter(|r| r.matching.is_covered_by(&by));
                let mut wanted: Vec<_> = wanted.map(cookie).collect();
                covered.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(covered, wanted);
                let overlaps =
                    linear.rules.iter().any(|r| r.priority == priority && r.matching.overlaps(&by));
                assert_eq!(rules.overlapping(&by, priority).is_some(), overlaps);
            }
            if round % 1000 == 0 {
                assert_eq!(all(&snapshot.0), snapshot.1, "a snapshot changed");
                snapshot = (rules.clone(), all(&rules));
            }
        }
        for rule in linear.rules {
            assert!(rules.remove(&rule.matching, rule.priority).is_some());
        }
        assert!(rules.is_empty() && rules.masks() == 0);
        assert_eq!(all(&snapshot.0), snapshot.1);
    }

    #[test]
    fn a_lookup_looks_no_further_than_it_must() {
        let mut rules = Classifier::default();
        let mut high = Mask::default();
        high.0.eth_type.set(u16::MAX);
        let mut low = Mask::default();
        low.0.tp_dst.set(u16::MAX);
        let mut key = FlowKey::default();
        key.eth_type.set(0x0800);
        rules.insert(rule(Match::new(&key, &high), 9, 1));
        rules.insert(rule(Match::new(&key, &low), 3, 2));
        let mut wc = Mask::default();
        assert_eq!(rules.lookup(&key, &mut wc).unwrap().cookie, 1);
        assert_eq!(wc, high);
        key.eth_type.set(0x0806);
        assert_eq!(rules.lookup(&key, &mut wc).unwrap().cookie, 2);
        assert!(wc.covers(&low));
    }
}
