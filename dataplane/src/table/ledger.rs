//! What the control thread keeps beside the tables: when rules expire, who uses which group and
//! meter, and which instructions came last. Packets never touch it.

use super::timeouts::Timeouts;
use super::users::Users;
use crate::action::Instructions;
use std::sync::Arc;

/// Instructions that are remembered.
const RECENT: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) timeouts: Timeouts,
    pub(super) users: Users,
    /// Instructions of rules that came lately.
    recent: Vec<Arc<Instructions>>,
    /// Which of them is replaced next.
    next: usize,
}

impl Ledger {
    /// Instructions to be kept in a rule. Most rules of a large table do one of a few things: those
    /// that come one soon after the other share their instructions.
    pub(super) fn share(&mut self, instructions: &Instructions) -> Arc<Instructions> {
        if let Some(same) = self.recent.iter().find(|i| ***i == *instructions) {
            return Arc::clone(same);
        }
        let new = Arc::new(instructions.clone());
        if self.recent.len() < RECENT {
            self.recent.push(Arc::clone(&new));
        } else {
            self.recent[self.next] = Arc::clone(&new);
            self.next = (self.next + 1) % RECENT;
        }
        new
    }
}
