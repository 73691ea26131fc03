//! The last lines, for those who look at the application and not at its log.
#![cfg_attr(not(feature = "probe"), allow(dead_code, reason = "the probe shows them"))]

use std::collections::VecDeque;
use std::time::Duration;

use tracing::Level;

use super::{Driver, log};
use crate::engine::notice::Notice;
use crate::model::phase::Reason;

/// How many are kept.
const KEPT: usize = 50;

/// What stands for the words of an error, a panic or a request: they are the program's own, and may hold a credential.
const HIDDEN: &str = "its text is not shown here";

/// The last notices, as data. They are put into words only when somebody asks.
#[derive(Default)]
pub(super) struct Recent(VecDeque<(Duration, Notice)>);

impl Recent {
    pub(super) fn keep(&mut self, at: Duration, notice: &Notice) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((at, notice.clone()));
    }
}

/// One line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// When it was to be said, measured from the start of the application.
    pub(crate) at: Duration,
    /// As it is named on stderr.
    pub(crate) level: &'static str,
    pub(crate) text: String,
}

/// Whether lines hold the words of errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    All,
    /// Names, states and times only.
    Discreet,
}

impl Driver {
    /// From now on, the last lines are kept.
    pub(crate) fn keep_lines(&self) {
        self.core().recent.get_or_insert_default();
    }

    /// The last lines, the oldest first.
    pub(crate) fn lines(&self, words: Words) -> Vec<Line> {
        let kept = self.core().recent.as_ref().map(|recent| recent.0.clone()).unwrap_or_default();
        let in_words = |(at, notice): (Duration, Notice)| {
            let notice = if words == Words::All { notice } else { discreet(notice) };
            let (level, text) = log::words_of(&notice)?;
            Some(Line { at, level: name_of(level), text })
        };
        kept.into_iter().filter_map(in_words).collect()
    }
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// A notice without the words of the program.
fn discreet(notice: Notice) -> Notice {
    let hidden = || HIDDEN.to_owned();
    match notice {
        Notice::Failed(failure) => Notice::Failed(failure.in_other_words(HIDDEN)),
        Notice::TaskPanicked { name, words: _ } => Notice::TaskPanicked { name, words: hidden() },
        Notice::CannotAccept { name, why: _, retry } => Notice::CannotAccept { name, why: hidden(), retry },
        Notice::ReloadFailed(failure) => Notice::ReloadFailed(failure.in_other_words(HIDDEN)),
        Notice::LastLife(_) => Notice::LastLife(hidden()),
        Notice::CheckFails { name, why: _ } => Notice::CheckFails { name, why: hidden() },
        Notice::ShuttingDown { reason: Reason::Requested(_), timeout, origin, delay } => {
            Notice::ShuttingDown { reason: Reason::Requested(hidden()), timeout, origin, delay }
        }
        // Each by name, so that a new one is looked at.
        Notice::Plan { .. }
        | Notice::GraceTooShort { .. }
        | Notice::UnknownVariable { .. }
        | Notice::PanicAborts
        | Notice::ShellAsPid1(_)
        | Notice::ReservesScaled { .. }
        | Notice::DelayCapped { .. }
        | Notice::ProbeListens(_)
        | Notice::NotNotifying(_)
        | Notice::PreStop { .. }
        | Notice::Acquiring(_)
        | Notice::Acquired { .. }
        | Notice::AcquireCancelled { .. }
        | Notice::Skipped(_)
        | Notice::StartProgress { .. }
        | Notice::Running { .. }
        | Notice::SignalsTaken(_)
        | Notice::ShuttingDown { .. }
        | Notice::NextInterrupt(_)
        | Notice::SignalIgnored { .. }
        | Notice::Hurried { .. }
        | Notice::Thawed { .. }
        | Notice::Turn { .. }
        | Notice::Drained { .. }
        | Notice::TasksAborted { .. }
        | Notice::TasksStuck { .. }
        | Notice::Releasing(_)
        | Notice::Released { .. }
        | Notice::TurnEnded { .. }
        | Notice::StopProgress { .. }
        | Notice::OwnerDropped
        | Notice::LateTask(_)
        | Notice::TaskEnded { .. }
        | Notice::HandlesOutlive { .. }
        | Notice::AllPlacesTaken { .. }
        | Notice::CheckPasses(_)
        | Notice::ReloadBegan(_)
        | Notice::ReloadLater { .. }
        | Notice::ReloadRefused(_)
        | Notice::NothingToReload
        | Notice::Reloaded { .. }
        | Notice::ReloadedLate(_)
        | Notice::ReloadDropped(_)
        | Notice::ReloadEnded { .. }
        | Notice::NoBlackBox { .. } => notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::{Cause, Failure, Operation};

    #[test]
    fn the_oldest_makes_room() {
        let mut recent = Recent::default();
        for number in 0..KEPT + 3 {
            let delay = Duration::from_secs(number.try_into().unwrap());
            recent.keep(delay, &Notice::PreStop { delay });
        }
        assert_eq!(recent.0.len(), KEPT);
        assert_eq!(recent.0.front().map(|(at, _)| *at), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_discreet_line_says_what_happened_and_none_of_its_words() {
        const SECRET: &str = "hunter2";
        let secret = || SECRET.to_owned();
        let failed = |cause| Notice::Failed(Failure::new("Db", Operation::Acquire, cause));
        let notices = [
            failed(Cause::Error(SECRET.into())),
            failed(Cause::Panic(secret())),
            Notice::TaskPanicked { name: "Db", words: secret() },
            Notice::CannotAccept { name: "Db", why: secret(), retry: Duration::ZERO },
            Notice::CheckFails { name: "Db", why: secret() },
            Notice::ShuttingDown {
                reason: Reason::Requested(secret()),
                timeout: Duration::ZERO,
                origin: crate::model::platform::Origin::Code,
                delay: Duration::ZERO,
            },
        ];
        for notice in notices {
            let text = |notice| log::words_of(&notice).map(|(_, text)| text).unwrap_or_default();
            assert!(text(notice.clone()).contains(SECRET), "{notice:?}");
            let discreet = text(discreet(notice));
            assert!(!discreet.contains(SECRET) && discreet.contains(HIDDEN), "{discreet}");
        }
    }
}
