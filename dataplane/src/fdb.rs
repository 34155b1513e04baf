//! The MAC learning table of a bridge (FDB): which port an address of a VLAN was last seen on.
//!
//! Only translation (the slow path) and the control thread come here, so a mutex guards it. The
//! fast path touches two things without a lock: the `used` time of an entry that it holds an `Arc`
//! of, and the generation counters. Each counter stands for the addresses that hash to it and is
//! raised whenever one of them is learned, moves or goes away. A cached decision keeps the
//! generations of the addresses that it looked up ([`FdbDep`]) and is translated anew when one has
//! changed: a flood of new addresses disturbs no other flow, but for chance collisions.
//!
//! The table is bounded. When it is full, an entry of the port that has most goes, so that one port
//! that invents addresses cannot push out the others'. Within the port the oldest goes first,
//! unless it was used since it was last passed over.
//!
//! A frame moves its source address at once, a gratuitous ARP like any other. (Open vSwitch holds
//! moves back after a gratuitous ARP only for bonds, which do not exist here.)

use crate::flow::hash::random_seed;
use crate::state::PortId;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Entries of a table, unless configured (`mac_table_size`).
pub const DEFAULT_SIZE: u32 = 8192;
/// Seconds after which an unused entry goes, unless configured (`mac_aging_time`).
pub const DEFAULT_AGING_S: u32 = 300;
/// Generation counters of a table (32 KiB); a power of two.
const BUCKETS: usize = 4096;
/// Most entries that one eviction passes over because they were used meanwhile.
const SECOND_CHANCES: usize = 8;
/// No slot.
const NIL: u32 = u32::MAX;

/// Configuration of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbConfig {
    /// Most entries; 0: nothing is learned.
    pub size: u32,
    /// Seconds after which an unused entry goes; 0: never.
    pub aging_s: u32,
}

impl Default for FdbConfig {
    fn default() -> Self {
        Self { size: DEFAULT_SIZE, aging_s: DEFAULT_AGING_S }
    }
}

/// A MAC address.
pub type Mac = [u8; 6];

/// What was learned of one address of one VLAN.
#[derive(Debug)]
pub struct Learned {
    vlan: u16,
    mac: Mac,
    port: PortId,
    used_ms: AtomicU64,
}

impl Learned {
    /// Notes that a frame from the address came at `now_ms` (of [`crate::state::clock_ms`]).
    pub fn refresh(&self, now_ms: u64) {
        if self.used_ms.load(Ordering::Relaxed) != now_ms {
            self.used_ms.store(now_ms, Ordering::Relaxed);
        }
    }
}

/// An entry as `vxswitch fdb` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FdbEntry {
    /// Port that the address was seen on.
    pub port: PortId,
    /// VLAN.
    pub vlan: u16,
    /// Address.
    pub mac: Mac,
    /// Seconds since its last frame.
    pub age_s: u64,
}

/// What a cached decision remembers of a look at the table.
#[derive(Clone, Debug)]
pub struct FdbDep {
    fdb: Arc<Fdb>,
    bucket: u32,
    generation: u64,
}

impl FdbDep {
    /// Whether what was looked up is unchanged.
    #[inline]
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.fdb.generations[self.bucket as usize].load(Ordering::Acquire) == self.generation
    }
}

#[derive(Debug)]
struct Slot {
    entry: Arc<Learned>,
    /// `used_ms` when the slot was put at the end of its port's list.
    queued_ms: u64,
    prev: u32,
    next: u32,
}

/// The entries of one port, oldest first.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
    len: u32,
}

#[derive(Debug, Default)]
struct Inner {
    index: HashMap<(u16, Mac), u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    ports: HashMap<PortId, List>,
    /// Ports by how many entries they have, for eviction.
    by_len: BTreeSet<(u32, PortId)>,
}

/// See the module.
#[derive(Debug)]
pub struct Fdb {
    inner: Mutex<Inner>,
    generations: Box<[AtomicU64]>,
    seed: u64,
    size: AtomicU32,
    aging_s: AtomicU32,
    evicted: AtomicU64,
}

impl Default for Fdb {
    fn default() -> Self {
        Self::new(FdbConfig::default())
    }
}

impl Fdb {
    /// An empty table.
    #[must_use]
    pub fn new(config: FdbConfig) -> Self {
        Self {
            inner: Mutex::default(),
            generations: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            seed: random_seed(),
            size: AtomicU32::new(config.size),
            aging_s: AtomicU32::new(config.aging_s),
            evicted: AtomicU64::new(0),
        }
    }

    /// Learns that `mac` of `vlan` is behind `port`, or refreshes that. Group addresses are never
    /// learned: `None`. The dependency is on the entry staying as it is.
    pub fn learn(
        self: &Arc<Self>,
        vlan: u16,
        mac: Mac,
        port: PortId,
        now_ms: u64,
    ) -> Option<(Arc<Learned>, FdbDep)> {
        if mac[0] & 1 != 0 || self.size.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut inner = self.lock();
        let known = inner.index.get(&(vlan, mac)).copied();
        let entry = match known.and_then(|slot| inner.slots[slot as usize].as_ref()) {
            Some(slot) if slot.entry.port == port => {
                slot.entry.refresh(now_ms);
                Arc::clone(&slot.entry)
            }
            _ => {
                if let Some(slot) = known {
                    inner.remove(slot);
                }
                while inner.index.len() as u64 >= u64::from(self.size.load(Ordering::Relaxed)) {
                    self.evict(&mut inner);
                }
                let used_ms = AtomicU64::new(now_ms);
                let entry = Arc::new(Learned { vlan, mac, port, used_ms });
                inner.insert(Arc::clone(&entry));
                self.changed(vlan, mac);
                entry
            }
        };
        let dep = self.dep(vlan, mac);
        Some((entry, dep))
    }

    /// The port that `mac` of `vlan` was last seen on, and the dependency on this answer.
    #[must_use]
    pub fn lookup(self: &Arc<Self>, vlan: u16, mac: Mac) -> (Option<PortId>, FdbDep) {
        let inner = self.lock();
        let slot = inner.index.get(&(vlan, mac)).and_then(|s| inner.slots[*s as usize].as_ref());
        (slot.map(|s| s.entry.port), self.dep(vlan, mac))
    }

    /// Removes entries that were not used for the aging time. To be called about once a second.
    pub fn expire(&self, now_ms: u64) {
        let aging_ms = u64::from(self.aging_s.load(Ordering::Relaxed)) * 1000;
        if aging_ms != 0 {
            self.remove_if(|e| now_ms.saturating_sub(e.used_ms.load(Ordering::Relaxed)) > aging_ms);
        }
    }

    /// Forgets what was learned on `port`.
    pub fn flush(&self, port: PortId) {
        self.remove_if(|e| e.port == port);
    }

    /// Forgets everything.
    pub fn flush_all(&self) {
        self.remove_if(|_| true);
    }

    /// Sets size (entries; 0: nothing is learned) and aging time (seconds; 0: never).
    pub fn configure(&self, size: u32, aging_s: u32) {
        self.aging_s.store(aging_s, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
        let mut inner = self.lock();
        while inner.index.len() as u64 > u64::from(size) {
            self.evict(&mut inner);
        }
    }

    /// All entries, in the order of their ports, VLANs, addresses.
    #[must_use]
    pub fn entries(&self, now_ms: u64) -> Vec<FdbEntry> {
        let inner = self.lock();
        let slots = inner.slots.iter().flatten();
        let mut all: Vec<_> = slots
            .map(|s| FdbEntry {
                port: s.entry.port,
                vlan: s.entry.vlan,
                mac: s.entry.mac,
                age_s: now_ms.saturating_sub(s.entry.used_ms.load(Ordering::Relaxed)) / 1000,
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().index.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that were evicted because the table was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way, so a poisoned table is still whole.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn bucket(&self, vlan: u16, mac: Mac) -> usize {
        let [a, b, c, d, e, f] = mac;
        let [v, w] = vlan.to_be_bytes();
        let word = u64::from_be_bytes([v, w, a, b, c, d, e, f]);
        crate::flow::hash::mix(word ^ self.seed, 0x9e37_79b9_7f4a_7c15) as usize % BUCKETS
    }

    fn dep(self: &Arc<Self>, vlan: u16, mac: Mac) -> FdbDep {
        let bucket = self.bucket(vlan, mac);
        let generation = self.generations[bucket].load(Ordering::Acquire);
        FdbDep { fdb: Arc::clone(self), bucket: bucket as u32, generation }
    }

    fn changed(&self, vlan: u16, mac: Mac) {
        self.generations[self.bucket(vlan, mac)].fetch_add(1, Ordering::AcqRel);
    }

    fn remove_if(&self, gone: impl Fn(&Learned) -> bool) {
        let mut inner = self.lock();
        for slot in 0..inner.slots.len() as u32 {
            let entry = inner.slots[slot as usize].as_ref().map(|s| &s.entry);
            if let Some(entry) = entry.filter(|e| gone(e)).cloned() {
                inner.remove(slot);
                self.changed(entry.vlan, entry.mac);
            }
        }
    }

    /// Removes one entry of the port that has most.
    fn evict(&self, inner: &mut Inner) {
        let Some((_, port)) = inner.by_len.last().copied() else { return };
        for chance in 0..=SECOND_CHANCES {
            let head = inner.ports[&port].head;
            let Some(slot) = &inner.slots[head as usize] else { return };
            let entry = Arc::clone(&slot.entry);
            let used = entry.used_ms.load(Ordering::Relaxed);
            let queued = slot.queued_ms;
            inner.remove(head);
            if used == queued || chance == SECOND_CHANCES {
                self.changed(entry.vlan, entry.mac);
                self.evicted.fetch_add(1, Ordering::Relaxed);
                return;
            }
            inner.insert(entry);
        }
    }
}

impl Inner {
    /// Adds an entry at the end of its port's list.
    fn insert(&mut self, entry: Arc<Learned>) {
        let (key, port) = ((entry.vlan, entry.mac), entry.port);
        let queued_ms = entry.used_ms.load(Ordering::Relaxed);
        let mut list =
            self.ports.get(&port).copied().unwrap_or(List { head: NIL, tail: NIL, len: 0 });
        let slot = Some(Slot { entry, queued_ms, prev: list.tail, next: NIL });
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        if let Some(tail) = self.slots.get_mut(list.tail as usize).and_then(Option::as_mut) {
            tail.next = at;
        } else {
            list.head = at;
        }
        list.tail = at;
        self.set_list(port, List { len: list.len + 1, ..list });
        self.index.insert(key, at);
    }

    fn remove(&mut self, at: u32) {
        let Some(slot) = self.slots[at as usize].take() else { return };
        self.free.push(at);
        self.index.remove(&(slot.entry.vlan, slot.entry.mac));
        let mut list = self.ports[&slot.entry.port];
        match self.slots.get_mut(slot.prev as usize).and_then(Option::as_mut) {
            Some(prev) => prev.next = slot.next,
            None => list.head = slot.next,
        }
        match self.slots.get_mut(slot.next as usize).and_then(Option::as_mut) {
            Some(next) => next.prev = slot.prev,
            None => list.tail = slot.prev,
        }
        self.set_list(slot.entry.port, List { len: list.len - 1, ..list });
    }

    fn set_list(&mut self, port: PortId, list: List) {
        if let Some(old) = self.ports.get(&port) {
            self.by_len.remove(&(old.len, port));
        }
        if list.len == 0 {
            self.ports.remove(&port);
        } else {
            self.by_len.insert((list.len, port));
            self.ports.insert(port, list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u32) -> Mac {
        let [a, b, c, d] = n.to_be_bytes();
        [2, 0, a, b, c, d]
    }

    fn table(size: u32) -> Arc<Fdb> {
        Arc::new(Fdb::new(FdbConfig { size, aging_s: 300 }))
    }

    #[test]
    fn a_port_that_invents_addresses_pushes_out_only_its_own() {
        let fdb = table(100);
        for n in 0..10 {
            fdb.learn(0, mac(n), PortId(1), 1);
        }
        for n in 1000..101_000 {
            fdb.learn(0, mac(n), PortId(2), u64::from(n));
        }
        assert_eq!(fdb.len(), 100);
        assert_eq!(fdb.evicted(), 100_000 - 90);
        for n in 0..10 {
            assert_eq!(fdb.lookup(0, mac(n)).0, Some(PortId(1)));
        }
        // The newest of the flooding port are those that stay.
        assert_eq!(fdb.lookup(0, mac(100_999)).0, Some(PortId(2)));
        assert_eq!(fdb.lookup(0, mac(1000)).0, None);
    }

    #[test]
    fn other_addresses_keep_their_generation() {
        let fdb = table(8192);
        let (_, dep) = fdb.learn(0, mac(1), PortId(1), 1).unwrap();
        let bucket = dep.bucket as usize;
        for n in 2..1000 {
            if fdb.bucket(0, mac(n)) != bucket {
                fdb.learn(0, mac(n), PortId(2), 1);
            }
        }
        assert!(dep.is_current());
        fdb.learn(0, mac(1), PortId(2), 2);
        assert!(!dep.is_current());
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let fdb = table(4);
        let (first, _) = fdb.learn(0, mac(0), PortId(1), 1).unwrap();
        for n in 1..4 {
            fdb.learn(0, mac(n), PortId(1), 1);
        }
        first.refresh(5);
        fdb.learn(0, mac(9), PortId(1), 6);
        assert_eq!(fdb.lookup(0, mac(0)).0, Some(PortId(1)));
        assert_eq!(fdb.lookup(0, mac(1)).0, None);
    }

    #[test]
    fn entries_age_move_and_are_flushed() {
        let fdb = table(16);
        assert!(fdb.learn(0, [1, 0, 0, 0, 0, 1], PortId(1), 1).is_none());
        let (one, dep) = fdb.learn(0, mac(1), PortId(1), 1).unwrap();
        fdb.learn(7, mac(1), PortId(2), 1);
        one.refresh(200_000);
        fdb.expire(301_001 + 1);
        assert_eq!(
            fdb.entries(300_000),
            [FdbEntry { port: PortId(1), vlan: 0, mac: mac(1), age_s: 100 }]
        );
        assert!(dep.is_current());
        fdb.learn(0, mac(1), PortId(3), 300_000);
        assert_eq!(fdb.lookup(0, mac(1)).0, Some(PortId(3)));
        fdb.flush(PortId(1));
        assert_eq!(fdb.len(), 1);
        fdb.flush(PortId(3));
        assert!(fdb.is_empty() && fdb.lock().ports.is_empty() && fdb.lock().by_len.is_empty());
    }

    #[test]
    fn a_smaller_size_holds_at_once() {
        let fdb = table(64);
        for n in 0..64 {
            fdb.learn(0, mac(n), PortId(n % 3), 1);
        }
        fdb.configure(10, 300);
        assert_eq!(fdb.len(), 10);
        fdb.configure(0, 300);
        assert!(fdb.is_empty() && fdb.learn(0, mac(1), PortId(1), 1).is_none());
    }
}
