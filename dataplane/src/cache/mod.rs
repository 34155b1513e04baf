//! A worker's cache of decisions: what was worked out for a packet serves all that are like it.
//!
//! Two levels over one set of entries. The [`exact`] level finds an entry by all that a packet decides of its key
//! with one probe; the [`megaflow`] level finds it by the bits that decided. What neither finds is
//! translated and remembered. A decision that no longer holds is translated anew when a packet next
//! asks for it, so nobody ever has to flush a cache.
//!
//! A packet that was taken apart anew is looked up by its new key and the number of what is left to do
//! for it (`recirc`); the rest of it, metadata and registers, the number stands for.
//!
//! Counts are kept in the entries and added to the rules' counters by [`Cache::flush_stats`] once a
//! turn. Nothing here locks or, on a hit, allocates.

pub mod exact;
pub mod megaflow;
mod recirc;

use crate::flow::FlowKey;
use crate::flow::hash::{hash_key, random_seed};
use crate::state::Datapath;
use crate::translate::{Decision, Frozen, translate, translate_frozen};
use exact::Exact;
use megaflow::Megaflows;
use recirc::Numbers;
use std::sync::Arc;

/// Most entries of a worker's cache.
pub const MAX_ENTRIES: usize = 65_536;
/// Milliseconds without a packet after which an entry goes (Open vSwitch: `max-idle`, 10 s).
pub const MAX_IDLE_MS: u64 = 10_000;

/// Entries that one call of [`Cache::maintain`] looks at.
const MAINTAIN: usize = 256;

/// An entry found by [`Cache::lookup`]; good until the next call of it or of [`Cache::maintain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u32);

/// Packets that a decision was used for and that its rules were not told of yet.
#[derive(Debug)]
struct Entry {
    decision: Decision,
    /// Differs for every entry there ever was, and changes with the mask.
    serial: u64,
    packets: u64,
    bytes: u64,
    used_ms: u64,
    dirty: bool,
}

/// How packets were served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Found by the whole key.
    pub exact_hits: u64,
    /// Found by the bits that decided.
    pub megaflow_hits: u64,
    /// Not found, translated.
    pub misses: u64,
    /// Found, but translated anew because something had changed.
    pub revalidated: u64,
    /// Entries that went because the cache was full.
    pub evicted: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Cache {
    seed: u64,
    exact: Exact,
    megaflows: Megaflows,
    numbers: Numbers,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    /// Next entry that eviction and aging look at.
    hand: usize,
    next_serial: u64,
    limit: usize,
    stats: CacheStats,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    /// An empty cache of at most [`MAX_ENTRIES`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(MAX_ENTRIES)
    }

    /// An empty cache of at most `limit` entries (at least 1).
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        let seed = random_seed();
        Self {
            seed,
            exact: Exact::new(),
            megaflows: Megaflows::new(seed),
            numbers: Numbers::default(),
            entries: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            hand: 0,
            next_serial: 1,
            limit: limit.max(1),
            stats: CacheStats::default(),
        }
    }

    /// The entry for a packet with this key, worked out if it is not known.
    #[inline]
    pub fn lookup(&mut self, dp: &Datapath, key: &FlowKey, now_ms: u64) -> Handle {
        self.find(dp, key, None, now_ms)
    }

    /// The entry for a packet that a decision of this cache, or one that was made for the packet alone,
    /// had taken apart anew: `key` is as extracted, and gets what is known beside the frame.
    pub fn lookup_frozen(
        &mut self,
        dp: &Datapath,
        key: &mut FlowKey,
        frozen: &Arc<Frozen>,
        now_ms: u64,
    ) -> Handle {
        if frozen.number() == 0 {
            let numbered = self.numbers.number(frozen);
            return self.lookup_frozen(dp, key, &numbered, now_ms);
        }
        frozen.restore(key);
        self.find(dp, key, Some(frozen), now_ms)
    }

    #[inline]
    fn find(
        &mut self,
        dp: &Datapath,
        key: &FlowKey,
        frozen: Option<&Frozen>,
        now_ms: u64,
    ) -> Handle {
        let hash = hash_key(self.seed, key.packet_words());
        if let Some((at, serial)) = self.exact.find(hash, key)
            && let Some(entry) = &self.entries[at as usize]
            && entry.serial == serial
            && entry.decision.is_current(dp)
        {
            self.stats.exact_hits += 1;
            return Handle(at);
        }
        let at = self.lookup_megaflow(dp, key, frozen, now_ms);
        if let Some(entry) = &self.entries[at as usize] {
            self.exact.insert(hash, key, at, entry.serial);
        }
        Handle(at)
    }

    /// What to do with the packets of an entry.
    #[inline]
    #[must_use]
    pub fn decision(&self, handle: Handle) -> &Decision {
        &self.entry(handle).decision
    }

    /// Counts a packet of this many bytes that the entry was used for.
    #[inline]
    pub fn account(&mut self, handle: Handle, bytes: u64) {
        let entry = self.entries[handle.0 as usize].as_mut().expect("a handle names an entry");
        entry.packets += 1;
        entry.bytes += bytes;
        if !entry.dirty {
            entry.dirty = true;
            self.dirty.push(handle.0);
        }
    }

    /// Adds what was counted since the last call to the rules' and tables' counters, and tells the
    /// FDB which addresses were seen. To be called once a turn.
    pub fn flush_stats(&mut self, now_ms: u64) {
        for at in self.dirty.drain(..) {
            if let Some(entry) = &mut self.entries[at as usize] {
                entry.flush(now_ms);
            }
        }
    }

    /// Looks at a few entries and removes those that were idle for [`MAX_IDLE_MS`]. To be called
    /// now and then; each call goes on where the last one stopped.
    pub fn maintain(&mut self, now_ms: u64) {
        for _ in 0..MAINTAIN.min(self.entries.len()) {
            let at = self.advance();
            if let Some(entry) = &self.entries[at as usize]
                && !entry.dirty
                && now_ms.saturating_sub(entry.used_ms) > MAX_IDLE_MS
            {
                self.remove(at, now_ms);
            }
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of distinct masks among the entries.
    #[must_use]
    pub fn masks(&self) -> usize {
        self.megaflows.masks()
    }

    /// How packets were served so far.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.stats
    }

    fn entry(&self, handle: Handle) -> &Entry {
        self.entries[handle.0 as usize].as_ref().expect("a handle names an entry")
    }

    #[cold]
    #[inline(never)]
    fn lookup_megaflow(
        &mut self,
        dp: &Datapath,
        key: &FlowKey,
        frozen: Option<&Frozen>,
        now_ms: u64,
    ) -> u32 {
        let Some(at) = self.megaflows.find(key) else {
            self.stats.misses += 1;
            let decision = self.decide(dp, key, frozen, now_ms);
            return self.insert(decision, key, now_ms);
        };
        let entry = self.entries[at as usize].as_ref().expect("a megaflow names an entry");
        if entry.decision.is_current(dp) {
            self.stats.megaflow_hits += 1;
            return at;
        }
        self.stats.revalidated += 1;
        let decision = self.decide(dp, key, frozen, now_ms);
        let entry = self.entries[at as usize].as_mut().expect("a megaflow names an entry");
        if decision.wildcards == entry.decision.wildcards {
            // What was counted so far belongs to the old decision's rules.
            entry.flush_counts(now_ms);
            entry.decision = decision;
            return at;
        }
        self.remove(at, now_ms);
        self.insert(decision, key, now_ms)
    }

    fn decide(
        &mut self,
        dp: &Datapath,
        key: &FlowKey,
        frozen: Option<&Frozen>,
        now_ms: u64,
    ) -> Decision {
        let mut decision = match frozen {
            None => translate(dp, key, now_ms),
            Some(frozen) => translate_frozen(dp, key, frozen, now_ms),
        };
        self.numbers.number_all(&mut decision.steps);
        decision
    }

    fn insert(&mut self, decision: Decision, key: &FlowKey, now_ms: u64) -> u32 {
        if self.len() >= self.limit {
            self.evict(now_ms);
        }
        let mask = decision.wildcards;
        let serial = self.next_serial;
        self.next_serial += 1;
        let entry =
            Some(Entry { decision, serial, packets: 0, bytes: 0, used_ms: now_ms, dirty: false });
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.megaflows.insert(&mask, key, at);
        at
    }

    fn remove(&mut self, at: u32, now_ms: u64) {
        if let Some(mut entry) = self.entries[at as usize].take() {
            entry.flush(now_ms);
            self.megaflows.remove(&entry.decision.wildcards, at);
            self.free.push(at);
        }
    }

    /// Makes room: the first entry that was not used since the hand last passed it, or the oldest
    /// of some.
    fn evict(&mut self, now_ms: u64) {
        const LOOK: usize = 8;
        let mut oldest: Option<(u64, u32)> = None;
        let mut seen = 0;
        while seen < LOOK {
            let at = self.advance();
            if let Some(entry) = &self.entries[at as usize] {
                seen += 1;
                if oldest.is_none_or(|(used_ms, _)| entry.used_ms < used_ms) {
                    oldest = Some((entry.used_ms, at));
                }
            }
        }
        if let Some((_, at)) = oldest {
            self.stats.evicted += 1;
            self.remove(at, now_ms);
        }
    }

    fn advance(&mut self) -> u32 {
        self.hand = if self.hand + 1 < self.entries.len() { self.hand + 1 } else { 0 };
        self.hand as u32
    }
}

impl Entry {
    fn flush(&mut self, now_ms: u64) {
        self.flush_counts(now_ms);
        self.dirty = false;
    }

    fn flush_counts(&mut self, now_ms: u64) {
        if self.packets == 0 {
            return;
        }
        self.decision.count(self.packets, self.bytes, now_ms);
        (self.packets, self.bytes, self.used_ms) = (0, 0, now_ms);
    }
}
