//! How load balancers check what is behind them.

use std::time::Duration;

/// The settings of an active check: they have other names everywhere, and mean the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HealthCheck {
    /// From one check to the next.
    pub(crate) interval: Duration,
    /// After so many failures in a row, no more requests are sent.
    pub(crate) failures: u32,
    /// After so many successes in a row, they are again.
    pub(crate) successes: u32,
}

impl HealthCheck {
    /// The drain delay that fits, by the rule of thumb: the check's interval, times the failures that it takes, plus a
    /// second.
    pub(crate) fn drain_delay(self) -> Duration {
        self.interval * self.failures + Duration::from_secs(1)
    }
}
