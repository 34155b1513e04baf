//! How long to wait before the next attempt (Open vSwitch: lib/rconn.c, "back-off").

use std::time::{Duration, Instant};

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// Least time for connecting, shaking hands and the peer's hello.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits of 1 s, 2 s, 4 s ... up to a limit; 1 s again after a connection that lasted.
#[derive(Debug)]
pub(super) struct Backoff {
    /// The last wait.
    wait: Duration,
    max: Duration,
    began: Instant,
}

impl Backoff {
    pub(super) fn new(max: Duration, now: Instant) -> Self {
        Self { wait: Duration::ZERO, max, began: now }
    }

    pub(super) fn set_max(&mut self, max: Duration) {
        self.max = max;
        self.wait = self.wait.min(max);
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = now;
    }

    /// How long the attempt may take until the peer's hello.
    pub(super) fn patience(&self) -> Duration {
        self.wait.max(PATIENCE)
    }

    /// The attempt failed, or what came of it has ended: when to make the next.
    pub(super) fn failed(&mut self, was_ready: bool, now: Instant) -> Instant {
        let lasted = was_ready && now.saturating_duration_since(self.began) > self.wait;
        self.wait = if lasted { FIRST } else { (self.wait * 2).max(FIRST) }.min(self.max);
        now + self.wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew_after_success() {
        let mut now = Instant::now();
        let mut backoff = Backoff::new(Duration::from_secs(8), now);
        let mut waits = Vec::new();
        for (ready, lasted) in
            [(false, 0), (false, 0), (true, 0), (false, 3), (false, 0), (true, 9), (false, 0)]
        {
            backoff.begin(now);
            now += Duration::from_secs(lasted);
            let next = backoff.failed(ready, now);
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [1, 2, 4, 8, 8, 1, 2]);
    }
}
