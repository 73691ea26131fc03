//! How far the log has come with what is to be said, for those that let it finish first.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::process::lock;

/// A log that is not done within this time is not waited for.
pub(super) const QUICK: Duration = Duration::from_millis(10);

/// How much is said of everything that is ever to be said.
///
/// Lines read in the right order if what users do comes after what was said before. So hooks and notices of a turn let
/// the log finish, if it is quick. One that is not is not waited for again until it has said something: a log that
/// blocks for ever holds up what is done by [`QUICK`] in all.
pub(super) struct Said {
    progress: Mutex<Progress>,
    changed: Condvar,
    /// The same count, for those that wait in a task.
    count: watch::Sender<u64>,
}

#[derive(Default)]
struct Progress {
    count: u64,
    is_slow: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self { progress: Mutex::default(), changed: Condvar::new(), count: watch::Sender::new(0) }
    }
}

impl Said {
    /// One more is said.
    pub(super) fn add_one(&self) {
        let count = {
            let mut progress = lock(&self.progress);
            progress.count += 1;
            progress.is_slow = false;
            progress.count
        };
        self.changed.notify_all();
        self.count.send_replace(count);
    }

    /// Lets the log come as far as that, from a task.
    pub(super) async fn up_to(&self, count: u64, patience: Duration) {
        if !self.is_worth_waiting_for(count, patience) {
            return;
        }
        let mut said = self.count.subscribe();
        if tokio::time::timeout(patience, said.wait_for(|said| *said >= count)).await.is_err() {
            lock(&self.progress).is_slow = true;
        }
    }

    /// The same, from a thread that has nothing else to do meanwhile.
    pub(super) fn wait_up_to(&self, count: u64) {
        if !self.is_worth_waiting_for(count, QUICK) {
            return;
        }
        let until = Instant::now() + QUICK;
        let mut progress = lock(&self.progress);
        while progress.count < count && !progress.is_slow {
            let left = until.saturating_duration_since(Instant::now());
            progress.is_slow = left.is_zero();
            progress = self.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn is_worth_waiting_for(&self, count: u64, patience: Duration) -> bool {
        let progress = lock(&self.progress);
        progress.count < count && (patience > QUICK || !progress.is_slow)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_waits_for_a_log_that_is_quick() {
        let said = Said::default();
        thread::scope(|scope| {
            scope.spawn(|| said.add_one());
            said.wait_up_to(1);
        });
        assert_eq!(lock(&said.progress).count, 1);
    }

    #[test]
    fn a_log_that_blocks_is_waited_for_once() {
        let said = Said::default();
        said.wait_up_to(1);
        assert!(lock(&said.progress).is_slow);
        // It would wait for ever, if it did.
        for _ in 0..100_000 {
            said.wait_up_to(1);
        }
        said.add_one();
        assert!(!lock(&said.progress).is_slow, "it goes on");
    }
}
