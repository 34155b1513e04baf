//! Numbers for what is left to do for packets that are taken apart anew.
//!
//! Decisions that leave the same to do share its number, so a decision that is made anew finds the
//! cached decisions behind it again. What no decision names any more goes when the table has grown
//! to twice of what was in use.

use crate::action::Step;
use crate::translate::Frozen;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Fewer than this are not looked through.
const MIN_PURGE: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Numbers {
    hasher: RandomState,
    known: HashTable<Arc<Frozen>>,
    /// Not used again before all others were, which outlives every cached key.
    next: u32,
    purge_at: usize,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            known: HashTable::new(),
            next: 1,
            purge_at: MIN_PURGE,
        }
    }
}

impl Numbers {
    /// Numbers all that a decision's steps leave to do.
    pub(super) fn number_all(&mut self, steps: &mut [Step]) {
        for step in steps {
            match step {
                Step::Sub(steps) => self.number_all(steps),
                Step::Recirculate(frozen) => *frozen = self.number(frozen),
                _ => {}
            }
        }
    }

    /// The same with its number.
    pub(super) fn number(&mut self, frozen: &Arc<Frozen>) -> Arc<Frozen> {
        let hash = self.hasher.hash_one(&**frozen);
        if let Some(known) = self.known.find(hash, |f| f == frozen) {
            return Arc::clone(known);
        }
        self.purge();
        let numbered = Arc::new(frozen.numbered(self.next));
        self.next = self.next.checked_add(1).unwrap_or(1);
        let hasher = &self.hasher;
        self.known.insert_unique(hash, Arc::clone(&numbered), |f| hasher.hash_one(&**f));
        numbered
    }

    fn purge(&mut self) {
        if self.known.len() < self.purge_at {
            return;
        }
        self.known.retain(|f| Arc::strong_count(f) > 1);
        self.purge_at = MIN_PURGE.max(self.known.len() * 2);
    }
}
