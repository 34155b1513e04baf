//! A hash trie of rules that shares structure between its clones.
//!
//! Sixteen ways at each level, by four bits of the hash; leaves of a few rules split as they grow.
//! A clone costs one reference count. A change copies only the path to the leaf that it touches,
//! and not even that where nobody else holds it, so filling a table copies nothing.

use super::rule::Rule;
use smallvec::SmallVec;
use std::sync::Arc;

/// Ways of a branch.
const WAYS: usize = 16;
/// Bits of the hash that choose the way.
const BITS: u32 = WAYS.trailing_zeros();
/// Buckets of a leaf before it splits.
const LEAF: usize = 16;
/// Levels after which a hash has no bits left.
const DEPTH: u32 = u64::BITS / BITS;

/// Rules with equal masked keys, highest priority first.
type Same = SmallVec<[Arc<Rule>; 1]>;

#[derive(Clone, Debug)]
struct Bucket {
    hash: u64,
    rules: Same,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Trie {
    /// Few rules.
    Leaf(Leaf),
    /// Many.
    Branch(Box<[Arc<Self>; WAYS]>),
}

/// Contents of a leaf; private in substance.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf(Vec<Bucket>);

impl Default for Trie {
    fn default() -> Self {
        Self::Leaf(Leaf::default())
    }
}

fn way(hash: u64, level: u32) -> usize {
    (hash >> (level * BITS)) as usize % WAYS
}

impl Trie {
    /// The rules with this hash whose match satisfies `same`: highest priority first.
    pub(super) fn get(&self, hash: u64, same: impl Fn(&Rule) -> bool) -> &[Arc<Rule>] {
        let mut node = self;
        let mut level = 0;
        loop {
            match node {
                Self::Branch(ways) => node = &ways[way(hash, level)],
                Self::Leaf(leaf) => {
                    let mut buckets = leaf.0.iter();
                    let found = buckets.find(|b| b.hash == hash && same(&b.rules[0]));
                    return found.map_or(&[], |b| &b.rules);
                }
            }
            level += 1;
        }
    }

    /// Adds a rule; gives back the one with the same match and priority that it replaces.
    pub(super) fn insert(&mut self, hash: u64, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        self.insert_at(0, hash, rule)
    }

    fn insert_at(&mut self, level: u32, hash: u64, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        let leaf = match self {
            Self::Branch(ways) => {
                return Arc::make_mut(&mut ways[way(hash, level)]).insert_at(level + 1, hash, rule);
            }
            Self::Leaf(leaf) => leaf,
        };
        let key = &rule.matching.key;
        let mut buckets = leaf.0.iter_mut();
        if let Some(b) = buckets.find(|b| b.hash == hash && b.rules[0].matching.key == *key) {
            let at = b.rules.iter().position(|r| r.priority <= rule.priority);
            match at {
                Some(i) if b.rules[i].priority == rule.priority => {
                    return Some(std::mem::replace(&mut b.rules[i], rule));
                }
                Some(i) => b.rules.insert(i, rule),
                None => b.rules.push(rule),
            }
            return None;
        }
        leaf.0.push(Bucket { hash, rules: SmallVec::from_buf([rule]) });
        if leaf.0.len() > LEAF && level < DEPTH {
            let mut parts: [Leaf; WAYS] = Default::default();
            for b in leaf.0.drain(..) {
                parts[way(b.hash, level)].0.push(b);
            }
            *self = Self::Branch(Box::new(parts.map(|l| Arc::new(Self::Leaf(l)))));
        }
        None
    }

    /// Removes the rule with this key and priority.
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
                let all_empty =
                    ways.iter().all(|w| matches!(&**w, Self::Leaf(l) if l.0.is_empty()));
                if all_empty {
                    *self = Self::default();
                }
                Some(rule)
            }
            Self::Leaf(leaf) => {
                let at = leaf.0.iter().position(|b| b.hash == hash && same(&b.rules[0]))?;
                let rules = &mut leaf.0[at].rules;
                let i = rules.iter().position(|r| r.priority == priority)?;
                let rule = rules.remove(i);
                if rules.is_empty() {
                    leaf.0.swap_remove(at);
                }
                Some(rule)
            }
        }
    }

    /// Calls `f` for every rule.
    pub(super) fn for_each<'a>(&'a self, f: &mut dyn FnMut(&'a Arc<Rule>)) {
        match self {
            Self::Branch(ways) => ways.iter().for_each(|w| w.for_each(f)),
            Self::Leaf(leaf) => leaf.0.iter().flat_map(|b| &b.rules).for_each(f),
        }
    }
}
