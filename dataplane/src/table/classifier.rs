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

use super::priorities::Priorities;
use super::rule::Rule;
use super::trie::Trie;
use crate::flow::compact::Comparison;
use crate::flow::hash::{CompactMask, hash_key, random_seed};
use crate::flow::{CompactMatch, FlowKey, Mask, Match};
use hashbrown::HashTable;
use std::sync::Arc;

/// Rules that look at the same bits.
#[derive(Clone, Debug)]
struct Subtable {
    mask: Mask,
    compact: Arc<CompactMask>,
    priorities: Priorities,
    rules: Trie,
}

impl Subtable {
    fn new(mask: &Mask) -> Self {
        Self {
            mask: *mask,
            compact: Arc::new(CompactMask::new(mask)),
            priorities: Priorities::default(),
            rules: Trie::default(),
        }
    }

    fn hash(&self, seed: u64, key: &FlowKey) -> u64 {
        self.compact.hash(seed, key.words())
    }

    fn matches(&self, rule: &Rule, key: &FlowKey) -> bool {
        self.compact.values(key.words()).eq(rule.matching.values().iter().copied())
    }

    /// Rules whose masked key equals that of `key`, highest priority first.
    fn get(&self, seed: u64, key: &FlowKey) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.get(self.hash(seed, key)).filter(|rule| self.matches(rule, key))
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// In no order: what names a subtable is its place here.
    subtables: Vec<Arc<Subtable>>,
    /// Highest priority and place of each subtable, by priority, highest first.
    order: Vec<(u16, u32)>,
    /// Places of the subtables, to be found by mask.
    by_mask: Arc<HashTable<u32>>,
    len: usize,
    seed: u64,
}

/// Where a walk over the rules stands; see [`Classifier::walk`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    subtable: usize,
    hash: u64,
}

impl Default for Classifier {
    fn default() -> Self {
        Self {
            subtables: Vec::new(),
            order: Vec::new(),
            by_mask: Arc::default(),
            len: 0,
            seed: random_seed(),
        }
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
        for (max_priority, at) in &self.order {
            if best.is_some_and(|b| b.priority >= *max_priority) {
                break;
            }
            let subtable = &self.subtables[*at as usize];
            subtable.compact.add_to(wc);
            if let Some(rule) = subtable.get(self.seed, key).next()
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
        let subtable = &self.subtables[self.place(&matching.mask)?];
        subtable.get(self.seed, &matching.key).find(|r| r.priority == priority)
    }

    /// The match as a rule keeps it: its mask is that of the rules that look at the same bits.
    #[must_use]
    pub fn compact(&self, matching: &Match) -> CompactMatch {
        match self.place(&matching.mask) {
            None => CompactMatch::from(matching),
            Some(at) => CompactMatch::with_mask(Arc::clone(&self.subtables[at].compact), matching),
        }
    }

    /// Adds a rule; gives back the one with the same match and priority that it replaces.
    pub fn insert(&mut self, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        let Match { key, mask } = rule.matching.expand();
        let at = self.place(&mask).unwrap_or_else(|| self.add_subtable(&mask));
        let priority = rule.priority;
        let subtable = Arc::make_mut(&mut self.subtables[at]);
        let hash = subtable.hash(self.seed, &key);
        let old = subtable.rules.insert(hash, rule);
        if old.is_none() {
            self.len += 1;
            subtable.priorities.add(priority);
            self.set_order(at);
        }
        old
    }

    /// Removes the rule with exactly this match and priority.
    pub fn remove(&mut self, matching: &Match, priority: u16) -> Option<Arc<Rule>> {
        self.find(matching, priority)?;
        let at = self.place(&matching.mask)?;
        let subtable = Arc::make_mut(&mut self.subtables[at]);
        let hash = subtable.hash(self.seed, &matching.key);
        let compact = Arc::clone(&subtable.compact);
        let same =
            |r: &Rule| compact.values(matching.key.words()).eq(r.matching.values().iter().copied());
        let rule = subtable.rules.remove(hash, priority, &same)?;
        self.len -= 1;
        subtable.priorities.remove(priority);
        self.set_order(at);
        Some(rule)
    }

    /// Removes those of the rules that `by` covers for which `drop` says so; gives back how many.
    pub fn remove_covered(
        &mut self,
        by: &Match,
        mut drop: impl FnMut(&Arc<Rule>) -> bool,
    ) -> usize {
        let before = self.len;
        // From behind: a subtable that goes is replaced by the last one.
        for at in (0..self.subtables.len()).rev() {
            if !self.subtables[at].mask.covers(&by.mask) {
                continue;
            }
            if self.subtables[at].mask == by.mask {
                let gone: Vec<_> =
                    self.subtables[at].get(self.seed, &by.key).map(Arc::clone).collect();
                for rule in gone.into_iter().filter(|rule| drop(rule)) {
                    self.remove(by, rule.priority);
                }
                continue;
            }
            let subtable = Arc::make_mut(&mut self.subtables[at]);
            let covered = Comparison::new(&subtable.compact, by);
            let (priorities, len) = (&mut subtable.priorities, &mut self.len);
            subtable.rules.remove_all(&mut |rule| {
                let goes = covered.agrees(rule.matching.values()) && drop(rule);
                if goes {
                    priorities.remove(rule.priority);
                    *len -= 1;
                }
                goes
            });
            self.set_order(at);
        }
        before - self.len
    }

    /// Calls `f` for every rule, in no particular order.
    pub fn for_each<'a>(&'a self, mut f: impl FnMut(&'a Arc<Rule>)) {
        for subtable in &self.subtables {
            subtable.rules.for_each(&mut f);
        }
    }

    /// Calls `f` for every rule that `by` covers: those that match nothing that `by` does not match.
    pub fn for_each_covered<'a>(&'a self, by: &Match, mut f: impl FnMut(&'a Arc<Rule>)) {
        let mut next = Some(Position::default());
        while let Some(position) = next {
            next = self.walk(position, by, &mut |_| {}, &mut f);
        }
    }

    /// Calls `seen` for a few rules and `f` for those of them that `by` covers; gives back where to
    /// go on, `None` at the end.
    pub(super) fn walk<'a>(
        &'a self,
        from: Position,
        by: &Match,
        seen: &mut dyn FnMut(usize),
        f: &mut dyn FnMut(&'a Arc<Rule>),
    ) -> Option<Position> {
        let subtable = self.subtables.get(from.subtable)?;
        let behind = Some(Position { subtable: from.subtable + 1, hash: 0 });
        if !subtable.mask.covers(&by.mask) {
            seen(1);
            return behind;
        }
        if subtable.mask == by.mask {
            let mut count = 1;
            subtable.get(self.seed, &by.key).for_each(|rule| {
                count += 1;
                f(rule);
            });
            seen(count);
            return behind;
        }
        let covered = Comparison::new(&subtable.compact, by);
        let mut count = 1;
        let next = subtable.rules.walk(from.hash, &mut |rule| {
            count += 1;
            if covered.agrees(rule.matching.values()) {
                f(rule);
            }
        });
        seen(count);
        next.map_or(behind, |hash| Some(Position { hash, ..from }))
    }

    /// A rule of this priority that some packet could match as well as `matching`.
    #[must_use]
    pub fn overlapping(&self, matching: &Match, priority: u16) -> Option<&Arc<Rule>> {
        for subtable in self.subtables.iter().filter(|s| s.priorities.has(priority)) {
            if matching.mask.covers(&subtable.mask) {
                // All its bits are decided by `matching`: one probe tells.
                let same = subtable.get(self.seed, &matching.key).find(|r| r.priority == priority);
                if same.is_some() {
                    return same;
                }
                continue;
            }
            let common = Comparison::new(&subtable.compact, matching);
            let mut next = Some(0);
            while let Some(from) = next {
                let mut found = None;
                next = subtable.rules.walk(from, &mut |rule| {
                    if rule.priority == priority && common.agrees(rule.matching.values()) {
                        found = Some(rule);
                    }
                });
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Where the subtable of this mask is.
    fn place(&self, mask: &Mask) -> Option<usize> {
        let hash = hash_key(self.seed, mask.0.words());
        let same = |at: &u32| self.subtables[*at as usize].mask == *mask;
        self.by_mask.find(hash, same).map(|at| *at as usize)
    }

    fn add_subtable(&mut self, mask: &Mask) -> usize {
        let at = self.subtables.len();
        self.subtables.push(Arc::new(Subtable::new(mask)));
        // Below all: the rule that comes raises it.
        self.order.push((0, at as u32));
        let (seed, subtables) = (self.seed, &self.subtables);
        let hash = |at: &u32| hash_key(seed, subtables[*at as usize].mask.0.words());
        Arc::make_mut(&mut self.by_mask).insert_unique(hash(&(at as u32)), at as u32, hash);
        at
    }

    fn remove_subtable(&mut self, at: usize) {
        self.order.retain(|(_, place)| *place as usize != at);
        self.take_place(at);
        let last = self.subtables.len() - 1;
        self.subtables.swap_remove(at);
        if at == last {
            return;
        }
        let moved = &self.subtables[at].mask;
        let hash = hash_key(self.seed, moved.0.words());
        let places = Arc::make_mut(&mut self.by_mask);
        if let Some(place) = places.find_mut(hash, |place| *place as usize == last) {
            *place = at as u32;
        }
        if let Some((_, place)) = self.order.iter_mut().find(|(_, p)| *p as usize == last) {
            *place = at as u32;
        }
    }

    /// Takes a subtable out of the index by mask.
    fn take_place(&mut self, at: usize) {
        let hash = hash_key(self.seed, self.subtables[at].mask.0.words());
        let places = Arc::make_mut(&mut self.by_mask);
        if let Ok(place) = places.find_entry(hash, |place| *place as usize == at) {
            place.remove();
        }
    }

    /// Puts a subtable where its highest priority belongs; removes it if it has become empty.
    fn set_order(&mut self, at: usize) {
        let Some(max) = self.subtables[at].priorities.max() else {
            self.remove_subtable(at);
            return;
        };
        let same = |(priority, place): &(u16, u32)| *priority == max && *place as usize == at;
        // Most changes leave the highest priority as it is; then it is among its equals.
        let first = self.order.partition_point(|(priority, _)| *priority > max);
        let equals = self.order[first..].iter().take_while(|(priority, _)| *priority == max);
        if equals.into_iter().any(same) {
            return;
        }
        self.order.retain(|(_, place)| *place as usize != at);
        let behind = self.order.partition_point(|(priority, _)| *priority >= max);
        self.order.insert(behind, (max, at as u32));
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
            matching: CompactMatch::from(&matching),
            priority,
            instructions: Arc::new(Instructions::default()),
            cookie,
            idle_timeout: 0,
            hard_timeout: 0,
            flags: 0,
            created: std::time::Instant::now(),
            created_ms: 1,
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
                let wanted = linear.rules.iter().filter(|r| r.matching().is_covered_by(&by));
                let mut wanted: Vec<_> = wanted.map(cookie).collect();
                covered.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(covered, wanted);
                let overlaps = linear
                    .rules
                    .iter()
                    .any(|r| r.priority == priority && r.matching().overlaps(&by));
                assert_eq!(rules.overlapping(&by, priority).is_some(), overlaps);
            }
            if round % 199 == 0 {
                let goes = |r: &Arc<Rule>| r.cookie.is_multiple_of(3);
                let before = linear.rules.len();
                linear.rules.retain(|r| !(r.matching().is_covered_by(&by) && goes(r)));
                assert_eq!(rules.remove_covered(&by, goes), before - linear.rules.len());
                let wanted = linear.rules.iter().map(|r| (r.priority, r.cookie));
                let mut wanted: Vec<_> = wanted.collect();
                wanted.sort_unstable();
                assert_eq!(all(&rules), wanted);
            }
            if round % 1000 == 0 {
                assert_eq!(all(&snapshot.0), snapshot.1, "a snapshot changed");
                snapshot = (rules.clone(), all(&rules));
            }
        }
        for rule in linear.rules {
            assert!(rules.remove(&rule.matching(), rule.priority).is_some());
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
