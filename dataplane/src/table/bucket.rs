//! The token bucket of a meter's band.
//!
//! Kept as one number, as the cell rate algorithm of ATM does it (ITU-T I.371, "virtual scheduling"):
//! the moment at which the bucket will be full again if nothing more comes. A packet moves it by the
//! time that its cost takes to flow in at the band's rate. The bucket is empty where that moment
//! is a whole burst away. One number is one atomic word: workers that share a meter share its
//! bucket without a lock, and nobody has to fill it.
//!
//! A packet passes as long as the bucket is not empty, also if it costs more than is left; what
//! it lacked is owed, and the next packets wait for it. So a frame of 64 KB passes a meter of 1 Mbit/s
//! whose burst is less, and the rate stays exact.

use std::sync::atomic::{AtomicU64, Ordering};

/// Ticks of a nanosecond: fine enough that a short frame at 100 Gbit/s (5 ns) is counted to the
/// hundredth, coarse enough that a word lasts for nine years.
const TICKS: u64 = 64;
const TICKS_PER_SECOND: u64 = TICKS * 1_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct TokenBucket {
    /// Tokens a second; 0: nothing ever passes.
    rate: u64,
    /// Ticks that an empty bucket takes to fill.
    burst: u64,
    /// When the bucket is full again, in ticks.
    full_at: AtomicU64,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that gets `rate` tokens a second.
    #[must_use]
    pub(super) fn new(rate: u64, burst: u64) -> Self {
        let burst = u128::from(burst) * u128::from(TICKS_PER_SECOND) / u128::from(rate.max(1));
        // A burst of years is as good as any longer one, and cannot overflow the sums below.
        let burst = u64::try_from(burst).unwrap_or(u64::MAX).min(u64::MAX / 8);
        Self { rate, burst, full_at: AtomicU64::new(0) }
    }

    /// Takes `cost` tokens at `now_ns`; false, and nothing taken, if the bucket is empty.
    pub(super) fn take(&self, cost: u64, now_ns: u64) -> bool {
        if self.rate == 0 {
            return false;
        }
        let now = now_ns.saturating_mul(TICKS);
        // Rounded up: of a burst of n tokens, n pass and no more.
        let cost = cost.saturating_mul(TICKS_PER_SECOND).div_ceil(self.rate);
        // Relaxed: the word stands for itself, no other memory goes with it.
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let empty = full_at.saturating_sub(now) >= self.burst;
            (!empty).then(|| full_at.max(now).saturating_add(cost))
        });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = TokenBucket::new(100, 10);
        let at_once = (0..50).filter(|_| bucket.take(1, 5_000_000_000)).count();
        assert_eq!(at_once, 10);
        assert!(bucket.take(1, 5_000_000_001), "a part of a token is there, the rest is owed");
        assert!(!bucket.take(1, 5_009_999_999), "a token takes 10 ms");
        assert!(bucket.take(1, 5_010_000_001));
    }

    #[test]
    fn what_is_more_than_the_burst_passes_and_is_owed() {
        let bucket = TokenBucket::new(1_000_000, 100_000);
        assert!(bucket.take(524_288, 0));
        assert!(!bucket.take(1, 424_000_000), "424,288 tokens are owed");
        assert!(bucket.take(1, 424_300_000));
    }

    #[test]
    fn a_long_pause_gives_one_burst_and_no_more() {
        let bucket = TokenBucket::new(1000, 5);
        let year = 365 * 86_400_000_000_000;
        assert_eq!((0..100).filter(|_| bucket.take(1, year)).count(), 5);
    }

    #[test]
    fn nothing_passes_at_rate_zero_and_nothing_overflows() {
        assert!(!TokenBucket::new(0, 100).take(1, 1_000_000));
        let slow = TokenBucket::new(1, u64::MAX);
        assert!((0..10).all(|_| slow.take(u64::MAX, u64::MAX)));
        let fast = TokenBucket::new(u64::MAX, u64::MAX);
        assert!((0..10).all(|_| fast.take(64, 1)));
    }

    /// Threads that hammer one bucket get together what one alone would get.
    #[test]
    fn threads_share_the_rate() {
        let bucket = TokenBucket::new(100_000, 1);
        let start = std::time::Instant::now();
        let stop = AtomicBool::new(false);
        let passed: u64 = std::thread::scope(|s| {
            let count = || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += u64::from(bucket.take(1, start.elapsed().as_nanos() as u64));
                }
                n
            };
            let threads: Vec<_> = (0..3).map(|_| s.spawn(count)).collect();
            std::thread::sleep(std::time::Duration::from_millis(300));
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        // Never more than the time that went by allows; how much less is up to the scheduler.
        let most = start.elapsed().as_nanos() as u64 / 10_000 + 2;
        assert!(passed <= most, "{passed} tokens passed, {most} had come");
        assert!(passed > 1000, "only {passed} tokens passed");
    }
}
