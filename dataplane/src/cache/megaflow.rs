//! The second level: decisions by the bits that made them.
//!
//! Entries that look at the same bits share a hash table; tables that are hit most are searched
//! first. Two entries that match the same packet are both right while they are current, so the
//! first one found will do.

use crate::flow::hash::CompactMask;
use crate::flow::key::PACKET_WORDS;
use crate::flow::{FlowKey, Mask};
use hashbrown::HashTable;
use std::cmp::Reverse;

/// Lookups between two sortings of the tables.
const SORT_EVERY: u32 = 4096;

#[derive(Clone, Debug)]
struct Megaflow {
    hash: u64,
    words: [u64; PACKET_WORDS],
    entry: u32,
}

#[derive(Debug)]
struct Subtable {
    mask: Mask,
    compact: CompactMask,
    flows: HashTable<Megaflow>,
    hits: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Megaflows {
    seed: u64,
    subtables: Vec<Subtable>,
    /// Keys of the entries, to find them again when they go.
    keys: Vec<u64>,
    until_sort: u32,
}

impl Megaflows {
    /// An empty one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, subtables: Vec::new(), keys: Vec::new(), until_sort: SORT_EVERY }
    }

    /// Number of distinct masks.
    #[must_use]
    pub fn masks(&self) -> usize {
        self.subtables.len()
    }

    /// An entry that the key belongs to.
    pub fn find(&mut self, key: &FlowKey) -> Option<u32> {
        self.until_sort -= 1;
        if self.until_sort == 0 {
            self.until_sort = SORT_EVERY;
            self.sort();
        }
        for subtable in &mut self.subtables {
            let hash = subtable.compact.hash(self.seed, key.packet_words());
            let same = |f: &Megaflow| {
                f.hash == hash && subtable.compact.equal(&f.words, key.packet_words())
            };
            if let Some(flow) = subtable.flows.find(hash, same) {
                subtable.hits += 1;
                return Some(flow.entry);
            }
        }
        None
    }

    /// Adds an entry for the packets that agree with `key` in the bits of `mask`, which has none
    /// behind what a packet decides.
    pub fn insert(&mut self, mask: &Mask, key: &FlowKey, entry: u32) {
        let at = self.subtables.iter().position(|s| s.mask == *mask).unwrap_or_else(|| {
            self.subtables.push(Subtable {
                mask: *mask,
                compact: CompactMask::new(mask),
                flows: HashTable::new(),
                hits: 0,
            });
            self.subtables.len() - 1
        });
        let subtable = &mut self.subtables[at];
        let hash = subtable.compact.hash(self.seed, key.packet_words());
        let flow = Megaflow { hash, words: *key.packet_words(), entry };
        subtable.flows.insert_unique(hash, flow, |f| f.hash);
        let at = entry as usize;
        if self.keys.len() <= at {
            self.keys.resize(at + 1, 0);
        }
        self.keys[at] = hash;
    }

    /// Removes an entry that was added with this mask.
    pub fn remove(&mut self, mask: &Mask, entry: u32) {
        let Some(at) = self.subtables.iter().position(|s| s.mask == *mask) else { return };
        let flows = &mut self.subtables[at].flows;
        if let Ok(found) = flows.find_entry(self.keys[entry as usize], |f| f.entry == entry) {
            found.remove();
        }
        if flows.is_empty() {
            self.subtables.swap_remove(at);
        }
    }

    /// Puts the tables in the order of their hits, and lets old hits count half.
    fn sort(&mut self) {
        self.subtables.sort_by_key(|s| Reverse(s.hits));
        for subtable in &mut self.subtables {
            subtable.hits /= 2;
        }
    }
}
