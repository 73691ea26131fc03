//! Which applications are explored, and how far: wide for the small ones, and narrow for the large ones.

use super::application::{Application, Bounds, Outside, Spawning, Spec, ms, plain, quick};
use crate::engine::event::TaskKind;
use crate::engine::settings::{BodyKind, Delay, Ending, Settings};
use crate::model::graph::{Id, Necessity::*};
use crate::model::reload::Hangup;
use crate::model::signal::Signal;

const TERM: Outside = Outside::Signal(Signal::Terminate);
const INT: Outside = Outside::Signal(Signal::Interrupt);
const BODIES: [BodyKind; 3] = [BodyKind::Empty, BodyKind::Written, BodyKind::Host];

/// Everything that can come from outside; the other signals mean the same as these.
fn everything() -> Vec<Outside> {
    let other = [
        Outside::Shutdown,
        Outside::Insist,
        Outside::OwnerDropped,
        Outside::PreStop,
        Outside::Fail,
        Outside::Serves,
    ];
    [TERM, INT].into_iter().chain(other).collect()
}

fn supervised(count: usize) -> Vec<TaskKind> {
    vec![TaskKind::Supervised; count]
}

/// One resource: all that can be said of it, and nearly all that can happen to it.
pub(super) fn one() -> Vec<Application> {
    let mut apps = Vec::new();
    let wide = Bounds {
        outside: 1,
        from_outside: everything(),
        faults: 1,
        pauses: 1,
        leftovers: true,
        ..Bounds::default()
    };
    let foundation = || Spec { foundation: true, ..plain(&[]) };
    let kinds = [
        plain(&[]),
        Spec { necessity: Optional, ..plain(&[]) },
        Spec { necessity: Skippable, ..plain(&[]) },
        foundation(),
        Spec { necessity: Optional, ..foundation() },
        Spec { necessity: Skippable, ..foundation() },
        Spec { is_supplied: true, ..plain(&[]) },
        Spec { is_supplied: true, ..foundation() },
    ];
    for body in BODIES {
        for kind in &kinds {
            for tasks in 0..=1 {
                if tasks > 0 && kind.is_supplied {
                    continue;
                }
                let spec = Spec { tasks: supervised(tasks), ..kind.clone() };
                apps.push(app([spec], quick(body), &wide));
            }
        }
    }
    // Every fault by itself, and whatever comes, comes at the time of a limit or before.
    let every_fault =
        Bounds { every_fault: true, at_limits: true, from_outside: vec![TERM], pauses: 0, ..wide.clone() };
    for necessity in [Required, Skippable, Optional] {
        let spec = Spec { necessity, tasks: supervised(1), acquire_timeout: Some(ms(900)), ..plain(&[]) };
        apps.push(app([spec], quick(BodyKind::Written), &every_fault));
    }
    // Two signals and one more, and the end of the process.
    let insisting =
        Bounds { outside: 3, from_outside: vec![TERM, INT], faults: 0, pauses: 3, ..wide.clone() };
    let process = |body| Settings { ending: Ending::Process, ..quick(body) };
    for body in BODIES {
        apps.push(app([Spec { tasks: supervised(1), ..plain(&[]) }], process(body), &insisting));
    }
    // A delay, for whatever reason, and what ends it.
    let delayed = Bounds { outside: 2, limits: Some(3), leftovers: false, ..wide.clone() };
    for (delay, at_terminal) in [(Delay::Given(ms(700)), true), (Delay::IfServing(ms(700)), false)] {
        let settings = Settings { drain_delay: delay, at_terminal, ..quick(BodyKind::Host) };
        apps.push(app([Spec { tasks: supervised(1), ..plain(&[]) }], settings, &delayed));
    }
    // Tasks and guards that come and go at any time, two steps each.
    let busy = Bounds { outside: 1, from_outside: vec![TERM, Outside::Insist], pauses: 0, ..wide.clone() };
    for necessity in [Required, Optional] {
        let free = Spec { spawning: Spawning::AnyTime, necessity, ..plain(&[]) };
        let kinds = vec![TaskKind::Supervised, TaskKind::Background];
        apps.push(app([Spec { tasks: kinds, ..free.clone() }], quick(BodyKind::Empty), &busy));
        let drain_timeout = Some(ms(300));
        let guarded = Spec { tasks: supervised(1), guards: 1, drain_timeout, ..free.clone() };
        apps.push(app([guarded], quick(BodyKind::Empty), &busy));
        apps.push(app([Spec { guards: 2, is_excused: true, ..free }], quick(BodyKind::Host), &busy));
    }
    // Errors that hold a guard.
    let holding = Spec { tasks: supervised(2), errors_hold: Some(0), guards: 1, ..plain(&[]) };
    apps.push(app([holding], quick(BodyKind::Host), &Bounds { limits: Some(2), faults: 2, ..busy }));
    // A process that is frozen. Then the progress is due, and lasts longer than the deadline.
    let frozen = Bounds { freezes: 1, from_outside: vec![TERM], pauses: 0, ..wide };
    let slow = Settings { shutdown_timeout: ms(12_000), startup_timeout: None, ..quick(BodyKind::Written) };
    apps.push(app([Spec { tasks: supervised(1), ..plain(&[]) }], slow, &frozen));
    apps
}

/// Resources that reload, with a stop at any time.
pub(super) fn reloading() -> Vec<Application> {
    const HUP: Outside = Outside::Signal(Signal::Hangup);
    let mut apps = Vec::new();
    let reloading = |spec: Spec| Spec { reloads: true, ..spec };
    let settings = |body| Settings { hangup: Hangup::Reload, ..quick(body) };
    let wide = Bounds {
        outside: 3,
        from_outside: vec![TERM, HUP, Outside::Reload],
        faults: 1,
        limits: Some(2),
        ..Bounds::default()
    };
    let own_limit = Spec { acquire_timeout: Some(ms(900)), ..plain(&[]) };
    let kinds = [
        plain(&[]),
        own_limit,
        Spec { necessity: Optional, ..plain(&[]) },
        Spec { is_supplied: true, ..plain(&[]) },
    ];
    for body in BODIES {
        for kind in &kinds {
            apps.push(app([reloading(kind.clone())], settings(body), &wide));
        }
        let busy = Spec { tasks: supervised(1), ..plain(&[]) };
        apps.push(app([reloading(busy)], settings(body), &wide));
    }
    // Every fault by itself, at the time of a limit too, and what a stop leaves behind.
    let every_fault =
        Bounds { every_fault: true, at_limits: true, leftovers: true, outside: 2, ..wide.clone() };
    apps.push(app([reloading(plain(&[]))], settings(BodyKind::Host), &every_fault));
    // What the program handles itself, and what asks for a stop.
    for hangup in [Hangup::Ignore, Hangup::Stop] {
        let settings = Settings { hangup, ..quick(BodyKind::Host) };
        apps.push(app([reloading(plain(&[]))], settings, &wide));
    }
    // Nothing reloads.
    apps.push(app([plain(&[])], settings(BodyKind::Host), &wide));
    let narrow = Bounds { outside: 2, limits: Some(1), ..wide.clone() };
    for graph in graphs(2) {
        for first in [true, false] {
            let mut specs = plain_ones(&graph);
            specs[0].reloads = first;
            specs[1].reloads = true;
            apps.push(app(specs.clone(), settings(BodyKind::Host), &narrow));
            specs[0].necessity = Optional;
            apps.push(app(specs, settings(BodyKind::Host), &narrow));
        }
    }
    let chain = [plain(&[]), plain(&[0]), plain(&[1])].map(reloading);
    apps.push(app(chain, settings(BodyKind::Host), &narrow));
    apps
}

/// Two resources, one after the other or beside it.
pub(super) fn two() -> Vec<Application> {
    let mut apps = Vec::new();
    let narrow =
        Bounds { outside: 1, from_outside: vec![TERM, INT], faults: 1, limits: Some(2), ..Bounds::default() };
    let wide = Bounds { outside: 2, pauses: 1, ..narrow.clone() };
    for graph in graphs(2) {
        for variant in variants(&graph).into_iter().chain(skippable(&graph)) {
            for body in BODIES {
                let tasks = |counts: [usize; 2]| {
                    let with = |(spec, count): (&Spec, usize)| Spec {
                        tasks: supervised(if spec.is_supplied { 0 } else { count }),
                        ..spec.clone()
                    };
                    variant.iter().zip(counts).map(with).collect::<Vec<Spec>>()
                };
                apps.push(app(tasks([0, 0]), quick(body), &wide));
                apps.push(app(tasks([1, 0]), quick(body), &narrow));
                apps.push(app(tasks([0, 1]), quick(body), &narrow));
                apps.push(app(tasks([1, 1]), quick(body), &Bounds { limits: Some(1), ..narrow.clone() }));
            }
        }
        // An error of one that holds a guard of the other.
        let mut specs = plain_ones(&graph);
        specs[1] = Spec { tasks: supervised(1), errors_hold: Some(0), ..specs[1].clone() };
        apps.push(app(specs, quick(BodyKind::Host), &narrow));
    }
    for graph in graphs(2) {
        // Everything from outside, a guard, and events at the very time of a limit.
        let specs = plain_ones(&graph);
        let everything = Bounds { from_outside: everything(), faults: 0, pauses: 1, ..narrow.clone() };
        apps.push(app(specs.clone(), quick(BodyKind::Written), &everything));
        apps.push(app(specs.clone(), quick(BodyKind::Host), &Bounds { at_limits: true, ..narrow.clone() }));
        for id in 0..2 {
            let mut guarded = specs.clone();
            guarded[id].guards = 1;
            apps.push(app(guarded, quick(BodyKind::Host), &narrow));
        }
    }
    apps
}

/// Three resources in every order.
pub(super) fn three() -> Vec<Application> {
    let mut apps = Vec::new();
    let signal = Bounds { outside: 1, from_outside: vec![TERM], limits: Some(1), ..Bounds::default() };
    let fault = Bounds { faults: 1, limits: Some(0), ..signal.clone() };
    let both = Bounds { faults: 1, ..signal.clone() };
    let hurried = Bounds { outside: 2, from_outside: vec![TERM, INT], pauses: 1, ..both.clone() };
    for graph in graphs(3) {
        for specs in variants(&graph) {
            apps.push(app(specs.clone(), quick(BodyKind::Host), &both));
            for id in (0..3).filter(|&id| !specs[id].is_supplied) {
                let mut busy = specs.clone();
                busy[id].tasks = supervised(1);
                apps.push(app(busy.clone(), quick(BodyKind::Empty), &signal));
                apps.push(app(busy, quick(BodyKind::Host), &fault));
            }
        }
        let specs = plain_ones(&graph);
        let two_faults = Bounds { outside: 0, faults: 2, ..signal.clone() };
        apps.push(app(specs.clone(), quick(BodyKind::Written), &two_faults));
        apps.push(app(specs.clone(), quick(BodyKind::Host), &hurried));
        let patient = Bounds { from_outside: vec![TERM, INT], limits: Some(3), ..signal.clone() };
        apps.push(app(specs.clone(), quick(BodyKind::Host), &patient));
        let busy: Vec<Spec> = specs.into_iter().map(|spec| Spec { tasks: supervised(1), ..spec }).collect();
        apps.push(app(busy, quick(BodyKind::Empty), &Bounds { limits: Some(0), ..signal.clone() }));
    }
    apps
}

/// The shapes of four that matter.
pub(super) fn four() -> Vec<Application> {
    let mut apps = Vec::new();
    let shapes: [[&[Id]; 4]; 4] = [
        // A chain, a diamond, a fan-in and a fan-out.
        [&[], &[0], &[1], &[2]],
        [&[], &[0], &[0], &[1, 2]],
        [&[], &[], &[], &[0, 1, 2]],
        [&[], &[0], &[0], &[0]],
    ];
    let signal = Bounds { outside: 1, from_outside: vec![TERM], limits: Some(1), ..Bounds::default() };
    let fault = Bounds { outside: 0, faults: 1, ..signal.clone() };
    let both = Bounds { faults: 1, limits: Some(0), ..signal.clone() };
    for shape in shapes {
        let graph: Vec<Vec<Id>> = shape.iter().map(|after| after.to_vec()).collect();
        for specs in variants(&graph) {
            apps.push(app(specs.clone(), quick(BodyKind::Host), &signal));
            apps.push(app(specs.clone(), quick(BodyKind::Host), &both));
        }
        let hurried = Bounds { outside: 2, from_outside: vec![TERM, INT], pauses: 1, ..signal.clone() };
        apps.push(app(plain_ones(&graph), quick(BodyKind::Host), &hurried));
        for id in 0..4 {
            let mut busy = plain_ones(&graph);
            busy[id].tasks = supervised(1);
            apps.push(app(busy.clone(), quick(BodyKind::Empty), &signal));
            busy[id].necessity = Optional;
            apps.push(app(busy, quick(BodyKind::Empty), &fault));
        }
    }
    apps
}

fn plain_ones(graph: &[Vec<Id>]) -> Vec<Spec> {
    graph.iter().map(|after| plain(after)).collect()
}

fn app(resources: impl Into<Vec<Spec>>, settings: Settings, bounds: &Bounds) -> Application {
    Application { resources: resources.into(), settings, bounds: bounds.clone() }
}

/// Every graph of so many: for each the list of what it comes after.
fn graphs(count: usize) -> Vec<Vec<Vec<Id>>> {
    let pairs: Vec<(Id, Id)> = (0..count).flat_map(|to| (0..to).map(move |from| (from, to))).collect();
    let graph = |chosen: u32| {
        let mut after = vec![Vec::new(); count];
        for (bit, &(from, to)) in pairs.iter().enumerate() {
            if chosen & 1 << bit != 0 {
                after[to].push(from);
            }
        }
        after
    };
    (0..1 << pairs.len()).map(graph).collect()
}

/// A graph of plain resources, with one of them skippable.
fn skippable(graph: &[Vec<Id>]) -> impl Iterator<Item = Vec<Spec>> {
    let specs = plain_ones(graph);
    (0..specs.len()).map(move |id| {
        let mut specs = specs.clone();
        specs[id].necessity = Skippable;
        specs
    })
}

/// A graph of plain resources, and with one of them optional, supplied or a foundation.
fn variants(graph: &[Vec<Id>]) -> Vec<Vec<Spec>> {
    let specs = plain_ones(graph);
    let mut variants = vec![specs.clone()];
    for id in 0..specs.len() {
        let with = |spec: Spec| {
            let mut specs = specs.clone();
            specs[id] = spec;
            specs
        };
        variants.push(with(Spec { necessity: Optional, ..specs[id].clone() }));
        variants.push(with(Spec { is_supplied: true, after: Vec::new(), ..specs[id].clone() }));
        // The plan puts foundations first.
        if id == 0 {
            variants.push(with(Spec { foundation: true, ..specs[id].clone() }));
            variants.push(with(Spec { foundation: true, necessity: Optional, ..specs[id].clone() }));
        }
    }
    variants
}
