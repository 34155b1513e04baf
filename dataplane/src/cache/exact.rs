//! The first level: packets by all that they decide of their key, of a fixed size, two places for each.

use crate::flow::FlowKey;
use crate::flow::key::PACKET_WORDS;

/// Places (some 1.6 MB with the keys); a power of two.
const SIZE: usize = 8192;

#[derive(Clone, Debug)]
struct Slot {
    words: [u64; PACKET_WORDS],
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
        let empty = Slot { words: [0; PACKET_WORDS], serial: 0, entry: 0, tag: 0 };
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
            if slot.tag == tag && slot.serial != 0 && slot.words == *key.packet_words() {
                return Some((slot.entry, slot.serial));
            }
        }
        None
    }

    /// Puts a key in; where both its places are taken, the first moves to the second.
    pub fn insert(&mut self, hash: u64, key: &FlowKey, entry: u32, serial: u64) {
        let (a, b) = places(hash);
        let slot = Slot { words: *key.packet_words(), serial, entry, tag: (hash >> 32) as u32 };
        let free = |s: &Slot| s.serial == 0 || s.words == *key.packet_words();
        if free(&self.slots[a]) {
            self.slots[a] = slot;
        } else if free(&self.slots[b]) {
            self.slots[b] = slot;
        } else {
            self.slots[b] = std::mem::replace(&mut self.slots[a], slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_share_a_place_and_a_third_pushes_one_out() {
        let mut exact = Exact::new();
        let key = |n: u64| {
            let mut key = FlowKey::default();
            key.tun_id.set(n);
            key
        };
        // First places 4, 5, 4: all in the same pair.
        for (n, hash) in [(1, 4), (2, 5), (3, 4)] {
            exact.insert(hash, &key(n), n as u32, n);
            assert_eq!(exact.find(hash, &key(n)), Some((n as u32, n)));
            if n == 2 {
                assert_eq!(exact.find(4, &key(1)), Some((1, 1)));
            }
        }
        assert_eq!(exact.find(4, &key(1)), Some((1, 1)));
        assert_eq!(exact.find(5, &key(2)), None);
        // The same key again takes its own slot.
        exact.insert(4, &key(1), 9, 9);
        assert_eq!(exact.find(4, &key(1)), Some((9, 9)));
        assert_eq!(exact.find(4, &key(3)), Some((3, 3)));
    }
}
