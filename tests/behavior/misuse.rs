//! The test kit, used wrongly: each mistake ends the test at once, and says what to do.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Waker};

use lifecycle::testing::{Event, Fault, Hook, World, block_on, for_every_point};
use lifecycle::{Acquire, App, Builder, Reload, Resource, Result, resource};
use tokio::runtime;
use tokio::time::{Instant, sleep};

use crate::stage::{ms, secs};

#[resource(reload)]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        sleep(ms(100)).await;
        cx.spawn("worker", |stopping| stopping);
        Ok(Self)
    }

    async fn reload(&self, _: &Reload) -> Result {
        Ok(())
    }
}

/// It is not part of the application.
#[resource]
struct Stranger;

impl Resource for Stranger {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }
}

fn jobs() -> Builder {
    App::builder().resources::<Jobs>()
}

#[track_caller]
fn check(mistake: impl FnOnce(), expected: &str) {
    let panic = catch_unwind(AssertUnwindSafe(mistake)).expect_err("it is a mistake");
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let words = words.expect("it has words");
    assert!(words.contains(expected), "no {expected:?} in {words}");
}

#[track_caller]
fn check_run(world: World, expected: &str) {
    check(|| block_on(async { drop(world.run(jobs(), async |_| {}).await) }), expected);
}

#[test]
fn what_is_planned_for_a_resource_that_is_not_there_is_told_with_those_that_are() {
    let missing = "Stranger is not part of the application, which has Jobs";
    check_run(
        World::new().fault::<Stranger>(Hook::Release, Fault::Hang),
        &format!("a fault in `release` of Stranger: {missing}"),
    );
    check_run(
        World::new().when(Event::released::<Stranger>(), |_| {}),
        &format!("something at \"released Stranger\": {missing}"),
    );
    let ended = || block_on(World::new().run(jobs(), async |_| {}));
    check(|| ended().assert_released_before::<Jobs, Stranger>(), "Stranger is not part of the application\n");
}

#[test]
fn a_fault_in_a_task_that_is_not_started_names_those_that_are() {
    check_run(
        World::new().fault::<Jobs>(Hook::task("wroker"), Fault::Hang),
        "a fault in task `wroker` of Jobs: it has started no task of that name, but worker",
    );
}

#[test]
fn a_world_pauses_the_clock_or_says_why_it_cannot() {
    let run = || World::new().run(jobs(), async |_| sleep(secs(3_600)).await);
    let one = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Without a virtual clock, this would take an hour.
    one.block_on(async {
        let began = Instant::now();
        run().await.assert_clean();
        assert!(began.elapsed() >= secs(3_600));
    });
    let several = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    check(
        || drop(several.block_on(run())),
        "the clock of a runtime with several threads cannot be paused: write `#[tokio::test",
    );
    let timeless = runtime::Builder::new_current_thread().build().unwrap();
    check(|| drop(timeless.block_on(run())), "timers are disabled");
    let mut nowhere = Box::pin(run());
    let mut poll = || drop(nowhere.as_mut().poll(&mut Context::from_waker(Waker::noop())));
    check(&mut poll, "a `World` runs on a runtime of tokio, and there is none here: write `#[tokio::test");
}

#[test]
fn a_runtime_within_a_runtime_is_refused() {
    check(|| block_on(async { block_on(async {}) }), "`block_on` makes a runtime, and is called on one");
    let points = || drop(for_every_point(async |world: World| drop(world.run(jobs(), async |_| {}).await)));
    check(|| block_on(async { points() }), "`for_every_point` makes a runtime, and is called on one");
}

#[test]
fn crash_points_of_another_world_are_refused() {
    let elsewhere = async |_: World| drop(World::new().run(jobs(), async |_| {}).await);
    check(|| drop(for_every_point(elsewhere)), "no application has run in the world that the test is given");
}

#[test]
fn reloads_are_events_too() {
    let ended = block_on(World::new().when(Event::reloaded::<Jobs>(), |app| app.shutdown("reloaded")).run(
        jobs(),
        async |app| {
            app.reload().await.unwrap();
            app.stopping().await;
        },
    ));
    ended.assert_in_order([Event::reloading::<Jobs>(), Event::reloaded::<Jobs>(), Event::stopping::<Jobs>()]);
    let ended = block_on(
        World::new()
            .fault::<Jobs>(Hook::Reload, Fault::error("no file"))
            .run(jobs(), async |app| drop(app.reload().await.unwrap_err())),
    );
    assert!(ended.log().contains(&"reload of Jobs failed".to_owned()), "{:?}", ended.log());
}
