//! What a bridge does while no controller is connected (ovs-vswitchd.conf.db(5), Bridge
//! `fail_mode`).

use std::time::{Duration, Instant};

/// What a bridge does without its controllers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailMode {
    /// The flow tables stay as they are.
    Secure,
    /// It forwards like a learning bridge after three inactivity probes' time.
    #[default]
    Standalone,
}

impl FailMode {
    /// Name as in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Standalone => "standalone",
        }
    }
}

/// Inactivity probes that must have been missed.
const PROBES: u32 = 3;

/// Tells when a bridge is to forward like a learning bridge.
#[derive(Debug)]
pub struct FailTimer {
    /// Since when no controller is connected; `None`: one is.
    alone: Option<Instant>,
    open: bool,
}

impl FailTimer {
    /// Nobody is connected yet; the time begins to run.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { alone: Some(now), open: false }
    }

    /// Whether the bridge is to forward like a learning bridge. `controllers`: some are configured;
    /// `connected`: at least one is connected; `probe`: the inactivity probe's interval.
    pub fn run(
        &mut self,
        mode: FailMode,
        controllers: bool,
        connected: bool,
        probe: Duration,
        now: Instant,
    ) -> bool {
        if connected || !controllers {
            // Without controllers the flows say it all; the time runs from when there are some.
            self.alone = (!connected).then_some(now);
            self.open = false;
            return false;
        }
        let alone = *self.alone.get_or_insert(now);
        self.open = mode == FailMode::Standalone
            && (self.open || now.saturating_duration_since(alone) >= probe * PROBES);
        self.open
    }

    /// When [`Self::run`] may say something else.
    #[must_use]
    pub fn deadline(&self, mode: FailMode, probe: Duration) -> Option<Instant> {
        let waiting = mode == FailMode::Standalone && !self.open;
        self.alone.filter(|_| waiting).map(|alone| alone + probe * PROBES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: Duration = Duration::from_secs(5);

    #[test]
    fn standalone_opens_after_three_probes_and_closes_at_once() {
        let start = Instant::now();
        let mut timer = FailTimer::new(start);
        let mut run = |connected, s| {
            let now = start + Duration::from_secs(s);
            timer.run(FailMode::Standalone, true, connected, PROBE, now)
        };
        assert!(!run(false, 14), "not yet");
        assert!(run(false, 15));
        assert!(!run(true, 16), "a controller is there");
        assert!(!run(true, 99));
        assert!(!run(false, 100));
        assert!(!run(false, 114));
        assert!(run(false, 115), "alone again");
    }

    #[test]
    fn secure_never_opens_and_neither_does_a_bridge_without_controllers() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1000);
        let mut timer = FailTimer::new(start);
        assert!(!timer.run(FailMode::Secure, true, false, PROBE, later));
        assert!(timer.run(FailMode::Standalone, true, false, PROBE, later), "changed on the fly");
        assert!(!timer.run(FailMode::Standalone, false, false, PROBE, later));
        assert!(
            !timer.run(FailMode::Standalone, true, false, PROBE, later + PROBE),
            "controllers were configured just now"
        );
    }
}
