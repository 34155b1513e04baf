//! Matches of rules in few bytes: a rule keeps only the words of a key that its mask has bits in, and
//! the rules of a subtable share the mask.

use super::hash::CompactMask;
use super::key::{FlowKey, KEY_WORDS};
use super::mask::{Mask, Match};
use smallvec::SmallVec;
use std::sync::Arc;

/// See the module. Equal to another where the whole [`Match`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactMatch {
    mask: Arc<CompactMask>,
    /// The wanted value of each word of the mask, without stray bits. Few masks have bits in more
    /// words than fit here, beside the rule's other fields.
    values: SmallVec<[u64; 4]>,
}

impl CompactMatch {
    /// `matching`, whose mask in compact form is `mask`.
    pub(crate) fn with_mask(mask: Arc<CompactMask>, matching: &Match) -> Self {
        let values = mask.values(matching.key.words()).collect();
        Self { mask, values }
    }

    /// The bits looked at.
    #[must_use]
    pub fn mask(&self) -> &Arc<CompactMask> {
        &self.mask
    }

    /// The wanted values of the mask's words.
    #[inline]
    #[must_use]
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Whether a packet with this key matches.
    #[inline]
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        self.mask.values(key.words()).eq(self.values.iter().copied())
    }

    /// The match in full.
    #[must_use]
    pub fn expand(&self) -> Match {
        let (mut key, mut mask) = (FlowKey::default(), Mask::default());
        for ((i, bits), value) in self.mask.words().zip(&self.values) {
            mask.0.words_mut()[i] = bits;
            key.words_mut()[i] = *value;
        }
        Match { key, mask }
    }
}

impl From<&Match> for CompactMatch {
    fn from(matching: &Match) -> Self {
        Self::with_mask(Arc::new(CompactMask::new(&matching.mask)), matching)
    }
}

/// Some bits of the rules of one subtable, to be compared with one key: for finding the rules that
/// another match covers or overlaps.
pub(crate) struct Comparison(Vec<(usize, u64, u64)>);

impl Comparison {
    /// Compares the bits that `mask` and `other` have in common.
    pub(crate) fn new(mask: &CompactMask, other: &Match) -> Self {
        let key: &[u64; KEY_WORDS] = other.key.words();
        let bits = other.mask.0.words();
        let common = mask.words().enumerate().map(|(at, (i, own))| (at, own & bits[i], key[i]));
        Self(common.filter(|(_, bits, _)| *bits != 0).collect())
    }

    /// Whether the rule's values agree with the key.
    #[inline]
    pub(crate) fn agrees(&self, values: &[u64]) -> bool {
        self.0.iter().all(|(at, bits, wanted)| (values[*at] ^ wanted) & bits == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_to_what_it_was_made_of() {
        let (mut key, mut mask) = (FlowKey::default(), Mask::default());
        key.in_port.set(3);
        key.ipv4_dst.set(0x0a00_0001);
        mask.0.in_port.set(u32::MAX);
        mask.0.ipv4_dst.set(0xffff_ff00);
        let matching = Match::new(&key, &mask);
        let compact = CompactMatch::from(&matching);
        assert_eq!(compact.expand(), matching);
        assert!(compact.matches(&key));
        key.ipv4_dst.set(0x0a00_0002);
        assert!(compact.matches(&key));
        key.ipv4_dst.set(0x0a00_0102);
        assert!(!compact.matches(&key));
        assert_eq!(CompactMatch::from(&Match::default()).values().len(), 0);
    }
}
