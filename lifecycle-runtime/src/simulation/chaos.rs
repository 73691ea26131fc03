//! Events in any order, also those that no driver would send: every state answers every event.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::scenario::{Scenario, scenarios};
use crate::engine::command::{Command, Output};
use crate::engine::event::{BodyEnd, Event, Rest, TaskEnd, TaskKind};
use crate::engine::notice::Cut;
use crate::engine::{Counts, Engine};
use crate::model::failure::Cause;
use crate::model::graph::Id;
use crate::model::signal::Signal;

/// Some resources are busy, and say so whatever happens.
struct Busy;

impl Counts for Busy {
    fn begin_drain(&self, id: Id) -> usize {
        id % 3
    }

    fn in_flight(&self, id: Id) -> Cut {
        Cut { in_flight: id % 3, excused: id % 2 }
    }
}

/// One event, drawn: which, of which resource, and how long after the one before.
type Drawn = (u8, Index, u64);

fn event((which, id, _): Drawn, scenario: &Scenario) -> Event {
    let main = scenario.resources.len();
    let any = id.index(main + 1);
    let task = id.index(8) as u64;
    // The engine is told of resources by their own number, never by another: there may be none but `main`.
    let resource = if main == 0 { return Event::Tick } else { id.index(main) };
    let error = || Cause::Error("it broke".into());
    let started = |kind| Event::TaskStarted { owner: resource, task, name: "t".into(), kind };
    let ended = |end, rest| Event::TaskEnded { owner: resource, task, end, rest };
    match which % 32 {
        0 => Event::Acquired(resource),
        1 => Event::AcquireFailed(resource, error()),
        2 => Event::AcquireFailed(resource, Cause::Panic("it broke".to_owned())),
        3 => Event::AcquireSkipped(resource),
        4 => Event::AcquireDropped(resource),
        5 => started(TaskKind::Supervised),
        6 => started(TaskKind::Background),
        7 => ended(TaskEnd::Done, Rest::Unknown),
        8 => ended(TaskEnd::Failed(error()), Rest::Drained),
        9 => ended(TaskEnd::Dropped, Rest::Drained),
        10 => Event::PreStop,
        11 => Event::Tick,
        12 => Event::Drained(any),
        13 => Event::Released(resource, Ok(())),
        14 => Event::Released(resource, Err(error())),
        15 => Event::Aborted(resource, Ok(())),
        16 => Event::Aborted(resource, Err(error())),
        17 => Event::BodyListens,
        18 => Event::BodyEnded(BodyEnd::Done, Rest::Drained),
        19 => Event::BodyEnded(BodyEnd::Failed(error()), Rest::Unknown),
        20 => Event::Signal(Signal::Terminate),
        21 => Event::Signal(Signal::Interrupt),
        22 => Event::Shutdown("test".to_owned()),
        23 => Event::Insist,
        24 => Event::Failed(error()),
        25 => Event::ReleaseDropped(resource),
        26 => Event::Reload(0),
        27 => Event::Signal(Signal::Hangup),
        28 => Event::Reloaded(resource, Ok(())),
        29 => Event::Reloaded(resource, Err(error())),
        30 => Event::Reloaded(resource, Err(Cause::Lost)),
        _ => Event::OwnerDropped,
    }
}

/// Tells the engine all that was drawn, then lets time pass until it is over.
fn run(scenario: &Scenario, drawn: &[Drawn]) -> Result<(), String> {
    let mut engine = Engine::new(Arc::new(scenario.plan()), scenario.settings.clone());
    let mut now = Duration::ZERO;
    let mut ends = 0;
    let mut tell = |engine: &mut Engine, now, event| {
        engine.handle(now, event, &Busy);
        while let Some(output) = engine.next_output() {
            // One more signal may end a process whose application has ended.
            let is_end = match output {
                Output::Do(Command::End) => true,
                Output::Do(Command::Exit(_)) => ends == 0,
                _ => false,
            };
            ends += usize::from(is_end);
        }
    };
    tell(&mut engine, now, Event::Start);
    for &drawn in drawn {
        now += Duration::from_millis(drawn.2);
        tell(&mut engine, now, event(drawn, scenario));
        let _ = engine.report().to_string();
    }
    tell(&mut engine, now, Event::Insist);
    let mut wakes = 0;
    while let Some(at) = engine.next_wake() {
        now = now.max(at);
        tell(&mut engine, now, Event::Tick);
        wakes += 1;
        if wakes > 10_000 {
            return Err("it goes on and on".to_owned());
        }
    }
    if ends == 1 { Ok(()) } else { Err(format!("it ended {ends} times")) }
}

#[test]
fn every_state_answers_every_event() {
    let events = prop::collection::vec((any::<u8>(), any::<Index>(), 0_u64..2_000), 0..60);
    super::run(super::lifecycles(20_000), (scenarios(6), events), |(scenario, drawn)| {
        run(scenario, drawn).map_err(|why| format!("{why}\n{scenario}{drawn:?}"))
    });
}
