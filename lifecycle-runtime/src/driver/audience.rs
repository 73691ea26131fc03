//! Who hears what is said (rule E2): a subscriber of `tracing`, else a logger of `log`, else who reads stderr.

use std::cell::OnceCell;
use std::fmt;

use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing::{Level, enabled, event};

use crate::process::stderr;

/// All lines are under this target, whatever module they come from.
pub(super) const TARGET: &str = "lifecycle";

/// Those who may hear an application.
#[derive(Debug)]
pub(super) struct Audience {
    /// The subscriber of the thread on which the application was made, if it had one.
    subscriber: Option<Dispatch>,
    /// Lines that neither a subscriber nor a logger takes go to stderr. They do where the library was asked to handle
    /// the signals of the process: a program that leaves these alone, or a test, has its stderr to itself.
    has_stderr: bool,
}

/// Who hears one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ear<'a> {
    Subscriber,
    Logger,
    Stderr,
    /// Keeps the words.
    Reader(&'a OnceCell<(Level, String)>),
    Nobody,
}

impl Audience {
    pub(super) fn of_this_thread(has_stderr: bool) -> Self {
        let current = dispatcher::get_default(Dispatch::clone);
        Self { subscriber: (!current.is::<NoSubscriber>()).then_some(current), has_stderr }
    }

    /// Whether anybody may hear what is said. Asks nothing of the user's.
    pub(super) fn is_there(&self) -> bool {
        self.has_subscriber() || has_logger() || self.has_stderr
    }

    /// Whether a subscriber may hear what is said. Asks nothing of the user's.
    pub(super) fn has_subscriber(&self) -> bool {
        self.subscriber.is_some() || has_subscriber()
    }

    /// Whether anybody may hear that a task has ended well, which is said as information. Asks nothing of the user's: it
    /// knows how much the subscribers of this process want to hear at the most.
    #[inline]
    pub(super) fn may_hear_of_tasks(&self) -> bool {
        let subscriber = LevelFilter::current() >= LevelFilter::INFO;
        let logger = log::max_level() >= log::LevelFilter::Info;
        // Where each application has a subscriber of its own, or a logger takes what none does, nobody reads stderr.
        let stderr = self.has_stderr && self.subscriber.is_none() && !has_logger();
        subscriber || logger || stderr
    }

    /// Runs `f` so that what it says is heard: by the subscriber of the thread on which the application was made, or
    /// by one that was installed since.
    pub(super) fn listen(&self, f: impl FnOnce()) {
        match &self.subscriber {
            Some(subscriber) => dispatcher::with_default(subscriber, f),
            None => f(),
        }
    }

    /// Who hears what is said now, while this thread [listens](Self::listen).
    pub(super) fn ear(&self) -> Ear<'static> {
        let is_subscriber = |current: &Dispatch| !current.is::<NoSubscriber>();
        if has_subscriber() && dispatcher::get_default(is_subscriber) {
            Ear::Subscriber
        } else if has_logger() {
            Ear::Logger
        } else if self.has_stderr {
            Ear::Stderr
        } else {
            Ear::Nobody
        }
    }
}

impl Ear<'_> {
    /// Hears the words of a line.
    pub(super) fn hear(self, level: Level, words: fmt::Arguments<'_>) {
        match self {
            // One event for each level, and not for each line: an event is a lot of code.
            Self::Subscriber => match level {
                Level::ERROR => event!(target: TARGET, Level::ERROR, "{words}"),
                Level::WARN => event!(target: TARGET, Level::WARN, "{words}"),
                Level::INFO => event!(target: TARGET, Level::INFO, "{words}"),
                _ => event!(target: TARGET, Level::DEBUG, "{words}"),
            },
            Self::Logger => log::log!(target: TARGET, level_of_log(level), "{words}"),
            Self::Stderr if level <= Level::INFO => {
                let label = match level {
                    Level::ERROR => "error: ",
                    Level::WARN => "warning: ",
                    _ => "",
                };
                stderr::write_here(&format!("lifecycle: {label}{}\n", words.to_string().trim_end()));
            }
            Self::Reader(line) => {
                let _ = line.set((level, words.to_string()));
            }
            Self::Stderr | Self::Nobody => {}
        }
    }

    /// Whether it hears warnings, or errors alone, or neither.
    pub(super) fn attention(self) -> LevelFilter {
        let (warnings, errors) = match self {
            Self::Subscriber => {
                (enabled!(target: TARGET, Level::WARN), enabled!(target: TARGET, Level::ERROR))
            }
            Self::Logger => {
                let hears = |level| log::log_enabled!(target: TARGET, level);
                (hears(log::Level::Warn), hears(log::Level::Error))
            }
            Self::Stderr | Self::Reader(_) => (true, true),
            Self::Nobody => (false, false),
        };
        match (warnings, errors) {
            (true, _) => LevelFilter::WARN,
            (false, true) => LevelFilter::ERROR,
            (false, false) => LevelFilter::OFF,
        }
    }
}

/// Whether any subscriber was installed, maybe on another thread only.
pub(super) fn has_subscriber() -> bool {
    dispatcher::has_been_set()
}

/// Whether a logger of `log` was installed. One that is switched off has no level, and neither has the one that stands
/// in until another is installed; but that one is empty.
fn has_logger() -> bool {
    log::max_level() != log::LevelFilter::Off || size_of_val(log::logger()) != 0
}

fn level_of_log(level: Level) -> log::Level {
    match level {
        Level::ERROR => log::Level::Error,
        Level::WARN => log::Level::Warn,
        Level::INFO => log::Level::Info,
        Level::DEBUG => log::Level::Debug,
        _ => log::Level::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_logger_none_is_found() {
        assert!(!has_logger());
    }

    #[test]
    fn where_there_is_no_log_stderr_is_there_if_it_may_be_used() {
        let audience = |has_stderr| Audience { subscriber: None, has_stderr };
        assert_eq!(audience(true).ear(), Ear::Stderr);
        assert_eq!(audience(false).ear(), Ear::Nobody);
    }
}
