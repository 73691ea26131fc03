//! A random application and what happens to it.

use std::fmt;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use crate::engine::settings::{BodyKind, Delay, Ending, Settings};
use crate::model::graph::{Graph, Id, Necessity, Step};
use crate::model::platform::Origin;
use crate::model::reload::Hangup;
use crate::model::signal::Signal;

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) resources: Vec<Spec>,
    pub(super) body: Body,
    pub(super) settings: Settings,
    /// What comes from outside, and when. Never twice at the same time.
    pub(super) outside: Vec<(Duration, Outside)>,
}

/// One resource. Its edges point to earlier ones.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) after: Vec<Id>,
    pub(super) reserve: Duration,
    pub(super) acquire_timeout: Option<Duration>,
    pub(super) drain_timeout: Option<Duration>,
    pub(super) necessity: Necessity,
    pub(super) foundation: bool,
    /// How its reloads end, one after the other and then from the first again. It is declared `reload` if there are any.
    pub(super) reloads: Vec<(Duration, End)>,
    /// How a reload takes to being dropped.
    pub(super) recall: Dying,
    pub(super) acquire: (Duration, End),
    /// How it takes to being cancelled.
    pub(super) cancel: Dying,
    pub(super) tasks: Vec<Task>,
    pub(super) release: (Duration, End),
    /// How it takes to being cut off.
    pub(super) cut: Dying,
    /// How long `abort` takes.
    pub(super) abort: Dying,
    pub(super) abort_panics: bool,
}

/// A supervised task, spawned when the acquisition begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// When it ends by itself, if it does before its notice.
    pub(super) life: Option<(Duration, End)>,
    /// How it ends after its notice, if it does.
    pub(super) drain: Option<(Duration, End)>,
    pub(super) abort: Dying,
    /// How long after it has left the count its end is told.
    pub(super) tells: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Ok,
    Error,
    /// The configuration is wrong; of an acquisition only.
    Misconfigured,
    Panic,
    /// Switched off by configuration; of an acquisition only.
    Skip,
    /// It never ends.
    Hang,
}

/// How something takes to being dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dying {
    AtOnce,
    /// It is in blocking code for so long.
    After(Duration),
    Never,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) listens: bool,
    pub(super) life: Option<(Duration, End)>,
    pub(super) drain: Option<(Duration, End)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Outside {
    Signal(Signal),
    Shutdown,
    Insist,
    Reload,
}

/// No application is larger.
pub(super) const NAMES: [&str; 50] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28", "r29", "r30",
    "r31", "r32", "r33", "r34", "r35", "r36", "r37", "r38", "r39", "r40", "r41", "r42", "r43", "r44", "r45",
    "r46", "r47", "r48", "r49",
];

impl Scenario {
    pub(super) fn plan(&self) -> Graph {
        let steps = self.resources.iter().enumerate().map(|(id, spec)| Step {
            name: NAMES[id],
            after: spec.after.clone(),
            reserve: spec.reserve,
            acquire_timeout: spec.acquire_timeout,
            drain_timeout: spec.drain_timeout,
            necessity: spec.necessity,
            foundation: spec.foundation,
            is_supplied: false,
            reloads: !spec.reloads.is_empty(),
        });
        let main_reserve =
            if self.settings.body == BodyKind::Empty { Duration::ZERO } else { Duration::from_secs(1) };
        let (plan, order) = Graph::new(steps.collect(), main_reserve);
        assert!(
            order.iter().enumerate().all(|(id, position)| id == *position),
            "edges point to earlier resources"
        );
        plan
    }
}

fn ms(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// Mostly quick, sometimes longer than any limit.
fn times() -> impl Strategy<Value = Duration> {
    prop_oneof![4 => ms(0..50), 2 => ms(50..3_000), 1 => ms(3_000..40_000)]
}

fn ends(of_acquisition: bool) -> impl Strategy<Value = (Duration, End)> {
    let rarely = u32::from(of_acquisition);
    let end = prop_oneof![
        24 => Just(End::Ok),
        2 => Just(End::Error),
        1 => Just(End::Panic),
        1 => Just(End::Hang),
        rarely => Just(End::Skip),
        rarely => Just(End::Misconfigured),
    ];
    (times(), end)
}

/// Mostly quick. Whether an instance is there is not for a reload to say.
fn reloads() -> impl Strategy<Value = (Duration, End)> {
    let end =
        prop_oneof![6 => Just(End::Ok), 2 => Just(End::Error), 1 => Just(End::Panic), 1 => Just(End::Hang)];
    (prop_oneof![3 => ms(1..50), 2 => ms(50..3_000), 1 => ms(3_000..10_000)], end)
}

fn dying() -> impl Strategy<Value = Dying> {
    prop_oneof![8 => Just(Dying::AtOnce), 1 => times().prop_map(Dying::After), 1 => Just(Dying::Never)]
}

fn rarely<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    proptest::option::weighted(0.15, strategy)
}

fn tasks() -> impl Strategy<Value = Task> {
    let life = rarely((
        ms(1..20_000),
        prop_oneof![4 => Just(End::Ok), 1 => Just(End::Error), 1 => Just(End::Panic)],
    ));
    let drain = proptest::option::weighted(
        0.9,
        (times(), prop_oneof![10 => Just(End::Ok), 1 => Just(End::Error), 1 => Just(End::Panic)]),
    );
    let tells = prop_oneof![3 => Just(Duration::ZERO), 1 => ms(1..5)];
    (life, drain, dying(), tells).prop_map(|(life, drain, abort, tells)| Task { life, drain, abort, tells })
}

fn necessities() -> impl Strategy<Value = Necessity> {
    prop_oneof![
        15 => Just(Necessity::Required),
        3 => Just(Necessity::Optional),
        2 => Just(Necessity::Skippable),
    ]
}

fn specs() -> impl Strategy<Value = (Spec, Vec<prop::sample::Index>)> {
    let edges = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let flags = (necessities(), prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    let limits = (
        prop_oneof![3 => Just(Duration::from_secs(1)), 1 => ms(0..6_000)],
        rarely(ms(1..5_000)),
        rarely(ms(0..5_000)),
    );
    let reloads = (prop::collection::vec(reloads(), 0..3), dying());
    let hooks = (ends(true), dying(), prop::collection::vec(tasks(), 0..3), ends(false), dying(), dying());
    (flags, limits, (hooks, reloads), edges).prop_map(|(flags, limits, (hooks, reloads), edges)| {
        let (necessity, foundation, abort_panics) = flags;
        let (reserve, acquire_timeout, drain_timeout) = limits;
        let (acquire, cancel, tasks, release, cut, abort) = hooks;
        let (reloads, recall) = reloads;
        let after = Vec::new();
        let spec = Spec {
            after,
            reserve,
            acquire_timeout,
            drain_timeout,
            necessity,
            foundation,
            reloads,
            recall,
            acquire,
            cancel,
            tasks,
            release,
            cut,
            abort,
            abort_panics,
        };
        (spec, edges)
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let timeout = prop_oneof![3 => Just(Duration::from_secs(25)), 1 => ms(1..20_000)];
    let startup = prop_oneof![3 => Just(Some(Duration::from_secs(60))), 1 => ms(1..9_000).prop_map(Some), 1 => Just(None)];
    let delay = prop_oneof![2 => Just(Duration::ZERO), 1 => ms(0..10_000)];
    let body =
        prop_oneof![2 => Just(BodyKind::Empty), 2 => Just(BodyKind::Written), 1 => Just(BodyKind::Host)];
    let hangup = prop_oneof![3 => Just(Hangup::Reload), 1 => Just(Hangup::Stop), 1 => Just(Hangup::Ignore)];
    (timeout, startup, delay, body, any::<bool>(), hangup).prop_map(
        |(shutdown_timeout, startup_timeout, drain_delay, body, at_terminal, hangup)| Settings {
            shutdown_timeout,
            timeout_origin: Origin::Default,
            startup_timeout,
            drain_delay: Delay::Given(drain_delay),
            body,
            ending: Ending::Process,
            hangup,
            at_terminal,
            serves: false,
            probe: None,
            left_out: Vec::new(),
            warnings: Vec::new(),
        },
    )
}

fn outside() -> impl Strategy<Value = Outside> {
    let signal = select(vec![Signal::Terminate, Signal::Interrupt, Signal::Quit, Signal::Hangup]);
    prop_oneof![6 => signal.prop_map(Outside::Signal), 1 => Just(Outside::Shutdown), 1 => Just(Outside::Insist)]
}

/// Applications of up to `most` resources.
pub(super) fn scenarios(most: usize) -> impl Strategy<Value = Scenario> {
    let resources = prop::collection::vec(specs(), 0..=most);
    let first = prop_oneof![2 => ms(1..100), 2 => ms(100..30_000)];
    let later = prop_oneof![1 => ms(1..600), 2 => ms(600..9_000)];
    let outside = prop::collection::vec((later, outside()), 0..4);
    let life = rarely((
        ms(1..20_000),
        prop_oneof![3 => Just(End::Ok), 1 => Just(End::Error), 1 => Just(End::Panic)],
    ));
    let drain = proptest::option::weighted(0.9, (times(), Just(End::Ok)));
    let body = (any::<bool>(), life, drain).prop_map(|(listens, life, drain)| Body { listens, life, drain });
    let asks = prop_oneof![Just(Outside::Reload), Just(Outside::Signal(Signal::Hangup))];
    let asks = prop::collection::vec((prop_oneof![ms(1..3_000), ms(3_000..40_000)], asks), 0..5);
    let outside = (first, outside, asks);
    (resources, body, settings(), outside).prop_map(|(drawn, body, settings, (first, later, asks))| {
        let mut resources: Vec<Spec> = Vec::new();
        for (mut spec, edges) in drawn {
            // A foundation may come after foundations only, and the compiler sees to that.
            let candidates: Vec<Id> =
                (0..resources.len()).filter(|&id| !spec.foundation || resources[id].foundation).collect();
            if !candidates.is_empty() {
                spec.after = edges.iter().map(|edge| *edge.get(&candidates)).collect();
            }
            resources.push(spec);
        }
        // Foundations first, so that the plan keeps the order.
        let resources = foundations_first(&resources);
        let mut at = first;
        let mut outside = vec![(at, Outside::Signal(Signal::Terminate))];
        for (gap, what) in later {
            at += gap;
            outside.push((at, what));
        }
        outside.extend(asks);
        outside.sort_by_key(|(at, _)| *at);
        outside.dedup_by_key(|(at, _)| *at);
        Scenario { resources, body, settings, outside }
    })
}

fn foundations_first(resources: &[Spec]) -> Vec<Spec> {
    let (foundations, others): (Vec<Id>, Vec<Id>) =
        (0..resources.len()).partition(|&id| resources[id].foundation);
    let order: Vec<Id> = foundations.into_iter().chain(others).collect();
    let place = |id: Id| order.iter().position(|&other| other == id).expect("it is in the order");
    order
        .iter()
        .map(|&id| Spec {
            after: resources[id].after.iter().map(|&after| place(after)).collect(),
            ..resources[id].clone()
        })
        .collect()
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.settings)?;
        writeln!(f, "body: {:?}", self.body)?;
        for (id, spec) in self.resources.iter().enumerate() {
            writeln!(f, "r{id}: {spec:?}")?;
        }
        for (at, what) in &self.outside {
            writeln!(f, "{at:?}: {what:?}")?;
        }
        Ok(())
    }
}
