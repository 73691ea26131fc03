//! An application that is explored: its graph, and how much may happen to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::TaskKind;
use crate::engine::settings::{BodyKind, Delay, Ending, Settings};
use crate::model::graph::{Graph, Id, Necessity, Step};
use crate::model::platform::Origin;
use crate::model::reload::Hangup;
use crate::model::signal::Signal;
use crate::simulation::scenario::NAMES;

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How many tasks a resource has at most.
pub(super) const TASKS: usize = 2;

/// The most resources that an application has, and the body of `main`.
pub(super) const PLACES: usize = 5;

#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) resources: Vec<Spec>,
    pub(super) settings: Settings,
    pub(super) bounds: Bounds,
}

/// One resource. Its edges point to earlier ones, and foundations come first.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) after: Vec<Id>,
    pub(super) necessity: Necessity,
    pub(super) foundation: bool,
    pub(super) is_supplied: bool,
    pub(super) reloads: bool,
    pub(super) reserve: Duration,
    pub(super) acquire_timeout: Option<Duration>,
    pub(super) drain_timeout: Option<Duration>,
    pub(super) tasks: Vec<TaskKind>,
    pub(super) spawning: Spawning,
    /// How many guards may be taken, one after the other or at once.
    pub(super) guards: u8,
    /// Its guards may be cut off (rule E1).
    pub(super) is_excused: bool,
    /// The errors of its tasks hold a guard of this resource.
    pub(super) errors_hold: Option<Id>,
}

/// When tasks are spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spawning {
    /// As the first thing of the acquisition.
    AtOnce,
    /// At any time from then on. That a task counts and that its start is told are two steps.
    AnyTime,
}

/// How much may happen in one life. What is not bounded here may happen at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bounds {
    /// How many events may come from outside, and which.
    pub(super) outside: u8,
    pub(super) from_outside: Vec<Outside>,
    /// How many operations may fail. Something that hangs is no failure: time passes without bound.
    pub(super) faults: u8,
    /// How many limits may be reached, while something hangs; `None` is any number.
    pub(super) limits: Option<u8>,
    /// What is left behind when a turn is over may go on.
    pub(super) leftovers: bool,
    /// How many times may pass without a limit being reached: longer than what makes two signals one.
    pub(super) pauses: u8,
    /// How many times the process may be frozen until long after its deadline.
    pub(super) freezes: u8,
    /// An event may come at the very time of a limit, before the engine is woken.
    pub(super) at_limits: bool,
    /// Operations may panic and be lost with their runtime, which otherwise counts as failing.
    pub(super) every_fault: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outside {
    Signal(Signal),
    Shutdown,
    Insist,
    OwnerDropped,
    PreStop,
    /// `App::reload`.
    Reload,
    /// `App::fail`.
    Fail,
    Serves,
}

/// A resource of which nothing special is to be said.
pub(super) fn plain(after: &[Id]) -> Spec {
    Spec {
        after: after.to_vec(),
        necessity: Necessity::Required,
        foundation: false,
        is_supplied: false,
        reloads: false,
        reserve: ms(400),
        acquire_timeout: None,
        drain_timeout: None,
        tasks: Vec::new(),
        spawning: Spawning::AtOnce,
        guards: 0,
        is_excused: false,
        errors_hold: None,
    }
}

/// Settings under which no line about the progress is due.
pub(super) fn quick(body: BodyKind) -> Settings {
    Settings {
        shutdown_timeout: ms(4_900),
        timeout_origin: Origin::Default,
        startup_timeout: Some(ms(2_000)),
        drain_delay: Delay::Given(Duration::ZERO),
        body,
        ending: Ending::Application,
        hangup: Hangup::Stop,
        at_terminal: false,
        serves: false,
        probe: None,
        left_out: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Application {
    pub(super) fn plan(&self) -> Arc<Graph> {
        let steps = self.resources.iter().enumerate().map(|(id, spec)| Step {
            name: NAMES[id],
            after: spec.after.clone(),
            reserve: spec.reserve,
            acquire_timeout: spec.acquire_timeout,
            drain_timeout: spec.drain_timeout,
            necessity: spec.necessity,
            foundation: spec.foundation,
            is_supplied: spec.is_supplied,
            reloads: spec.reloads,
        });
        let (plan, order) = Graph::new(steps.collect(), self.main_reserve());
        assert!(order.is_sorted(), "edges point to earlier resources");
        Arc::new(plan)
    }

    pub(super) fn main(&self) -> Id {
        self.resources.len()
    }

    fn main_reserve(&self) -> Duration {
        if self.settings.body == BodyKind::Empty { Duration::ZERO } else { ms(400) }
    }

    /// The reserves and the body's behind them (rule D6).
    pub(super) fn reserves(&self) -> Vec<Duration> {
        self.resources.iter().map(|spec| spec.reserve).chain([self.main_reserve()]).collect()
    }

    /// What each comes after, foundations included; the body of `main` comes after everything.
    pub(super) fn edges(&self) -> Vec<Vec<Id>> {
        let main = self.main();
        let foundations = || (0..main).filter(|&id| self.resources[id].foundation);
        let mut edges: Vec<Vec<Id>> = self.resources.iter().map(|spec| spec.after.clone()).collect();
        for id in (0..main).filter(|&id| !self.resources[id].foundation) {
            edges[id].extend(foundations());
            edges[id].sort_unstable();
            edges[id].dedup();
        }
        edges.push((0..main).collect());
        edges
    }
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resources, settings, bounds } = self;
        for (id, spec) in resources.iter().enumerate() {
            writeln!(f, "r{id}: {spec:?}")?;
        }
        writeln!(f, "{settings:?}\n{bounds:?}")
    }
}
