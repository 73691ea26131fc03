//! Spans for `tracing`: one for the start, one for the stop, and in them one for each acquisition, turn and release; and
//! one for each reload of a resource.
//!
//! A subscriber is the user's code and may block, so spans are opened and closed where lines are said: on a thread that
//! nothing waits for. Hooks only enter and leave them. A log that is quick has opened the span of a hook before the hook
//! begins; a hook does not wait for one that is not.

use std::sync::{Arc, Mutex};

use tracing::dispatcher::Dispatch;
use tracing::field::{Empty, display};
use tracing::{Level, Span, span};

use super::audience::{Ear, TARGET};
use super::{Driver, catch, lock};
use crate::engine::command::{Command, Output};
use crate::engine::event::Event;
use crate::model::failure::Cause;
use crate::model::graph::Id;
use crate::model::phase::Phase;
use crate::model::report::Outcome;

/// Where a span begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Begins(Work, Id),
    Ends(Work, Id, Outcome),
    Enters(Phase),
}

/// What is done for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Acquire,
    /// From the notice to the end of the release.
    Turn,
    Release,
    Reload,
}

/// The spans of an application.
#[derive(Default)]
pub(super) struct Spans {
    start: Mutex<Option<Arc<Span>>>,
    stop: Mutex<Option<Arc<Span>>>,
}

/// The spans of one resource. They are shared so that no lock of ours is held while a subscriber runs.
#[derive(Default)]
pub(super) struct WorkSpans(Mutex<[Option<Arc<Span>>; 4]>);

impl WorkSpans {
    pub(super) fn of(&self, work: Work) -> Option<Arc<Span>> {
        lock(&self.0)[work as usize].clone()
    }

    fn replace(&self, work: Work, span: Option<Arc<Span>>) -> Option<Arc<Span>> {
        std::mem::replace(&mut lock(&self.0)[work as usize], span)
    }
}

/// Runs `f`, which does not panic, inside a span. A subscriber that panics has no say in how that ends.
pub(super) fn within<T>(span: Option<Arc<Span>>, f: impl FnOnce() -> T) -> T {
    let tell = |what: fn(&Dispatch, &span::Id)| {
        if let Some(span) = &span {
            let _ = catch(|| span.with_subscriber(|(id, subscriber)| what(subscriber, id)));
        }
    };
    tell(Dispatch::enter);
    let value = f();
    tell(Dispatch::exit);
    // It ends here if it was to end meanwhile.
    let _ = catch(|| drop(span));
    value
}

/// Each step by itself: to end a span while a panic unwinds would end the process if that panics, too.
fn end(span: Option<Arc<Span>>, record: impl FnOnce(&Span)) {
    if let Some(span) = span {
        let _ = catch(|| record(&span));
        let _ = catch(|| drop(span));
    }
}

impl Mark {
    /// What ends with an event.
    pub(super) fn of_event(event: &Event) -> Option<Self> {
        let outcome = |cause: &Cause| match cause {
            Cause::Panic(_) => Outcome::Panicked,
            Cause::TimedOut(_) => Outcome::TimedOut,
            Cause::Error(_) | Cause::Lost => Outcome::Failed,
        };
        Some(match event {
            Event::Acquired(id) => Self::Ends(Work::Acquire, *id, Outcome::Clean),
            Event::AcquireFailed(id, cause) => Self::Ends(Work::Acquire, *id, outcome(cause)),
            Event::AcquireSkipped(id) => Self::Ends(Work::Acquire, *id, Outcome::Skipped),
            Event::AcquireDropped(id) => Self::Ends(Work::Acquire, *id, Outcome::Cancelled),
            Event::Released(id, Ok(())) => Self::Ends(Work::Release, *id, Outcome::Clean),
            Event::Released(id, Err(cause)) => Self::Ends(Work::Release, *id, outcome(cause)),
            Event::Reloaded(id, Ok(())) => Self::Ends(Work::Reload, *id, Outcome::Clean),
            Event::Reloaded(id, Err(Cause::Lost)) => Self::Ends(Work::Reload, *id, Outcome::Cancelled),
            Event::Reloaded(id, Err(cause)) => Self::Ends(Work::Reload, *id, outcome(cause)),
            Event::ReleaseDropped(id) => Self::Ends(Work::Release, *id, Outcome::TimedOut),
            _ => return None,
        })
    }

    /// What begins or ends with an output.
    pub(super) fn of_output(output: &Output) -> Option<Self> {
        Some(match output {
            Output::Do(Command::Enter(phase)) => Self::Enters(*phase),
            Output::Do(Command::Acquire(id)) => Self::Begins(Work::Acquire, *id),
            Output::Do(Command::Drain(id)) => Self::Begins(Work::Turn, *id),
            Output::Do(Command::Release(id)) => Self::Begins(Work::Release, *id),
            Output::Do(Command::Reload(id)) => Self::Begins(Work::Reload, *id),
            Output::Gone(id, outcome) => Self::Ends(Work::Turn, *id, *outcome),
            _ => return None,
        })
    }
}

impl Driver {
    pub(super) fn mark(&self, mark: Mark, ear: Ear<'_>) {
        match mark {
            Mark::Begins(work, id) if ear == Ear::Subscriber && id != self.plan.main() => {
                self.begin_span(work, id);
            }
            Mark::Begins(..) => {}
            Mark::Ends(work, id, outcome) => {
                end(self.cell(id).spans.replace(work, None), |span| {
                    span.record("outcome", &display(outcome));
                });
            }
            Mark::Enters(Phase::Starting | Phase::Stopping | Phase::Stopped) => {}
            Mark::Enters(Phase::Running) => self.end_start("running"),
            Mark::Enters(Phase::Draining) => {
                self.end_start("stopped");
                if ear == Ear::Subscriber {
                    // What is said in it would repeat a reason that is there from the beginning.
                    let stop = span!(
                        target: TARGET, parent: None, Level::INFO, "stop", reason = Empty, exit_code = Empty
                    );
                    *lock(&self.spans.stop) = Some(Arc::new(stop));
                }
            }
        }
    }

    /// The span of the stop ends with the report: what exports it may be one of the foundations, which come after that.
    pub(super) fn end_stop_span(&self) {
        let stop = lock(&self.spans.stop).take();
        let (reason, exit_code) = {
            let core = self.core();
            (core.engine.reason(), core.engine.exit_code())
        };
        end(stop, |stop| {
            stop.record("reason", &display(reason)).record("exit_code", &exit_code);
        });
    }

    fn end_start(&self, outcome: &'static str) {
        let start = lock(&self.spans.start).take();
        end(start, |start| {
            start.record("outcome", &display(outcome));
        });
    }

    fn begin_span(&self, work: Work, id: Id) {
        let resource = display(self.plan.name(id));
        let span = match work {
            Work::Acquire => {
                let parent = self.start_span();
                span!(target: TARGET, parent: parent, Level::INFO, "acquire", resource, outcome = Empty)
            }
            Work::Turn => {
                let parent = self.stop_span_for(id);
                span!(target: TARGET, parent: parent, Level::INFO, "turn", resource, outcome = Empty)
            }
            Work::Release => {
                let parent = self.stop_span_for(id);
                span!(target: TARGET, parent: parent, Level::INFO, "release", resource, outcome = Empty)
            }
            Work::Reload => {
                span!(target: TARGET, parent: None, Level::INFO, "reload", resource, outcome = Empty)
            }
        };
        self.cell(id).spans.replace(work, (!span.is_disabled()).then(|| Arc::new(span)));
    }

    /// The span of the start, which begins with the first acquisition that a subscriber can hear of.
    fn start_span(&self) -> Option<span::Id> {
        let begun = lock(&self.spans.start).as_ref().map(|start| start.id());
        let is_starting = *self.phase.borrow() == Phase::Starting;
        if begun.is_some() || !is_starting {
            return begun.flatten();
        }
        let start = span!(target: TARGET, parent: None, Level::INFO, "start", outcome = Empty);
        let id = start.id();
        *lock(&self.spans.start) = Some(Arc::new(start));
        id
    }

    /// A span ends when those in it have ended, so the turn of a foundation, which comes after the report, is in none.
    fn stop_span_for(&self, id: Id) -> Option<span::Id> {
        if self.plan.step(id).foundation { None } else { lock(&self.spans.stop).as_ref()?.id() }
    }
}
