//! When the metrics of an application are set (feature `metrics`): at each change, and once a second between changes.
//!
//! A recorder is the user's code, and may block or panic. It is therefore called on a thread of its own, which holds no
//! lock of ours, and which nothing waits for without a limit. Everything is set each time, so that a recorder that is
//! installed late, such as by a foundation, has all that was before.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::metrics::Ledger;
use super::{Driver, Timing, catch, lock};
use crate::model::phase::Phase;
use crate::process::thread;

/// Recording takes at most one part in so many of the time.
const SHARE: u32 = 20;

/// How often what is in flight is counted while nothing changes.
const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Meter {
    state: Mutex<State>,
    called: Condvar,
    /// How many of the changes are recorded.
    recorded: watch::Sender<u64>,
    pub(super) ledger: Ledger,
}

#[derive(Default)]
struct State {
    changes: u64,
    recorded: u64,
    has_thread: bool,
    /// The recorder did not come to an end in time, and has not since.
    is_slow: bool,
    /// The last change is recorded.
    is_over: bool,
    /// How many wait until what has changed is recorded.
    awaited: usize,
}

impl State {
    fn is_behind(&self) -> bool {
        self.recorded < self.changes && self.has_thread && !self.is_slow && !self.is_over
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            called: Condvar::new(),
            recorded: watch::Sender::new(0),
            ledger: Ledger::default(),
        }
    }
}

impl Meter {
    /// Something has changed that is to be recorded.
    pub(super) fn note(&self) {
        lock(&self.state).changes += 1;
        self.called.notify_all();
    }

    /// Waits for a change, but not for long. Returns how many there were.
    fn wait(&self) -> u64 {
        let is_idle = |state: &mut State| state.recorded == state.changes;
        let waited = self.called.wait_timeout_while(lock(&self.state), EVERY, is_idle);
        waited.unwrap_or_else(PoisonError::into_inner).0.changes
    }

    /// Leaves the processor, and the lock of the engine, to others, unless somebody waits for what has changed.
    fn rest(&self, pause: Duration) {
        let is_awaited = |state: &mut State| state.awaited == 0;
        drop(self.called.wait_timeout_while(lock(&self.state), pause, is_awaited));
    }

    fn is_recorded(&self, changes: u64, is_over: bool) {
        let mut state = lock(&self.state);
        state.recorded = changes;
        state.is_slow = false;
        state.is_over |= is_over;
        drop(state);
        self.called.notify_all();
        self.recorded.send_replace(changes);
    }

    /// Waits until what has changed so far is recorded, from a task.
    async fn is_caught_up(&self, patience: Duration) {
        let changes = {
            let state = lock(&self.state);
            if !state.is_behind() {
                return;
            }
            state.changes
        };
        let mut recorded = self.recorded.subscribe();
        let _waits = Waits::on(self);
        if timeout(patience, recorded.wait_for(|recorded| *recorded >= changes)).await.is_err() {
            lock(&self.state).is_slow = true;
        }
    }

    /// The same, from a thread that has nothing else to do meanwhile.
    fn is_caught_up_here(&self, patience: Duration) {
        let _waits = Waits::on(self);
        let waited = self.called.wait_timeout_while(lock(&self.state), patience, |state| state.is_behind());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_slow |= state.is_behind();
    }
}

/// Somebody waits until what has changed is recorded.
struct Waits<'a>(&'a Meter);

impl<'a> Waits<'a> {
    fn on(meter: &'a Meter) -> Self {
        lock(&meter.state).awaited += 1;
        meter.called.notify_all();
        Self(meter)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).awaited -= 1;
    }
}

impl Driver {
    /// Has recorded what was noted.
    pub(super) fn measure(self: &Arc<Self>) {
        let is_due = {
            let mut state = lock(&self.meter.state);
            let is_due = state.recorded < state.changes && !state.has_thread;
            state.has_thread |= is_due && self.timing == Timing::Thread;
            is_due
        };
        if !is_due {
            return;
        }
        let driver = Arc::clone(self);
        if self.timing == Timing::Runtime {
            // On the thread of the test, whose recorder may be of that thread only.
            self.spawn(async move { driver.record_what_is_new() });
            return;
        }
        let recording = thread::start("lifecycle-metrics", move || {
            // Recorders may use the runtime.
            let _context = driver.runtime.enter();
            driver.record_until_the_end();
        });
        if recording.is_err() {
            // It is tried again with the next change.
            lock(&self.meter.state).has_thread = false;
        }
    }

    /// Lets the recorder have what has changed so far, from a task.
    pub(super) async fn catch_up(&self, patience: Duration) {
        match self.timing {
            Timing::Thread => self.meter.is_caught_up(patience).await,
            Timing::Runtime => self.record_what_is_new(),
        }
    }

    /// The same, from a thread that has nothing else to do meanwhile.
    pub(super) fn catch_up_here(&self, patience: Duration) {
        match self.timing {
            Timing::Thread => self.meter.is_caught_up_here(patience),
            Timing::Runtime => self.record_what_is_new(),
        }
    }

    fn record_what_is_new(&self) {
        let changes = {
            let state = lock(&self.meter.state);
            if state.recorded == state.changes {
                return;
            }
            state.changes
        };
        let _ = catch(|| self.record_metrics());
        self.meter.is_recorded(changes, false);
    }

    fn record_until_the_end(&self) {
        loop {
            let changes = self.meter.wait();
            let began = Instant::now();
            let is_over = self.core().engine.phase() == Phase::Stopped;
            // A recorder that panics may do better the next time.
            let _ = catch(|| self.record_metrics());
            self.meter.is_recorded(changes, is_over);
            if is_over {
                return;
            }
            self.meter.rest((began.elapsed() * SHARE).min(EVERY));
        }
    }
}
