//! A report on an axis of time: what its pictures draw.

use std::time::Duration;

use crate::model::duration::Human;
use crate::model::phase::Phase;
use crate::model::report::{Outcome, Report, ResourceReport};
use crate::model::units::cut_off;

/// The start and the stop of an application, each on an axis of its own, since days may lie between.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) rows: Vec<Row>,
    pub(super) start: Axis,
    /// There is none if nothing was stopped.
    pub(super) stop: Option<Axis>,
}

/// A stretch of time, measured from the start of the application, with its marks.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) marks: Vec<Mark>,
    /// The end of the drain delay, if there was one; it begins where the axis does.
    pub(super) delay: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Mark {
    pub(super) at: Duration,
    pub(super) what: String,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Whether it is on the critical path of the start and of the stop.
    pub(super) is_critical: (bool, bool),
    pub(super) bars: Vec<Bar>,
    /// How long its part of the start and of the stop took, in words.
    pub(super) took: (String, String),
    /// Something went wrong.
    pub(super) trouble: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    pub(super) kind: Kind,
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// What a resource is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For others: what it comes after, or what comes after it.
    Waiting,
    Acquiring,
    Ready,
    Draining,
    Releasing,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Waiting, Self::Acquiring, Self::Ready, Self::Draining, Self::Releasing];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acquiring => "acquiring",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Releasing => "releasing",
        }
    }
}

impl Axis {
    /// How many lines of words stand under it.
    pub(super) fn lines(&self) -> usize {
        self.marks.len() + usize::from(self.delay.is_some())
    }

    pub(super) fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// Where `at` is, from 0 to 1.
    pub(super) fn place(&self, at: Duration) -> f64 {
        let length = self.length().as_secs_f64();
        if length > 0.0 { (at.saturating_sub(self.from).as_secs_f64() / length).min(1.0) } else { 0.0 }
    }

    /// What of a bar is on this axis.
    pub(super) fn part(&self, bar: Bar) -> Option<Bar> {
        let (from, to) = (bar.from.max(self.from), bar.to.min(self.to));
        (from < to).then_some(Bar { from, to, ..bar })
    }
}

impl Timeline {
    pub(super) fn new(report: &Report) -> Self {
        let end = end(report);
        let stop_began = report.began(Phase::Draining);
        let start_ended = report.began(Phase::Running).or(stop_began).unwrap_or(end);
        let (mut marks_of_start, mut marks_of_stop) = (Vec::new(), Vec::new());
        for (signal, at) in &report.signals {
            let is_of_start = stop_began.is_none_or(|began| *at < began);
            let marks = if is_of_start { &mut marks_of_start } else { &mut marks_of_stop };
            marks.push(Mark { at: *at, what: signal.to_string() });
        }
        let start = Axis {
            title: match report.began(Phase::Running) {
                Some(took) => format!("start: {}", Human(took)),
                None => format!("start, not completed: {}", Human(start_ended)),
            },
            from: Duration::ZERO,
            to: start_ended,
            marks: marks_of_start,
            delay: None,
        };
        let stop = stop_began.map(|from| {
            let deadline = from + report.shutdown_timeout;
            if deadline <= end {
                marks_of_stop.push(Mark { at: deadline, what: "deadline".to_owned() });
            }
            let took = report.stop_took.unwrap_or_default();
            Axis {
                title: format!("stop: {} of {}", Human(took), Human(report.shutdown_timeout)),
                from,
                to: end,
                marks: marks_of_stop,
                delay: report.began(Phase::Stopping).filter(|until| *until > from),
            }
        });
        let rows = report.resources.iter().map(|resource| row(resource, report, stop_began, end)).collect();
        Self { rows, start, stop }
    }
}

/// When the last thing happened that is known.
fn end(report: &Report) -> Duration {
    let stopped = report.began(Phase::Draining).map(|began| began + report.stop_took.unwrap_or_default());
    let mut end = stopped.unwrap_or_default();
    for (_, at) in &report.phases {
        end = end.max(*at);
    }
    for resource in &report.resources {
        end = end.max(resource.ended.unwrap_or_default());
    }
    end
}

fn row(resource: &ResourceReport, report: &Report, stop_began: Option<Duration>, end: Duration) -> Row {
    let ResourceReport { name, acquire_began, drain_began, release_began, .. } = *resource;
    let acquired = acquire_began.map(|began| began + resource.acquire.unwrap_or_default());
    let drained = drain_began.map(|began| began + resource.drain.unwrap_or_default());
    let released = release_began.map(|began| began + resource.release.unwrap_or_default());
    let mut bars = Vec::new();
    let mut push = |kind, from: Option<Duration>, to: Option<Duration>| {
        if let (Some(from), Some(to)) = (from, to) {
            if from < to {
                bars.push(Bar { kind, from, to });
            }
        }
    };
    push(Kind::Waiting, Some(Duration::ZERO), acquire_began);
    push(Kind::Acquiring, acquire_began, acquired);
    if resource.was_acquired {
        // From the request to stop, it waits for its turn.
        let ready_until = stop_began.or(drain_began).unwrap_or(end).max(acquired.unwrap_or_default());
        push(Kind::Ready, acquired, Some(ready_until));
        push(Kind::Waiting, Some(ready_until), drain_began.or(Some(end)));
    }
    push(Kind::Draining, drain_began, drained);
    push(Kind::Releasing, release_began, released);
    let is_on = |path: &[&str]| path.len() > 1 && path.contains(&name);
    Row {
        name,
        is_critical: (is_on(&report.start_path), is_on(&report.stop_path)),
        bars,
        took: (acquire_words(resource), stop_words(resource)),
        trouble: trouble(resource),
    }
}

fn acquire_words(resource: &ResourceReport) -> String {
    match (resource.outcome, resource.acquire) {
        (Outcome::NeverStarted | Outcome::Skipped | Outcome::Cancelled, _) => resource.outcome.to_string(),
        (_, Some(took)) => Human(took).to_string(),
        (_, None) => "-".to_owned(),
    }
}

fn stop_words(resource: &ResourceReport) -> String {
    match (resource.drain, resource.release) {
        _ if !resource.was_acquired && resource.cut == 0 => "-".to_owned(),
        (None, _) => "-".to_owned(),
        (Some(drain), release) => Human(drain + release.unwrap_or_default()).to_string(),
    }
}

fn trouble(resource: &ResourceReport) -> Option<String> {
    let mut words = Vec::new();
    if resource.outcome.is_trouble() {
        words.push(resource.outcome.to_string());
    }
    if resource.cut > 0 {
        words.push(cut_off(&resource.cut_by_kind, resource.excused, &resource.aborted_tasks.join(", ")));
    }
    if !resource.stuck_tasks.is_empty() {
        words.push(format!("stuck: {}", resource.stuck_tasks.join(", ")));
    }
    (!words.is_empty()).then(|| words.join(", "))
}
