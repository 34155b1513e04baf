//! Seeded hashes of keys. The seeds are random, so that nobody can choose packets that collide.

use std::hash::{BuildHasher, RandomState};

/// Odd constants without pattern (digits of pi), so that zero words still mix.
const K: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// A random seed, different each time.
#[must_use]
pub fn random_seed() -> u64 {
    RandomState::new().hash_one(0u64)
}

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
#[inline]
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let m = u128::from(a) * u128::from(b);
    (m >> 64) as u64 ^ m as u64
}

/// Hash of words, such as a key's. Two lanes, so that the multiplications overlap.
#[inline]
#[must_use]
pub fn hash_key<const N: usize>(seed: u64, words: &[u64; N]) -> u64 {
    let (mut a, mut b) = (seed ^ K[0], seed.rotate_left(32) ^ K[1]);
    let (quads, rest) = words.as_chunks::<4>();
    for q in quads {
        a = mix(a ^ q[0], q[1] ^ K[2]).wrapping_add(q[0]);
        b = mix(b ^ q[2], q[3] ^ K[3]).wrapping_add(q[2]);
    }
    for w in rest {
        a = mix(a ^ w, b ^ K[2]).wrapping_add(*w);
    }
    mix(a ^ K[3], b ^ K[2])
}

/// Words of a mask that are not zero, with their places: the cheap form for hashing and comparing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CompactMask(Box<[(u8, u64)]>);

impl CompactMask {
    /// The compact form of `mask`.
    #[must_use]
    pub fn new(mask: &super::Mask) -> Self {
        let words = mask.0.words().iter().enumerate();
        Self(words.filter(|(_, w)| **w != 0).map(|(i, w)| (i as u8, *w)).collect())
    }

    /// The places and bits of its words, by place.
    pub fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        self.0.iter().map(|(i, bits)| (usize::from(*i), *bits))
    }

    /// The bits of `words` that matter, word by word.
    #[inline]
    pub fn values<const N: usize>(&self, words: &[u64; N]) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(i, bits)| words[usize::from(*i)] & bits)
    }

    /// Whether every bit of `other` is also in this mask.
    #[must_use]
    pub fn covers(&self, other: &super::Mask) -> bool {
        let mut left = *other.0.words();
        for (i, bits) in self.words() {
            left[i] &= !bits;
        }
        left.iter().all(|w| *w == 0)
    }

    /// Hash of the bits of `words` that matter. `words` may be a key's first if the mask has no bits
    /// behind them.
    #[inline]
    #[must_use]
    pub fn hash<const N: usize>(&self, seed: u64, words: &[u64; N]) -> u64 {
        let mut h = seed ^ K[0];
        for (i, bits) in &self.0 {
            let w = words[usize::from(*i)] & bits;
            h = mix(h ^ w, K[1] ^ seed).wrapping_add(w);
        }
        mix(h ^ K[2], K[3])
    }

    /// Whether `a` and `b` agree in the bits that matter.
    #[inline]
    #[must_use]
    pub fn equal<const N: usize>(&self, a: &[u64; N], b: &[u64; N]) -> bool {
        self.0.iter().all(|(i, bits)| {
            let i = usize::from(*i);
            (a[i] ^ b[i]) & bits == 0
        })
    }

    /// Adds the mask's bits to `wc`.
    #[inline]
    pub fn add_to(&self, wc: &mut super::Mask) {
        let words = wc.0.words_mut();
        for (i, bits) in &self.0 {
            words[usize::from(*i)] |= bits;
        }
    }
}
