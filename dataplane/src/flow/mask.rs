//! Masks over [`FlowKey`] and the matches of rules.

use super::field::Field;
use super::key::{FlowKey, KEY_WORDS};

/// Which bits of a key matter: a key-shaped value whose 1-bits do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mask(pub FlowKey);

impl Mask {
    /// Every bit matters.
    #[must_use]
    pub fn exact() -> Self {
        let mut m = Self::default();
        *m.0.words_mut() = [u64::MAX; KEY_WORDS];
        m
    }

    /// Adds the bits of `other`.
    pub fn union(&mut self, other: &Self) {
        for (a, b) in self.0.words_mut().iter_mut().zip(other.0.words()) {
            *a |= b;
        }
    }

    /// `key` with the bits that do not matter cleared.
    #[must_use]
    pub fn apply(&self, key: &FlowKey) -> FlowKey {
        let mut k = *key;
        for (a, b) in k.words_mut().iter_mut().zip(self.0.words()) {
            *a &= b;
        }
        k
    }

    /// Whether `a` and `b` agree in every bit that matters.
    #[must_use]
    pub fn equal(&self, a: &FlowKey, b: &FlowKey) -> bool {
        let mut diff = 0;
        for ((a, b), m) in a.words().iter().zip(b.words()).zip(self.0.words()) {
            diff |= (a ^ b) & m;
        }
        diff == 0
    }

    /// Whether every bit of `other` is also in `self`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.words().iter().zip(other.0.words()).all(|(a, b)| a & b == *b)
    }
}

/// A rule's match: the values wanted and the bits that are looked at. `key` has no bit outside
/// `mask`, so equal matches compare equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Match {
    /// Wanted values.
    pub key: FlowKey,
    /// Bits looked at.
    pub mask: Mask,
}

impl Match {
    /// A match with `key`'s stray bits cleared.
    #[must_use]
    pub fn new(key: &FlowKey, mask: &Mask) -> Self {
        Self { key: mask.apply(key), mask: *mask }
    }

    /// Makes the EtherType known, or not, as actions that change it do; what followed the old one is not
    /// known then.
    pub(crate) fn set_eth_type(&mut self, ethertype: Option<u16>) {
        self.mask.0.eth_type.set(if ethertype.is_some() { u16::MAX } else { 0 });
        self.key.eth_type.set(ethertype.unwrap_or(0));
        for field in [Field::IpProto, Field::IpFrag, Field::TpSrc, Field::TpDst] {
            field.write(&mut self.mask.0, 0);
        }
        *self = Self::new(&self.key, &self.mask);
    }

    /// Whether a packet with this key matches.
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        self.mask.equal(&self.key, key)
    }

    /// Whether every packet that matches `self` also matches `other`
    /// (OpenFlow's non-strict modify and delete: `self` is then "covered" by `other`).
    #[must_use]
    pub fn is_covered_by(&self, other: &Self) -> bool {
        self.mask.covers(&other.mask) && other.mask.equal(&self.key, &other.key)
    }

    /// Whether some packet could match both (OpenFlow's CHECK_OVERLAP).
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let common = other.mask.apply(&self.mask.0);
        Mask(common).equal(&self.key, &other.key)
    }
}
