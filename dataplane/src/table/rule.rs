//! A rule of a flow table (OpenFlow: flow entry).

use crate::action::{Action, Instructions};
use crate::flow::{CompactMatch, Match};
use crate::state::OfPort;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// `OFPFF_SEND_FLOW_REM` (OpenFlow 1.3 section 7.3.4.1).
pub const FLAG_SEND_FLOW_REM: u16 = 1;
/// `OFPFF_CHECK_OVERLAP`.
pub const FLAG_CHECK_OVERLAP: u16 = 2;
/// `OFPFF_RESET_COUNTS`.
pub const FLAG_RESET_COUNTS: u16 = 4;
/// `OFPFF_NO_PKT_COUNTS`.
pub const FLAG_NO_PKT_COUNTS: u16 = 8;
/// `OFPFF_NO_BYT_COUNTS`.
pub const FLAG_NO_BYT_COUNTS: u16 = 16;

/// Packets and bytes; workers add, anybody reads.
#[derive(Debug, Default)]
pub struct Counts {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    /// Adds packets and bytes.
    pub fn add(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Packets.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Counters of a rule; workers add, anybody reads.
#[derive(Debug, Default)]
pub struct RuleStats {
    counts: Counts,
    /// Milliseconds of [`crate::state::clock_ms`] of the last packet; 0 for none yet.
    used_ms: AtomicU64,
}

impl RuleStats {
    /// Adds packets and bytes seen at `now_ms`.
    pub fn add(&self, packets: u64, bytes: u64, now_ms: u64) {
        self.counts.add(packets, bytes);
        self.used_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// Packets.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counts.packets()
    }

    /// Bytes of frames (GSO frames count what they carry, headers once).
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.bytes()
    }

    /// When the last packet came, in milliseconds of [`crate::state::clock_ms`]; `None` before it.
    #[must_use]
    pub fn used_ms(&self) -> Option<u64> {
        match self.used_ms.load(Ordering::Relaxed) {
            0 => None,
            t => Some(t),
        }
    }
}

/// See the module. Immutable but for its counters: a modification makes a new rule that shares
/// the counters.
#[derive(Debug)]
pub struct Rule {
    /// What it matches.
    pub matching: CompactMatch,
    /// Higher wins.
    pub priority: u16,
    /// What it does; rules that do the same may share it.
    pub instructions: Arc<Instructions>,
    /// Chosen by who added it.
    pub cookie: u64,
    /// Seconds without a packet after which it is removed; 0: never.
    pub idle_timeout: u16,
    /// Seconds after which it is removed; 0: never.
    pub hard_timeout: u16,
    /// `FLAG_*`.
    pub flags: u16,
    /// When it was added.
    pub created: Instant,
    /// The same in milliseconds of [`crate::state::clock_ms`]. Both timeouts count from here: a modify
    /// leaves timeouts and duration as they are (OpenFlow 1.3.5 section 6.4; in Open vSwitch it
    /// starts the hard timeout again).
    pub created_ms: u64,
    /// Counters.
    pub stats: Arc<RuleStats>,
}

impl Rule {
    /// What it matches, in full.
    #[must_use]
    pub fn matching(&self) -> Match {
        self.matching.expand()
    }

    /// The groups that its actions name, each once.
    #[must_use]
    pub fn groups(&self) -> SmallVec<[u32; 2]> {
        groups_of(self.instructions.apply.iter().chain(&self.instructions.write))
    }

    /// Whether its actions output to this port.
    #[must_use]
    pub fn outputs_to(&self, port: OfPort) -> bool {
        let actions = self.instructions.apply.iter().chain(&self.instructions.write);
        actions.into_iter().any(|a| matches!(a, Action::Output(o) if o.port == port))
    }

    /// Whether its actions name this group.
    #[must_use]
    pub fn sends_to(&self, group: u32) -> bool {
        let actions = self.instructions.apply.iter().chain(&self.instructions.write);
        actions.into_iter().any(|a| *a == Action::Group(group))
    }

    /// Whether it has a timeout.
    #[must_use]
    pub fn has_timeout(&self) -> bool {
        self.idle_timeout != 0 || self.hard_timeout != 0
    }
}

/// The groups that actions name, each once.
pub(super) fn groups_of<'a>(actions: impl Iterator<Item = &'a Action>) -> SmallVec<[u32; 2]> {
    let mut groups = SmallVec::new();
    for action in actions {
        if let Action::Group(id) = action
            && !groups.contains(id)
        {
            groups.push(*id);
        }
    }
    groups
}
