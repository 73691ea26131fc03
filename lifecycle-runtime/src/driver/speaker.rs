//! Says what waits to be said, one line after the other, and what the log leaves out.

use std::collections::VecDeque;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use super::log::{self, Word};
use super::{Driver, Timing, catch};
use crate::engine::notice::Blame;
use crate::process::stderr;

impl Driver {
    /// Says what waits to be said. The caller has claimed that.
    pub(super) fn speak(self: &Arc<Self>) {
        if self.timing == Timing::Runtime || !self.audience.is_there() {
            // Under virtual time, the test waits for what is said; and without an audience, nothing is.
            self.say_all();
        } else if self.audience.has_log() {
            let speaker = Speaker(Some(Arc::clone(self)));
            self.runtime.spawn_blocking(move || speaker.speak());
        } else {
            // An stderr that blocks must not hold up the end of a runtime, which waits for its own threads.
            Arc::clone(self).say_all_on_a_thread();
        }
    }

    /// Says what waits, on a thread that nothing waits for. If there cannot be one more thread, it is not said.
    fn say_all_on_a_thread(self: Arc<Self>) {
        let speaker = std::thread::Builder::new().name("lifecycle-log".to_owned());
        let _ = speaker.spawn(move || self.say_all());
    }

    /// Says everything that waits. The caller has claimed that.
    fn say_all(&self) {
        self.audience.listen(|| {
            let mut batch = VecDeque::new();
            loop {
                self.core().words.next(&mut batch);
                if batch.is_empty() {
                    return;
                }
                for word in batch.drain(..) {
                    // A subscriber that panics must not leave the queue without anybody to empty it.
                    let _ = catch::catch(|| self.say_one(&word));
                    self.said.add_one();
                    if let Word::Last = word {
                        self.milestones.spoken.cancel();
                    }
                }
            }
        });
    }

    fn say_one(&self, word: &Word) {
        let ear = self.audience.ear();
        log::say(word, ear);
        if let Word::Report(Some(_)) = word {
            let attention = ear.attention();
            self.core().report_heard = Some(attention);
        }
    }

    /// Says on stderr what the log may not have: a failed start in any case, any trouble where nobody heard of it, what
    /// failed after the report, and why the exit code is not 0 if the log leaves that out (rule E2).
    pub(super) fn say_on_stderr(&self) {
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

/// The one that says what waits to be said, however that comes about: a runtime that is shutting down drops it unused.
#[derive(Debug)]
struct Speaker(Option<Arc<Driver>>);

impl Speaker {
    fn speak(mut self) {
        if let Some(driver) = self.0.take() {
            driver.say_all();
        }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        if let Some(driver) = self.0.take() {
            driver.say_all_on_a_thread();
        }
    }
}
