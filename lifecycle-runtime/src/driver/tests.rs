//! Supervised tasks whose beginning waits, on several threads. Nobody listens here, so that it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Driver, Parts, Seat, Timing};
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::settings::{BodyKind, Delay, Ending, Settings};
use crate::model::graph::Graph;
use crate::model::platform::Origin;
use crate::model::reload::Hangup;

/// An application without resources or a body. It lives for the tasks of the seat.
fn seat() -> Seat {
    let settings = Settings {
        shutdown_timeout: Duration::from_secs(60 * 60),
        timeout_origin: Origin::Default,
        startup_timeout: None,
        drain_delay: Delay::Given(Duration::ZERO),
        body: BodyKind::Empty,
        ending: Ending::Application,
        hangup: Hangup::Ignore,
        at_terminal: false,
        serves: false,
        probe: None,
        left_out: Vec::new(),
        warnings: Vec::new(),
    };
    let (plan, _) = Graph::new(Vec::new(), Duration::ZERO);
    let driver = Driver::new(Parts {
        engine: Engine::new(Arc::new(plan), settings),
        hooks: Vec::new(),
        supplied: Vec::new(),
        runtime: Handle::current(),
        timing: Timing::Thread,
        watchdog: None,
        exit_of_main: None,
        concludes_itself: false,
        record: None,
        keepers: Vec::new(),
        #[cfg(feature = "testing")]
        kit: None,
    });
    driver.main_seat()
}

impl Seat {
    /// Spawns a task that lives until the sender is dropped.
    fn spawn_waiting(&self, name: &str) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.spawn_supervised(name, async {
            let _ = receiver.await;
            Ok(())
        });
        sender
    }

    fn names_of_tasks(&self) -> Vec<String> {
        self.driver.status().main.tasks.iter().map(ToString::to_string).collect()
    }

    fn has_ended(&self) -> bool {
        self.driver.milestones.ended.is_raised()
    }
}

/// D9, D11: whoever looks finds the name of every task that has not ended.
#[tokio::test]
async fn the_names_of_tasks_are_there_whenever_somebody_looks() {
    let seat = seat();
    let first = seat.spawn_waiting("first");
    seat.send(Event::Start);
    let others = ["second", "third", "fourth"].map(|name| seat.spawn_waiting(name));
    assert_eq!(seat.names_of_tasks(), ["first", "second", "third", "fourth"]);
    let [second, third, fourth] = others;
    let fifth = seat.spawn_waiting("fifth");
    drop((second, fourth, fifth));
    while seat.units().in_flight() > 2 {
        yield_now().await;
    }
    assert_eq!(seat.names_of_tasks(), ["first", "third"]);
    drop((first, third));
    seat.driver.milestones.ended.raised().await;
}

/// R1: nobody looks, and the engine hears of no task but the first.
#[tokio::test]
async fn a_task_that_ends_well_beside_another_is_not_told_of() {
    let seat = seat();
    let first = seat.spawn_waiting("first");
    seat.send(Event::Start);
    let looked = || super::lock(&seat.driver.core).looked;
    let mut untold = 0;
    for _ in 0..100 {
        let before = looked();
        drop(seat.spawn_waiting("short"));
        while seat.units().in_flight() > 1 {
            yield_now().await;
        }
        untold += u32::from(looked() == before);
    }
    // On a slow machine, the time may have come for something else.
    assert!(untold > 0, "the engine looked at each");
    assert!(!seat.has_ended());
    drop(first);
    seat.driver.milestones.ended.raised().await;
}

/// R1: a failure is told, whatever waits.
#[tokio::test]
async fn a_task_that_fails_beside_others_ends_the_application() {
    let seat = seat();
    let first = seat.spawn_waiting("first");
    seat.send(Event::Start);
    let second = seat.spawn_waiting("second");
    seat.spawn_supervised("third", async { Err("it broke".into()) });
    seat.driver.milestones.draining.raised().await;
    drop((first, second));
    seat.driver.milestones.ended.raised().await;
    let report = seat.driver.plain_report();
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(matches!(&failures[..], [failure] if failure.contains("task `third`")), "{failures:?}");
}

/// R1: tasks spawn others and end, on several threads. One is alive at any moment until the last has ended, which ends
/// the application.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_last_of_many_short_tasks_ends_the_application() {
    const LENGTH: usize = 50;

    fn hand_on(seat: &Seat, left: usize, done: &Arc<AtomicUsize>) {
        let (next, counted) = (seat.clone(), Arc::clone(done));
        seat.spawn_supervised("link", async move {
            assert!(!next.has_ended(), "a task of it is alive");
            if left > 0 {
                let aside = Arc::clone(&counted);
                next.spawn_supervised("aside", async move {
                    aside.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
                hand_on(&next, left - 1, &counted);
            }
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
    }

    for _ in 0..300 {
        let (seat, done) = (seat(), Arc::default());
        hand_on(&seat, LENGTH, &done);
        hand_on(&seat, LENGTH, &done);
        seat.send(Event::Start);
        seat.driver.milestones.ended.raised().await;
        assert_eq!(done.load(Ordering::Relaxed), 2 * (2 * LENGTH + 1));
        let report = seat.driver.plain_report();
        assert!(report.failures.is_empty(), "{report}");
    }
}
