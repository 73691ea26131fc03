//! How an application, and maybe its process, comes to its end: the watchdog and its last words, the report and where it
//! is kept, and who waits for all of that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Driver, Milestones, log};
use crate::engine::notice::Killing;
use crate::model::report::{Exit, Report};
use crate::model::signal::Signal;
use crate::process::stderr::PATIENCE;
use crate::process::thread;
use crate::process::watchdog::{AFTER_DEADLINE, Watchdog};

impl Driver {
    pub(super) fn arm(self: &Arc<Self>, watchdog: &Watchdog, deadline: Duration) {
        let driver = Arc::downgrade(self);
        let last_words = move || Some(driver.upgrade()?.last_words(Killing::TimeIsUp));
        watchdog.arm((self.origin + deadline + AFTER_DEADLINE).into_std(), last_words);
    }

    /// Ends the process at once, because a signal insisted a second time.
    pub(super) fn exit(self: &Arc<Self>, signal: Signal) {
        let (text, code) = self.last_words(Killing::Insisted(signal));
        #[cfg(test)]
        {
            let _ = (text, code);
            self.milestones.exited.raise();
        }
        #[cfg(not(test))]
        {
            crate::process::stderr::write(text);
            signal_hook::low_level::exit(code.into())
        }
    }

    /// What is said when the process is ended from outside, and with which exit code that happens.
    pub(super) fn last_words(self: &Arc<Self>, why: Killing) -> (String, u8) {
        let words = self.core().engine.last_words(self.origin.elapsed(), why, &self.cells);
        // The words themselves need some of the time that there is. Files are written side by side.
        let until = Instant::now() + PATIENCE / 5 * 4;
        let (at_work, is_done) = thread::work();
        for keeper in &self.keepers {
            keeper.keep_last(self, why, words.exit_code, at_work.clone());
        }
        drop(at_work);
        self.keep_record(until - Instant::now());
        is_done.wait(until - Instant::now());
        (log::last_words(&words), words.exit_code)
    }

    /// The process ends now, whatever its `main` did after the application: signals count from here to its very end
    /// (rule D8), and the watchdog ends it if nothing else does (rule D9).
    pub(crate) fn process_ends(self: &Arc<Self>) {
        let deadline = self.core().engine.process_ends(self.origin.elapsed());
        // A process that cannot have one more thread ends without a watchdog.
        let Ok(watchdog) = Watchdog::start() else { return };
        self.arm(&watchdog, deadline);
    }

    /// What is done when `main` returns the report of this application.
    pub(crate) fn exit_of_main(self: &Arc<Self>) -> Option<Arc<dyn Exit>> {
        self.exit_of_main.map(|exit| exit(Arc::clone(self)))
    }

    /// The watchdog does not end the process any more: it is not ours to end.
    pub(crate) fn retire_watchdog(&self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.retire();
        }
    }

    /// Everything is said, or has had its time: says the rest on stderr, and lets those go that wait for the end.
    pub(crate) fn conclude(&self) {
        #[cfg(feature = "metrics")]
        self.catch_up_here(PATIENCE);
        self.say_on_stderr();
        self.milestones.finished.raise();
    }

    /// Whether the caller, and no other, is to conclude an application that is controlled by time alone.
    pub(crate) fn may_conclude(&self) -> bool {
        self.concludes_itself && !self.has_conclusion.swap(true, Ordering::AcqRel)
    }

    /// Waits for the end. Where nothing else has to come to an end first, this concludes it without another thread.
    pub(crate) async fn end(&self) {
        let Milestones { ended, spoken, finished, .. } = &self.milestones;
        if self.concludes_itself {
            ended.raised().await;
            let _ = timeout(PATIENCE, spoken.raised()).await;
            if self.may_conclude() {
                self.conclude();
            }
        }
        finished.raised().await;
    }

    /// What happened so far.
    pub(crate) fn report(&self) -> Report {
        let mut report = self.core().engine.report();
        for failure in &mut report.failures {
            let error = failure.kept_as().and_then(|number| self.errors.get(number));
            failure.attach(error);
        }
        report
    }

    /// Keeps the report where the operator wants it too. What takes longer than `patience` is left behind.
    pub(crate) fn keep_record(&self, patience: Duration) {
        let Some(record) = self.record.clone() else { return };
        let report = self.report();
        let (at_work, is_done) = thread::work();
        let keep = move || {
            record.keep(&report);
            drop(at_work);
        };
        // Without a thread for it there is no record.
        if thread::start("lifecycle-record", keep).is_ok() {
            is_done.wait(patience);
        }
    }
}
