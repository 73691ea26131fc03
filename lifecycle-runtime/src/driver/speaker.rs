//! Says what waits to be said, one line after the other, and what the log leaves out.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use super::log::{self, Word};
use super::standby::MOMENT;
use super::{Driver, Timing, catch};
use crate::engine::notice::Blame;
use crate::process::{stderr, thread};

impl Driver {
    /// Says what waits to be said, on a thread that nothing waits for. The caller has claimed that.
    pub(super) fn speak(self: &Arc<Self>) {
        if self.timing == Timing::Runtime || !self.audience.is_there() {
            // Under virtual time, the test waits for what is said; and without an audience, nothing is.
            return self.say_all();
        }
        if self.standby.call() {
            return;
        }
        let driver = Arc::clone(self);
        let spoken = thread::start("lifecycle-log", move || {
            // Subscribers may use the runtime.
            let _context = driver.runtime.enter();
            driver.say_all();
            while !driver.milestones.spoken.is_raised() && driver.standby.wait(MOMENT) {
                driver.say_all();
            }
        });
        if spoken.is_err() {
            // It is tried again with the next words.
            self.core().words.give_back();
        }
    }

    /// Says everything that waits. The caller has claimed that.
    fn say_all(&self) {
        self.audience.listen(|| {
            let mut batch = Vec::new();
            loop {
                self.core().words.next(&mut batch);
                if batch.is_empty() {
                    return;
                }
                for word in batch.drain(..) {
                    // A subscriber that panics must not leave the queue without anybody to empty it.
                    let _ = catch(|| self.say_one(&word));
                    self.said.add_one();
                    if let Word::Last = word {
                        self.milestones.spoken.raise();
                    }
                }
            }
        });
    }

    fn say_one(&self, word: &Word) {
        let ear = self.audience.ear();
        if let Word::Mark(mark) = word {
            return self.mark(*mark, ear);
        }
        log::say(word, ear);
        if let Word::Report(_) = word {
            self.end_stop_span();
        }
        if let Word::Report(Some(_)) = word {
            let attention = ear.attention();
            self.core().report_heard = Some(attention);
        }
    }

    /// Says on stderr what the log may not have: a failed start in any case, any trouble where nobody heard of it, what
    /// failed after the report, and why the exit code is not 0 if the log leaves that out (rule E2).
    pub(super) fn say_on_stderr(&self) {
        #[cfg(feature = "testing")]
        if self.has_kit() {
            // The test has the report, and many a test lets many an application fail.
            return;
        }
        let report = self.report();
        let (unreported, heard, blame) = {
            let core = self.core();
            (core.engine.unreported().to_vec(), core.report_heard, core.engine.blame())
        };
        if report.failed_start().is_some() || (!self.audience.is_there() && report.has_trouble()) {
            return stderr::write(report.to_string());
        }
        if !unreported.is_empty() {
            return stderr::write(log::after_the_report(&unreported, report.exit_code));
        }
        if let Some(blame) = blame.filter(|_| self.audience.is_there()) {
            // A failure has a line of its own, which is an error.
            let telling = if blame == Blame::Failed { LevelFilter::ERROR } else { LevelFilter::WARN };
            if heard.is_none_or(|heard| heard < telling) {
                stderr::write(log::exit_line(&report, blame));
            }
        }
    }
}
