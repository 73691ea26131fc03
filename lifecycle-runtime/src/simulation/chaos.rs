//! Events in any order, also those that no driver would send: every state answers every event.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::scenario::{Scenario, scenarios};
use crate::engine::Engine;
use crate::engine::command::Command;
use crate::engine::event::{BodyEnd, Cut, Event, Rest, TaskEnd, TaskKind};
use crate::error::{Cause, Panic};
use crate::phase::Signal;

/// One event, drawn: which, of which resource, and how long after the one before.
type Drawn = (u8, Index, u64);

fn event((which, id, _): Drawn, scenario: &Scenario) -> Event {
    let main = scenario.resources.len();
    let any = id.index(main + 1);
    let task = id.index(8) as u64;
    // The engine is told of resources by their own number, never by another: there may be none but `main`.
    let resource = if main == 0 { return Event::Tick } else { id.index(main) };
    let error = || Cause::Error("it broke".into());
    match which % 29 {
        0 => Event::Acquired(resource),
        1 => Event::AcquireFailed(resource, error()),
        2 => Event::AcquireFailed(resource, Cause::Panic(Panic::new(&"it broke"))),
        3 => Event::AcquireSkipped(resource),
        4 => Event::AcquireDropped(resource),
        5 => Event::TaskStarted { task, owner: resource, name: "t".to_owned(), kind: TaskKind::Supervised },
        6 => Event::TaskStarted { task, owner: resource, name: "t".to_owned(), kind: TaskKind::Background },
        7 => Event::TaskEnded(task, TaskEnd::Done, Rest::Unknown),
        8 => Event::TaskEnded(task, TaskEnd::Failed(error()), Rest::Drained),
        9 => Event::TaskEnded(task, TaskEnd::Dropped, Rest::Drained),
        10 => Event::DrainBegan(any, 0),
        11 => Event::DrainBegan(any, 2),
        12 => Event::Drained(any),
        13 => Event::Cut(any, Cut { in_flight: 2, excused: 1 }),
        14 => Event::Released(resource, Ok(())),
        15 => Event::Released(resource, Err(error())),
        16 => Event::Aborted(resource, Ok(())),
        17 => Event::Aborted(resource, Err(error())),
        18 => Event::BodyListens,
        19 => Event::BodyEnded(BodyEnd::Done, Rest::Drained),
        20 => Event::BodyEnded(BodyEnd::Failed(error()), Rest::Unknown),
        21 => Event::Signal(Signal::Terminate),
        22 => Event::Signal(Signal::Interrupt),
        23 => Event::Shutdown("test".to_owned()),
        24 => Event::Insist,
        25 => Event::Failed(error()),
        26 => Event::ReleaseDropped(resource),
        27 => Event::Serves,
        _ => Event::OwnerDropped,
    }
}

/// Tells the engine all that was drawn, then lets time pass until it is over.
fn run(scenario: &Scenario, drawn: &[Drawn]) -> Result<(), String> {
    let mut engine = Engine::new(scenario.plan(), scenario.settings.clone());
    let mut now = Duration::ZERO;
    let mut ends = 0;
    let mut tell = |engine: &mut Engine, now, event| {
        for command in engine.handle(now, event) {
            ends += usize::from(matches!(command, Command::End | Command::Exit(_)));
        }
    };
    tell(&mut engine, now, Event::Start);
    for &drawn in drawn {
        now += Duration::from_millis(drawn.2);
        tell(&mut engine, now, event(drawn, scenario));
        let _ = engine.report().to_string();
    }
    tell(&mut engine, now, Event::Insist);
    // Turns that nobody ever answers for are what the watchdog is there for; everything else ends by itself.
    for id in scenario.plan().all().rev() {
        tell(&mut engine, now, Event::DrainBegan(id, 1));
    }
    let mut wakes = 0;
    while let Some(at) = engine.next_wake() {
        now = now.max(at);
        tell(&mut engine, now, Event::Tick);
        for id in scenario.plan().all().rev() {
            tell(&mut engine, now, Event::DrainBegan(id, 1));
        }
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
