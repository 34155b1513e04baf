//! The first level: packets by their whole key, of a fixed size, two places for each.

use crate::flow::FlowKey;

/// Places (some 1.6 MB with the keys); a power of two.
const SIZE: usize = 8192;

#[derive(Clone, Debug)]
struct Slot {
    key: FlowKey,
    /// Of the entry; 0 in an empty slot.
    serial: u64,
    entry: u32,
    /// Upper half of the key's hash: most slots that hold another key are passed by on it.
    tag: u32,
}

/// See the module. Says which entry a key belongs to; whether the entry still is the same, its
/// serial number tells.
#[derive(Debug)]
pub struct Exact {
    slots: Box<[Slot]>,
}

impl Default for Exact {
    fn default() -> Self {
        Self::new()
    }
}

/// The two places of a key lie side by side, so that both cost one page.
fn places(hash: u64) -> (usize, usize) {
    let first = hash as usize % SIZE;
    (first, first ^ 1)
}

impl Exact {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let empty = Slot { key: FlowKey::default(), serial: 0, entry: 0, tag: 0 };
        Self { slots: vec![empty; SIZE].into() }
    }

    /// The entry of this key, and the entry's serial number when it was put here.
    #[inline]
    #[must_use]
    pub fn find(&self, hash: u64, key: &FlowKey) -> Option<(u32, u64)> {
        let (a, b) = places(hash);
        let tag = (hash >> 32) as u32;
        for at in [a, b] {
            let slot = &self.slots[at];
            if slot.tag == tag && slot.serial != 0 && slot.key.words() == key.words() {
                return Some((slot.entry, slot.serial));
            }
        }
        None
    }

    /// Puts a key in its first place; what was there moves to the second.
    pub fn insert(&mut self, hash: u64, key: &FlowKey, entry: u32, serial: u64) {
        let (a, b) = places(hash);
        let tag = (hash >> 32) as u32;
        if self.slots[a].key.words() != key.words() {
            let (low, high) = self.slots.split_at_mut(a.max(b));
            std::mem::swap(&mut low[a.min(b)], &mut high[0]);
        }
        self.slots[a] = Slot { key: *key, serial, entry, tag };
    }
}
