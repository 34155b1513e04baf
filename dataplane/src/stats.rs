//! Counters. Each is written by one worker and read by whoever asks; a reader may see a packet
//! counted whose bytes are not yet.

use crate::cache::CacheStats;
use crate::drop::DropReason;
use crate::port::TxReport;
use crate::upcall::Reason;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with one writer.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, n: u64) {
        // One writer: a plain load and store do, without the price of a locked addition.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Drops([Counter; DropReason::COUNT]);

impl Default for Drops {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

/// Counters of one port in one worker.
#[derive(Debug, Default)]
pub struct PortCounters(CachePadded<PortInner>);

#[derive(Debug, Default)]
struct PortInner {
    rx_packets: Counter,
    rx_bytes: Counter,
    tx_packets: Counter,
    tx_bytes: Counter,
    drops: Drops,
}

impl PortCounters {
    /// Counts a frame received.
    pub fn received(&self, bytes: u64) {
        self.0.rx_packets.add(1);
        self.0.rx_bytes.add(bytes);
    }

    /// Counts a frame that went out by a patch port.
    pub fn sent_one(&self, bytes: u64) {
        self.0.tx_packets.add(1);
        self.0.tx_bytes.add(bytes);
    }

    /// Counts what became of a batch sent.
    pub fn sent(&self, report: &TxReport) {
        self.0.tx_packets.add(report.packets);
        self.0.tx_bytes.add(report.bytes);
        for (reason, n) in &report.drops {
            self.dropped(*reason, *n);
        }
    }

    /// Counts drops.
    pub fn dropped(&self, reason: DropReason, n: u64) {
        self.0.drops.0[reason as usize].add(n);
    }
}

/// Counters of a worker that belong to no port.
#[derive(Debug, Default)]
pub struct WorkerCounters(CachePadded<WorkerInner>);

#[derive(Debug, Default)]
struct WorkerInner {
    drops: Drops,
    too_big_sent: Counter,
    too_big_suppressed: Counter,
    packet_ins: [Counter; Reason::COUNT],
    packet_in_drops: [Counter; Reason::COUNT],
    cache: CacheCounters,
}

/// What a worker's cache counts itself, as of its last turn.
#[derive(Debug, Default)]
struct CacheCounters {
    exact_hits: Counter,
    megaflow_hits: Counter,
    misses: Counter,
    revalidated: Counter,
    evicted: Counter,
    entries: Counter,
}

impl WorkerCounters {
    /// Counts a packet for the controllers, and whether it found room in their queue.
    pub fn packet_in(&self, reason: Reason, queued: bool) {
        if queued {
            self.0.packet_ins[reason as usize].add(1);
        } else {
            self.0.packet_in_drops[reason as usize].add(1);
            self.dropped(DropReason::PacketInQueueFull, 1);
        }
    }

    /// Shows what the cache has counted, and its number of entries.
    pub fn cache(&self, stats: &CacheStats, entries: usize) {
        let to = &self.0.cache;
        to.exact_hits.set(stats.exact_hits);
        to.megaflow_hits.set(stats.megaflow_hits);
        to.misses.set(stats.misses);
        to.revalidated.set(stats.revalidated);
        to.evicted.set(stats.evicted);
        to.entries.set(entries as u64);
    }

    /// Counts drops of frames whose port is unknown.
    pub fn dropped(&self, reason: DropReason, n: u64) {
        self.0.drops.0[reason as usize].add(n);
    }

    /// Counts an ICMP or ICMPv6 too-big message sent.
    pub fn too_big_sent(&self) {
        self.0.too_big_sent.add(1);
    }

    /// Counts one that the rate limit, or its RFC's rules, held back.
    pub fn too_big_suppressed(&self) {
        self.0.too_big_suppressed.add(1);
    }
}

/// Sums of a port's counters over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStats {
    /// Frames received.
    pub rx_packets: u64,
    /// Bytes received (a GSO frame counts once, with its length).
    pub rx_bytes: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Drops by reason, in the order of [`DropReason::ALL`]: those of frames received here, and
    /// those of frames that should have left here.
    pub drops: [u64; DropReason::COUNT],
}

// Not derived: arrays this long have no default of their own.
impl Default for PortStats {
    fn default() -> Self {
        let drops = [0; DropReason::COUNT];
        Self { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, drops }
    }
}

impl PortStats {
    /// Adds one worker's counters.
    pub fn add(&mut self, c: &PortCounters) {
        self.rx_packets += c.0.rx_packets.value();
        self.rx_bytes += c.0.rx_bytes.value();
        self.tx_packets += c.0.tx_packets.value();
        self.tx_bytes += c.0.tx_bytes.value();
        for (sum, d) in self.drops.iter_mut().zip(&c.0.drops.0) {
            *sum += d.value();
        }
    }
}

/// Sums of the workers' own counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchStats {
    /// Drops of frames that belong to no port (a VNI without a tunnel).
    pub drops: [u64; DropReason::COUNT],
    /// ICMP and ICMPv6 too-big messages sent.
    pub too_big_sent: u64,
    /// Too-big messages held back by the rate limit or because the RFCs forbid an answer.
    pub too_big_suppressed: u64,
    /// Packets put into the controllers' queues, by [`Reason`].
    pub packet_ins: [u64; Reason::COUNT],
    /// Packets whose queue was full, by [`Reason`]; their sum is in `drops` too.
    pub packet_in_drops: [u64; Reason::COUNT],
    /// How the workers' caches served.
    pub cache: CacheStats,
    /// Entries in the workers' caches.
    pub cache_entries: u64,
}

impl Default for SwitchStats {
    fn default() -> Self {
        Self {
            drops: [0; DropReason::COUNT],
            too_big_sent: 0,
            too_big_suppressed: 0,
            packet_ins: [0; Reason::COUNT],
            packet_in_drops: [0; Reason::COUNT],
            cache: CacheStats::default(),
            cache_entries: 0,
        }
    }
}

impl SwitchStats {
    /// Adds one worker's counters.
    pub fn add(&mut self, c: &WorkerCounters) {
        for (sum, d) in self.drops.iter_mut().zip(&c.0.drops.0) {
            *sum += d.value();
        }
        self.too_big_sent += c.0.too_big_sent.value();
        self.too_big_suppressed += c.0.too_big_suppressed.value();
        for (sum, n) in self.packet_ins.iter_mut().zip(&c.0.packet_ins) {
            *sum += n.value();
        }
        for (sum, n) in self.packet_in_drops.iter_mut().zip(&c.0.packet_in_drops) {
            *sum += n.value();
        }
        let cache = &c.0.cache;
        self.cache.exact_hits += cache.exact_hits.value();
        self.cache.megaflow_hits += cache.megaflow_hits.value();
        self.cache.misses += cache.misses.value();
        self.cache.revalidated += cache.revalidated.value();
        self.cache.evicted += cache.evicted.value();
        self.cache_entries += cache.entries.value();
    }
}
