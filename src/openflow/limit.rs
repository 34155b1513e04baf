//! How many packets a second go to the controllers (ovs-vswitchd.conf.db(5), Controller
//! `controller_rate_limit` and `controller_burst_limit`).
//!
//! Each reason has a token bucket of its own, so that a flood of packets that no flow matches leaves
//! room for those that flows send. What finds it empty is dropped and counted: a packet-in that
//! waited for long is of no use to a controller that reacts to it.

use dataplane::upcall::Reason;
use std::time::Instant;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    /// Packets a second; `None`: no limit.
    rate: Option<f64>,
    burst: f64,
    buckets: [Bucket; Reason::COUNT],
    /// Packets dropped.
    pub(super) dropped: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    tokens: f64,
    filled: Option<Instant>,
}

/// Smallest burst (Open vSwitch).
const LEAST_BURST: u32 = 25;

impl RateLimit {
    /// Sets the limit. Buckets begin full.
    pub(super) fn configure(&mut self, rate: Option<u32>, burst: Option<u32>, now: Instant) {
        let burst = burst.unwrap_or_else(|| rate.unwrap_or(0) / 4).max(LEAST_BURST);
        let (rate, burst) = (rate.map(f64::from), f64::from(burst));
        if (self.rate, self.burst) != (rate, burst) {
            self.rate = rate;
            self.burst = burst;
            self.buckets = [Bucket { tokens: burst, filled: Some(now) }; Reason::COUNT];
        }
    }

    /// Whether another packet may go.
    pub(super) fn admits(&mut self, reason: Reason, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let bucket = &mut self.buckets[reason as usize];
        let since = bucket.filled.map_or(0.0, |f| now.saturating_duration_since(f).as_secs_f64());
        bucket.tokens = (bucket.tokens + since * rate).min(self.burst);
        bucket.filled = Some(now);
        let admits = bucket.tokens >= 1.0;
        if admits {
            bucket.tokens -= 1.0;
        } else {
            self.dropped += 1;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_then_the_rate_for_each_reason() {
        let mut now = Instant::now();
        let mut limit = RateLimit::default();
        assert!(limit.admits(Reason::Action, now), "no limit");
        limit.configure(Some(100), None, now);
        let mut count =
            |n: usize, reason, now| (0..n).filter(|_| limit.admits(reason, now)).count();
        assert_eq!(count(1000, Reason::NoMatch, now), 25);
        assert_eq!(count(10, Reason::Action, now), 10, "another reason");
        now += Duration::from_millis(100);
        assert_eq!(count(1000, Reason::NoMatch, now), 10);
        now += Duration::from_secs(60);
        assert_eq!(count(1000, Reason::NoMatch, now), 25, "no more than the burst");
        assert_eq!(limit.dropped, 975 + 990 + 975);
    }
}
