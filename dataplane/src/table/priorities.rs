//! How many rules of a subtable have which priority, so that the highest is known after a removal.

use std::cmp::Reverse;
use std::sync::Arc;

/// See the module.
/// Pages of 256 priorities, highest page first; a page is there while it counts something.
#[derive(Clone, Debug, Default)]
pub(super) struct Priorities(Vec<(u8, Arc<[u32; 256]>)>);

impl Priorities {
    pub(super) fn add(&mut self, priority: u16) {
        let [high, low] = priority.to_be_bytes();
        let at = match self.0.binary_search_by_key(&Reverse(high), |p| Reverse(p.0)) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (high, Arc::new([0; 256])));
                at
            }
        };
        Arc::make_mut(&mut self.0[at].1)[usize::from(low)] += 1;
    }

    pub(super) fn remove(&mut self, priority: u16) {
        let [high, low] = priority.to_be_bytes();
        if let Ok(at) = self.0.binary_search_by_key(&Reverse(high), |p| Reverse(p.0)) {
            let page = Arc::make_mut(&mut self.0[at].1);
            page[usize::from(low)] -= 1;
            if page[usize::from(low)] == 0 && page.iter().all(|n| *n == 0) {
                self.0.remove(at);
            }
        }
    }

    pub(super) fn has(&self, priority: u16) -> bool {
        let [high, low] = priority.to_be_bytes();
        let at = self.0.binary_search_by_key(&Reverse(high), |p| Reverse(p.0));
        at.is_ok_and(|at| self.0[at].1[usize::from(low)] != 0)
    }

    pub(super) fn max(&self) -> Option<u16> {
        let (high, page) = self.0.first()?;
        let low = page.iter().rposition(|n| *n != 0)?;
        Some(u16::from_be_bytes([*high, low as u8]))
    }
}
