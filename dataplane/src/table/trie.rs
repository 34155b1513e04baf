//! A hash trie of rules that shares structure between its clones.
//!
//! Four ways at each level, by two bits of the hash, highest first, so that the order of the rules
//! is that of their hashes; leaves of a few rules split as they grow. A clone costs one reference
//! count. A change copies only the path to the leaf that it touches, and not even that where nobody
//! else holds it, so filling a table copies nothing. Four ways, because a copied branch touches
//! the reference count of each of its children, which with a million rules is in no cache.

use super::rule::Rule;
use std::cmp::Reverse;
use std::sync::Arc;

/// Ways of a branch.
const WAYS: usize = 4;
/// Bits of the hash that choose the way.
const BITS: u32 = WAYS.trailing_zeros();
/// Rules of a leaf before it splits.
const LEAF: usize = 8;
/// Rules of a branch's leaves together at which they become one leaf again.
const MERGE: usize = 4;

/// A rule and the hash of its match.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    hash: u64,
    rule: Arc<Rule>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Trie {
    /// Few rules, by hash, then priority, highest first.
    Leaf(Vec<Entry>),
    /// Many.
    Branch([Arc<Self>; WAYS]),
}

impl Default for Trie {
    fn default() -> Self {
        Self::Leaf(Vec::new())
    }
}

fn way(hash: u64, level: u32) -> usize {
    (hash >> (u64::BITS - BITS * (level + 1))) as usize % WAYS
}

impl Trie {
    /// The leaf where rules with this hash are, and where the next leaf begins.
    fn leaf(&self, hash: u64) -> (&[Entry], Option<u64>) {
        let (mut node, mut level) = (self, 0);
        loop {
            match node {
                Self::Branch(ways) => node = &ways[way(hash, level)],
                Self::Leaf(entries) => {
                    let span = u64::MAX.checked_shr(BITS * level).unwrap_or(0);
                    return (entries, (hash | span).checked_add(1));
                }
            }
            level += 1;
        }
    }

    /// The rules with this hash, highest priority first.
    #[inline]
    pub(super) fn get(&self, hash: u64) -> impl Iterator<Item = &Arc<Rule>> {
        let entries = self.leaf(hash).0.iter();
        entries
            .skip_while(move |e| e.hash < hash)
            .take_while(move |e| e.hash == hash)
            .map(|e| &e.rule)
    }

    /// Calls `f` for some rules whose hash is `from` or higher; gives back with which hash to go on,
    /// `None` at the end. With `from` 0 first, and what came back then, every rule comes once.
    pub(super) fn walk<'a>(&'a self, from: u64, f: &mut dyn FnMut(&'a Arc<Rule>)) -> Option<u64> {
        let (entries, next) = self.leaf(from);
        entries.iter().for_each(|e| f(&e.rule));
        next
    }

    /// Adds a rule; gives back the one with the same match and priority that it replaces.
    pub(super) fn insert(&mut self, hash: u64, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        self.insert_at(0, hash, rule)
    }

    fn insert_at(&mut self, level: u32, hash: u64, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        let entries = match self {
            Self::Branch(ways) => {
                return Arc::make_mut(&mut ways[way(hash, level)]).insert_at(level + 1, hash, rule);
            }
            Self::Leaf(entries) => entries,
        };
        let order = (hash, Reverse(rule.priority));
        let at = entries.partition_point(|e| (e.hash, Reverse(e.rule.priority)) < order);
        let equal = entries[at..]
            .iter_mut()
            .take_while(|e| (e.hash, Reverse(e.rule.priority)) == order)
            .find(|e| e.rule.matching == rule.matching);
        if let Some(e) = equal {
            return Some(std::mem::replace(&mut e.rule, rule));
        }
        entries.insert(at, Entry { hash, rule });
        // Rules of one hash cannot be split.
        if entries.len() > LEAF && entries.first().map(|e| e.hash) != entries.last().map(|e| e.hash)
        {
            let mut parts: [Vec<Entry>; WAYS] = Default::default();
            for e in entries.drain(..) {
                parts[way(e.hash, level)].push(e);
            }
            *self = Self::Branch(parts.map(|entries| Arc::new(Self::Leaf(entries))));
        }
        None
    }

    /// Removes the rule with this match and priority.
    pub(super) fn remove(
        &mut self,
        hash: u64,
        priority: u16,
        same: &dyn Fn(&Rule) -> bool,
    ) -> Option<Arc<Rule>> {
        self.remove_at(0, hash, priority, same)
    }

    fn remove_at(
        &mut self,
        level: u32,
        hash: u64,
        priority: u16,
        same: &dyn Fn(&Rule) -> bool,
    ) -> Option<Arc<Rule>> {
        match self {
            Self::Branch(ways) => {
                let next = Arc::make_mut(&mut ways[way(hash, level)]);
                let rule = next.remove_at(level + 1, hash, priority, same)?;
                self.merge();
                Some(rule)
            }
            Self::Leaf(entries) => {
                let at = entries
                    .iter()
                    .position(|e| e.hash == hash && e.rule.priority == priority && same(&e.rule))?;
                Some(entries.remove(at).rule)
            }
        }
    }

    /// Removes the rules for which `drop` says so.
    pub(super) fn remove_all(&mut self, drop: &mut dyn FnMut(&Arc<Rule>) -> bool) {
        match self {
            Self::Leaf(entries) => entries.retain(|e| !drop(&e.rule)),
            Self::Branch(ways) => {
                for way in ways.iter_mut() {
                    match Arc::get_mut(way) {
                        Some(way) => way.remove_all(drop),
                        // A shared node stays shared where nothing of it goes.
                        None => {
                            if let Some(left) = way.without(drop) {
                                *way = Arc::new(left);
                            }
                        }
                    }
                }
                self.merge();
            }
        }
    }

    /// A copy without the rules for which `drop` says so; `None` where there is no such rule. `drop` is
    /// asked once for each.
    fn without(&self, drop: &mut dyn FnMut(&Arc<Rule>) -> bool) -> Option<Self> {
        match self {
            Self::Leaf(entries) => {
                let gone: Vec<bool> = entries.iter().map(|e| drop(&e.rule)).collect();
                gone.contains(&true).then(|| {
                    let left = entries.iter().zip(&gone).filter(|(_, gone)| !**gone);
                    Self::Leaf(left.map(|(e, _)| e.clone()).collect())
                })
            }
            Self::Branch(ways) => {
                let left = ways.each_ref().map(|way| way.without(drop));
                if left.iter().all(Option::is_none) {
                    return None;
                }
                let mut at = 0;
                let ways = left.map(|new| {
                    at += 1;
                    new.map_or_else(|| Arc::clone(&ways[at - 1]), Arc::new)
                });
                let mut node = Self::Branch(ways);
                node.merge();
                Some(node)
            }
        }
    }

    /// Makes a branch with few rules a leaf.
    fn merge(&mut self) {
        let Self::Branch(ways) = self else { return };
        let mut len = 0;
        for way in ways.iter() {
            match &**way {
                Self::Leaf(entries) if len + entries.len() <= MERGE => len += entries.len(),
                _ => return,
            }
        }
        let mut all = Vec::with_capacity(len);
        for way in ways {
            if let Self::Leaf(entries) = &**way {
                all.extend_from_slice(entries);
            }
        }
        *self = Self::Leaf(all);
    }

    /// Calls `f` for every rule.
    pub(super) fn for_each<'a>(&'a self, f: &mut dyn FnMut(&'a Arc<Rule>)) {
        match self {
            Self::Branch(ways) => ways.iter().for_each(|w| w.for_each(f)),
            Self::Leaf(entries) => entries.iter().for_each(|e| f(&e.rule)),
        }
    }
}
