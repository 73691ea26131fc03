//! Deadline, reserves and cut-offs (rules D2, D4 and D6). Pure arithmetic on durations since the application began.

use std::time::Duration;

use crate::model::graph::{Graph, Id};

/// Ten years: longer durations mean the same, and shorter ones can be added and multiplied without overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The time set aside for `abort`, which should be quick; at most a tenth of the reserve.
const ABORT: Duration = Duration::from_millis(100);

/// How the time between the request to stop and the deadline is divided.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    timeout: Duration,
    /// Time set aside for each turn, after scaling.
    reserves: Vec<Duration>,
    /// Time set aside for everything beneath: `tail(r) = max over d in after(r) of reserve(d) + tail(d)`.
    tails: Vec<Duration>,
    /// The longest path of reserves as declared, if it had to be scaled.
    scaled_from: Option<Duration>,
}

/// The limits of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TurnLimits {
    /// Tasks may finish until then: half of the reserve is left.
    pub(crate) drain: Duration,
    /// `release` may run until then. What is left is for `abort`, so that it happens within the turn.
    pub(crate) release: Duration,
    /// The future of `release` has been dropped by then, unless it is in blocking code. The rest is for `abort`.
    pub(crate) drop: Duration,
    /// The turn is over.
    pub(crate) cutoff: Duration,
}

impl Budget {
    /// Shares out `timeout`. Reserves whose longest path exceeds half of it are scaled down to fit that half.
    pub(crate) fn new(plan: &Graph, timeout: Duration) -> Self {
        let timeout = timeout.min(LONGEST);
        let declared: Vec<Duration> = plan.all().map(|id| plan.step(id).reserve.min(LONGEST)).collect();
        let path = longest_path(&declared, &tails(plan, &declared));
        let half = timeout / 2;
        let is_too_long = path > half;
        let reserves = if is_too_long {
            declared.iter().map(|&reserve| scale(reserve, half, path)).collect()
        } else {
            declared
        };
        let tails = tails(plan, &reserves);
        Self { timeout, reserves, tails, scaled_from: is_too_long.then_some(path) }
    }

    /// The whole: from the trigger to the deadline.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The longest path of reserves as declared, if it was too long and all reserves were scaled down.
    pub(crate) fn scaled_from(&self) -> Option<Duration> {
        self.scaled_from
    }

    /// Time set aside for the turn of `id` alone.
    pub(crate) fn reserve(&self, id: Id) -> Duration {
        self.reserves[id]
    }

    /// Time set aside for the longest path of turns that starts at one of `ids`.
    pub(crate) fn path(&self, ids: impl Iterator<Item = Id>) -> Duration {
        ids.map(|id| self.reserves[id] + self.tails[id]).max().unwrap_or_default()
    }

    /// `delay`, or half of what the reserves leave if that is less.
    pub(crate) fn cap_delay(&self, delay: Duration) -> Duration {
        let path = longest_path(&self.reserves, &self.tails);
        delay.min(self.timeout.saturating_sub(path) / 2)
    }

    /// When the turn of `id` is over at the latest.
    pub(crate) fn cutoff(&self, id: Id, deadline: Duration) -> Duration {
        deadline.saturating_sub(self.tails[id])
    }

    /// The limits of a turn of `id` that starts at `now`.
    pub(crate) fn limits(
        &self,
        id: Id,
        deadline: Duration,
        now: Duration,
        drain_timeout: Option<Duration>,
    ) -> TurnLimits {
        let cutoff = self.cutoff(id, deadline);
        let reserve = self.reserves[id];
        let abort = ABORT.min(reserve / 10);
        let own = drain_timeout.map_or(Duration::MAX, |timeout| now.saturating_add(timeout));
        TurnLimits {
            drain: cutoff.saturating_sub(reserve / 2).min(own),
            release: cutoff.saturating_sub(abort),
            drop: cutoff.saturating_sub(abort / 2),
            cutoff,
        }
    }
}

/// How long aborted tasks are waited for: half of what is left to the cut-off.
pub(crate) fn join_limit(now: Duration, cutoff: Duration) -> Duration {
    now + cutoff.saturating_sub(now) / 2
}

fn tails(plan: &Graph, reserves: &[Duration]) -> Vec<Duration> {
    let mut tails: Vec<Duration> = Vec::with_capacity(reserves.len());
    for id in plan.all() {
        let tail = plan.after(id).iter().map(|&beneath| reserves[beneath] + tails[beneath]).max();
        tails.push(tail.unwrap_or_default());
    }
    tails
}

fn longest_path(reserves: &[Duration], tails: &[Duration]) -> Duration {
    reserves.iter().zip(tails).map(|(reserve, tail)| *reserve + *tail).max().unwrap_or_default()
}

/// `duration * to / from`, rounded down, so that a path of scaled durations is never too long. None of the three
/// is longer than [`LONGEST`], so that the product fits.
fn scale(duration: Duration, to: Duration, from: Duration) -> Duration {
    const NANOS: u128 = 1_000_000_000;
    let nanos = duration.as_nanos() * to.as_nanos() / from.as_nanos();
    Duration::new((nanos / NANOS) as u64, (nanos % NANOS) as u32)
}
