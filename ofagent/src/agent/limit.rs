//! The rate of packet-ins to one connection (ovs-vswitchd.conf.db(5): `controller_rate_limit`).

use std::time::Instant;

/// Packets a second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Packets a second.
    pub rate: u32,
    /// Packets at once.
    pub burst: u32,
}

/// A token bucket that begins full.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limiter {
    /// Tokens, and when there were so many.
    level: Option<(f64, Instant)>,
}

impl Limiter {
    /// Whether another packet may go.
    pub(super) fn admits(&mut self, limit: RateLimit, now: Instant) -> bool {
        let burst = f64::from(limit.burst.max(1));
        let tokens = match self.level {
            None => burst,
            Some((tokens, at)) => {
                let earned = now.saturating_duration_since(at).as_secs_f64();
                burst.min(tokens + earned * f64::from(limit.rate))
            }
        };
        let goes = tokens >= 1.0;
        self.level = Some((if goes { tokens - 1.0 } else { tokens }, now));
        goes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let (limit, start) = (RateLimit { rate: 100, burst: 25 }, Instant::now());
        let mut limiter = Limiter::default();
        let mut offer = |ms: u64, n: usize| {
            let now = start + Duration::from_millis(ms);
            (0..n).filter(|_| limiter.admits(limit, now)).count()
        };
        assert_eq!(offer(0, 100), 25);
        let passed: usize = (1..=2000).map(|ms| offer(ms, 3)).sum();
        assert!((199..=200).contains(&passed), "{passed}");
        assert_eq!(offer(60_000, 100), 25);
    }
}
