//! Meters (OpenFlow 1.3 sections 5.7 and 7.3.4.4).

use super::bucket::TokenBucket;
pub use super::meter_mod::{MAX_BANDS, MAX_METERS, MeterModError, MeterTable};
use super::rule::Counts;
use std::sync::Arc;
use std::time::Instant;

/// Highest number of a meter (`OFPM_MAX`).
pub const METER_MAX: u32 = 0xffff_0000;
/// All meters (`OFPM_ALL`, delete and statistics only).
pub const METER_ALL: u32 = u32::MAX;
/// `OFPMF_KBPS`: rates are in kilobits a second.
pub const FLAG_KBPS: u16 = 1;
/// `OFPMF_PKTPS`: rates are in packets a second.
pub const FLAG_PKTPS: u16 = 2;
/// `OFPMF_BURST`: bands say their burst size.
pub const FLAG_BURST: u16 = 4;
/// `OFPMF_STATS`: count.
pub const FLAG_STATS: u16 = 8;

/// What a band does to packets above its rate (`OFPMBT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BandKind {
    /// Drop.
    Drop,
    /// Raise the DSCP's drop precedence by this many levels.
    DscpRemark(u8),
}

/// A band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// What it does.
    pub kind: BandKind,
    /// Rate, kbit/s or packets/s.
    pub rate: u32,
    /// Burst size, kbit or packets.
    pub burst: u32,
}

/// `OFPMC_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterCommand {
    /// Add a meter.
    Add,
    /// Replace a meter's flags and bands.
    Modify,
    /// Remove a meter, and the rules that use it.
    Delete,
}

/// A change of the meters.
#[derive(Clone, Debug)]
pub struct MeterMod {
    /// What to do.
    pub command: MeterCommand,
    /// The meter; [`METER_ALL`]: all (delete only).
    pub id: u32,
    /// `FLAG_*`.
    pub flags: u16,
    /// Its bands.
    pub bands: Vec<Band>,
}

/// Milliseconds of its rate that a band lets pass at once where its burst size is not given. A TCP
/// connection that lost a whole window is quiet for 200 ms (Linux's least retransmission time-out),
/// and what flows into a full bucket meanwhile is lost to it: with buckets of 100 ms one connection
/// gets half of the rate, with 250 ms all of it. More (Open vSwitch: a second) would only show as
/// a higher rate in a connection's first seconds.
pub const DEFAULT_BURST_MS: u64 = 250;

/// A meter: its configuration, how full its buckets are, and what it counted. Workers share it.
#[derive(Debug)]
pub struct Meter {
    /// Its number.
    pub id: u32,
    /// `FLAG_*`.
    pub flags: u16,
    /// Its bands.
    pub bands: Vec<Band>,
    /// When it was added.
    pub created: Instant,
    buckets: Box<[TokenBucket]>,
    counts: Arc<Counts>,
    band_counts: Box<[Arc<Counts>]>,
}

impl Meter {
    /// A new meter; its buckets are full.
    #[must_use]
    pub fn new(id: u32, flags: u16, bands: Vec<Band>) -> Self {
        let band_counts = bands.iter().map(|_| Arc::default()).collect();
        let buckets = bands.iter().map(|b| bucket(flags, b)).collect();
        let created = Instant::now();
        Self { id, flags, bands, created, buckets, counts: Arc::default(), band_counts }
    }

    /// The meter with other flags and bands, for `OFPMC_MODIFY`. It goes on counting where this one
    /// stands; so does each band that this one has at the same place.
    #[must_use]
    pub fn modified(&self, flags: u16, bands: Vec<Band>) -> Self {
        let mut new = Self::new(self.id, flags, bands);
        new.created = self.created;
        new.counts = Arc::clone(&self.counts);
        for (to, from) in new.band_counts.iter_mut().zip(&self.band_counts) {
            *to = Arc::clone(from);
        }
        new
    }

    /// What becomes of a frame of `bytes` that is `packets` on the wire (a GSO frame is several).
    ///
    /// Each band has its own bucket, and a frame takes from each that is not empty. Of the bands
    /// whose bucket is empty, the one of the highest rate acts (OpenFlow 1.3 section 5.7.1).
    pub fn run(&self, packets: u64, bytes: u64, now_ns: u64) -> Verdict {
        self.counts.add(packets, bytes);
        let cost = if self.flags & FLAG_PKTPS != 0 { packets } else { bytes * 8 };
        let mut acts: Option<usize> = None;
        for (i, bucket) in self.buckets.iter().enumerate() {
            if !bucket.take(cost, now_ns)
                && acts.is_none_or(|best| self.bands[best].rate < self.bands[i].rate)
            {
                acts = Some(i);
            }
        }
        let Some(i) = acts else { return Verdict::Pass };
        self.band_counts[i].add(packets, bytes);
        match self.bands[i].kind {
            BandKind::Drop => Verdict::Drop,
            BandKind::DscpRemark(levels) => Verdict::Remark(levels),
        }
    }

    /// What came in: packets (segments, for GSO frames) and bytes.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What a band acted on; `None` where there is no such band.
    #[must_use]
    pub fn band_counts(&self, band: usize) -> Option<&Counts> {
        self.band_counts.get(band).map(AsRef::as_ref)
    }
}

/// A kilobit is 1000 bits, as in the specification's rates.
fn bucket(flags: u16, band: &Band) -> TokenBucket {
    let unit = if flags & FLAG_PKTPS != 0 { 1 } else { 1000 };
    let rate = u64::from(band.rate) * unit;
    let given = u64::from(band.burst) * unit;
    let burst = if flags & FLAG_BURST != 0 && given != 0 {
        given
    } else {
        // Below one token nothing would ever pass.
        (rate * DEFAULT_BURST_MS / 1000).max(1)
    };
    TokenBucket::new(rate, burst)
}

impl PartialEq for Meter {
    /// A meter is only equal to itself.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Meter {}

/// What a meter says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the rate.
    Pass,
    /// Drop it.
    Drop,
    /// Raise its drop precedence by so many levels.
    Remark(u8),
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn meter(flags: u16, bands: &[(u32, u32, BandKind)]) -> Meter {
        let bands = bands.iter().map(|&(rate, burst, kind)| Band { kind, rate, burst });
        Meter::new(1, flags, bands.collect())
    }

    /// Offers frames of `bytes` and `packets` at twice the rate for `seconds`; returns what passed
    /// behind the burst, in the rate's unit a second.
    fn measure(flags: u16, rate: u32, bytes: u64, packets: u64, seconds: u64) -> f64 {
        let m = meter(flags, &[(rate, 0, BandKind::Drop)]);
        let cost = if flags == FLAG_PKTPS { packets as f64 } else { bytes as f64 * 0.008 };
        let gap = (cost / f64::from(rate) / 2.0 * SECOND as f64) as u64;
        let (mut now, mut passed) = (5 * SECOND, 0.0);
        // Frames come in batches, as a turn sees them, but not in batches as long as the burst.
        let batch = (SECOND / 20 / gap).clamp(1, 7);
        let mut offer = |until: u64| {
            let mut sum = 0.0;
            while now < until {
                for _ in 0..batch {
                    sum += if m.run(packets, bytes, now) == Verdict::Pass { cost } else { 0.0 };
                }
                now += batch * gap;
            }
            sum
        };
        offer(7 * SECOND);
        passed += offer((7 + seconds) * SECOND);
        passed / seconds as f64
    }

    #[test]
    fn bit_rates_are_exact_from_a_megabit_to_a_hundred_gigabits() {
        for (rate, seconds) in
            [(1000, 40), (1500, 40), (10_000, 10), (100_000, 4), (1_000_000, 2), (100_000_000, 1)]
        {
            for (bytes, packets) in [(64, 1), (590, 1), (1514, 1), (9014, 1), (65_000, 45)] {
                let frames = f64::from(rate) * 1000.0 / (bytes as f64 * 8.0);
                if frames > 2_000_000.0 {
                    continue;
                }
                let got = measure(FLAG_KBPS, rate, bytes, packets, seconds);
                let error = (got / f64::from(rate) - 1.0).abs();
                // A frame more or less is what the end of the measurement makes of it.
                let most = 0.005 + 8.0 / (frames * seconds as f64);
                assert!(error < most, "{rate} kbit/s in frames of {bytes}: {got}, {error} off");
            }
        }
    }

    #[test]
    fn packet_rates_are_exact_from_one_hundred_to_a_million() {
        for rate in [100, 333, 1000, 10_000, 100_000, 1_000_000] {
            for (bytes, packets) in [(64, 1), (1514, 1), (65_000, 45)] {
                let seconds = if rate < 1000 { 40 } else { 4 };
                let got = measure(FLAG_PKTPS, rate, bytes, packets, seconds);
                let error = (got / f64::from(rate) - 1.0).abs();
                let most = 0.005 + 8.0 * packets as f64 / (f64::from(rate) * seconds as f64);
                assert!(error < most, "{rate} packets/s, {packets} at once: {got}, {error} off");
            }
        }
    }

    #[test]
    fn a_burst_is_what_was_asked_for_or_a_quarter_second() {
        let at_once = |m: &Meter, bytes| {
            (0..100_000).filter(|_| m.run(1, bytes, SECOND) == Verdict::Pass).count()
        };
        let given = meter(FLAG_PKTPS | FLAG_BURST, &[(1000, 17, BandKind::Drop)]);
        assert_eq!(at_once(&given, 64), 17);
        let not_given = meter(FLAG_PKTPS, &[(1000, 17, BandKind::Drop)]);
        assert_eq!(at_once(&not_given, 64), 250);
        // 100 kbit in frames of 1000 bit.
        let bits = meter(FLAG_KBPS | FLAG_BURST, &[(1000, 100, BandKind::Drop)]);
        assert_eq!(at_once(&bits, 125), 100);
    }

    #[test]
    fn a_long_frame_passes_a_slow_meter() {
        let m = meter(FLAG_KBPS | FLAG_BURST, &[(1000, 12, BandKind::Drop)]);
        assert_eq!(m.run(45, 65_536, SECOND), Verdict::Pass);
        assert_eq!(m.run(45, 65_536, SECOND + SECOND / 4), Verdict::Drop);
        assert_eq!(m.run(45, 65_536, 2 * SECOND), Verdict::Pass);
    }

    /// OpenFlow 1.3 section 5.7.1: the band with the highest rate that is exceeded acts.
    #[test]
    fn of_several_bands_the_highest_exceeded_acts() {
        let m = meter(
            FLAG_PKTPS | FLAG_BURST,
            &[
                (10, 10, BandKind::DscpRemark(1)),
                (30, 30, BandKind::Drop),
                (20, 20, BandKind::DscpRemark(2)),
            ],
        );
        let verdicts: Vec<_> = (0..40).map(|_| m.run(1, 100, SECOND)).collect();
        assert_eq!(verdicts[..10], [Verdict::Pass; 10]);
        assert_eq!(verdicts[10..20], [Verdict::Remark(1); 10]);
        assert_eq!(verdicts[20..30], [Verdict::Remark(2); 10]);
        assert_eq!(verdicts[30..], [Verdict::Drop; 10]);
        let counted = |b: usize| m.band_counts(b).map(|c| (c.packets(), c.bytes()));
        assert_eq!((m.counts().packets(), m.counts().bytes()), (40, 4000));
        assert_eq!((counted(0), counted(1)), (Some((10, 1000)), Some((10, 1000))));
        assert_eq!((counted(2), counted(3)), (Some((10, 1000)), None));
    }

    #[test]
    fn a_modified_meter_goes_on_counting() {
        let m = meter(FLAG_PKTPS | FLAG_BURST, &[(10, 1, BandKind::Drop)]);
        m.run(1, 100, SECOND);
        m.run(1, 100, SECOND);
        let drop = Band { kind: BandKind::Drop, rate: 1000, burst: 0 };
        let n = m.modified(FLAG_PKTPS, vec![drop, drop]);
        assert_eq!((n.counts().packets(), n.created), (2, m.created));
        assert_eq!(n.band_counts(0).map(Counts::packets), Some(1));
        assert_eq!(n.band_counts(1).map(Counts::packets), Some(0));
        assert_eq!(n.run(1, 100, SECOND), Verdict::Pass, "the old rate is in force");
        assert_eq!((n.counts().packets(), m.counts().packets()), (3, 3));
        assert_eq!(n.flags, FLAG_PKTPS);
    }
}
