//! The test kit's `for_every_point`: it finds what is not cancel safe, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use lifecycle::testing::{Points, World, for_every_point, for_every_point_in_parallel};
use lifecycle::{Acquire, App, Release, Resource, Result, Stopping, Tasks, resource};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::stage::{ms, secs};

/// What a shop keeps where a crash does not reach it.
#[derive(Default)]
struct Kept {
    orders: Vec<u32>,
    delivered: Vec<u32>,
    is_locked: bool,
}

/// What differs between shops that are right and wrong.
#[derive(Clone, Copy, Default)]
struct Habits {
    /// Takes an order out of the book before it is delivered.
    takes_out_first: bool,
    /// Unlocks the door in its release, and not in its abort.
    forgets_to_unlock: bool,
    /// Thanks for an order before it is in the book.
    thanks_first: bool,
}

#[resource]
#[derive(Clone, Default)]
struct Shop {
    kept: Arc<Mutex<Kept>>,
    habits: Habits,
}

impl Resource for Shop {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self::default())
    }
}

#[resource(after = Shop)]
struct Door(Arc<Shop>);

impl Resource for Door {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let shop = cx.get::<Shop>();
        yield_now().await;
        shop.kept.lock().unwrap().is_locked = true;
        Ok(Self(shop))
    }

    async fn release(&self, _: &Release) -> Result {
        sleep(ms(10)).await;
        self.0.kept.lock().unwrap().is_locked = false;
        Ok(())
    }

    fn abort(&self) {
        if !self.0.habits.forgets_to_unlock {
            self.0.kept.lock().unwrap().is_locked = false;
        }
    }
}

#[resource(after = [Door, Shop])]
struct Courier;

impl Resource for Courier {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let shop = cx.get::<Shop>();
        cx.spawn("deliver", |stopping| deliver(shop, stopping));
        Ok(Self)
    }
}

async fn deliver(shop: Arc<Shop>, stopping: Stopping) {
    while stopping.run_until(sleep(ms(100))).await.is_some() {
        let order = {
            let orders = &mut shop.kept.lock().unwrap().orders;
            let order = orders.last().copied();
            if shop.habits.takes_out_first {
                orders.pop();
            }
            order
        };
        let Some(order) = order else { continue };
        sleep(secs(1)).await;
        let mut kept = shop.kept.lock().unwrap();
        kept.delivered.push(order);
        kept.orders.retain(|it| *it != order);
    }
}

#[resource(after = [Courier, Shop])]
struct Counter {
    shop: Arc<Shop>,
    tasks: Tasks,
}

impl Resource for Counter {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        Ok(Self { shop: cx.get::<Shop>(), tasks: cx.tasks() })
    }
}

impl Counter {
    /// Whether the customer was thanked.
    async fn order(&self, number: u32) -> bool {
        let (thanks, thanked) = oneshot::channel();
        let shop = Arc::clone(&self.shop);
        self.tasks.spawn(async move {
            let mut thanks = Some(thanks);
            let mut thank = || thanks.take().map(|thanks| thanks.send(()));
            if shop.habits.thanks_first {
                let _ = thank();
            }
            sleep(ms(50)).await;
            shop.kept.lock().unwrap().orders.push(number);
            let _ = thank();
        });
        thanked.await.is_ok()
    }
}

/// A day of the shop, and what has to hold at its end.
fn try_shop(habits: Habits) -> Points {
    for_every_point(async |world: World| a_day(world, habits).await)
}

async fn a_day(world: World, habits: Habits) {
    let shop = Shop { kept: Arc::default(), habits };
    let app = App::builder().resources::<Counter>().supply(shop.clone());
    let mut thanked = Vec::new();
    let _ended = world
        .run(app, async |app| {
            for number in 1..=2 {
                let Some(counter) = app.try_get::<Counter>() else { return };
                if counter.order(number).await {
                    thanked.push(number);
                }
            }
            sleep(secs(3)).await;
        })
        .await;
    let kept = shop.kept.lock().unwrap();
    assert!(!kept.is_locked, "the door is locked");
    for number in thanked {
        let is_known = kept.orders.contains(&number) || kept.delivered.contains(&number);
        assert!(is_known, "order {number} is lost");
    }
}

#[track_caller]
fn words_of(try_it: impl FnOnce() -> Points) -> String {
    let payload = catch_unwind(AssertUnwindSafe(try_it)).expect_err("something is found");
    *payload.downcast::<String>().expect("the words were put together")
}

#[test]
fn what_is_right_passes_every_point() {
    let points = try_shop(Habits::default());
    assert!(points.unreached.is_empty() && points.capped.is_empty(), "{points:?}");
    let tried: Vec<String> = points.tried.iter().map(ToString::to_string).collect();
    for point in [
        "`Door`, `acquire`, stopped at its 1st await by an error",
        "`Door`, `release`, stopped at its 1st await by a hang",
        "`Courier`, task `deliver`, stopped at its 2nd await by a signal",
        "`Counter`, a task of `tasks()` (the 2nd one), stopped at its 1st await by a panic",
    ] {
        assert!(tried.contains(&point.to_owned()), "{point} is missing in {tried:#?}");
    }
    let jobs_with_errors = tried.iter().filter(|it| it.contains("tasks()") && it.ends_with("an error"));
    assert_eq!(jobs_with_errors.count(), 0, "such a task has no error");
}

#[test]
fn a_task_that_takes_work_out_before_it_is_done_is_found() {
    let words = words_of(|| try_shop(Habits { takes_out_first: true, ..Habits::default() }));
    assert!(words.contains("\n`Courier`, task `deliver`, stopped at its 2nd await by a drop:\n"), "{words}");
    assert!(words.contains("  order 1 is lost\n"), "{words}");
    assert!(words.contains("LIFECYCLE_TEST_POINT=\"Courier/task-deliver@2:drop\"\n"), "{words}");
    assert!(!words.contains("`Door`, `"), "{words}");
}

#[test]
fn a_release_that_leaves_a_lock_is_found() {
    let words = words_of(|| try_shop(Habits { forgets_to_unlock: true, ..Habits::default() }));
    for how in ["an error", "a panic", "a hang", "a drop"] {
        let point = format!("\n`Door`, `release`, stopped at its 1st await by {how}:\n");
        assert!(words.contains(&point), "{how}: {words}");
    }
    assert!(!words.contains("1st await by a signal"), "{words}");
    assert!(words.contains("  the door is locked\n"), "{words}");
    // What happened, with the point in it.
    assert!(words.contains(" ms  -- `Door`, `release`, stopped at its 1st await by an error\n"), "{words}");
    assert!(words.contains(" ms  aborting Door\n"), "{words}");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let words = words_of(|| try_shop(Habits { thanks_first: true, ..Habits::default() }));
    assert!(
        words.contains("\n`Counter`, a task of `tasks()`, stopped at its 1st await by a drop:\n"),
        "{words}"
    );
    assert!(!words.contains("by a signal"), "{words}");
}

#[test]
fn several_points_at_a_time_are_the_same_points() {
    let in_parallel = |habits| for_every_point_in_parallel(async |world: World| a_day(world, habits).await);
    let tried = |points: Points| points.tried.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(tried(in_parallel(Habits::default())), tried(try_shop(Habits::default())));
    let wrong = Habits { takes_out_first: true, ..Habits::default() };
    let [one, other] = [words_of(|| in_parallel(wrong)), words_of(|| try_shop(wrong))];
    assert_eq!(one, other, "in the same order, and in the same words");
}

#[resource]
struct Ticking;

impl Resource for Ticking {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn(
            "tick",
            |stopping| async move { while stopping.run_until(sleep(secs(1))).await.is_some() {} },
        );
        Ok(Self)
    }
}

#[test]
fn of_a_long_loop_the_first_awaits_are_tried_and_that_is_said() {
    let points = for_every_point(async |world: World| {
        let app = App::builder().resources::<Ticking>();
        drop(world.run(app, async |_| sleep(secs(100)).await).await);
    });
    assert_eq!(points.tried.len(), 64 * 5);
    assert_eq!(points.capped, ["`Ticking`, task `tick`: the first 64 of 100 awaits"]);
}

/// Nothing would be tried, and the test would pass for ever.
#[test]
fn a_test_without_a_point_is_refused() {
    let words = catch_unwind(|| {
        for_every_point(async |world: World| {
            drop(world.run(App::builder().resources::<()>(), async |_| {}).await);
        })
    });
    let words = words.expect_err("there is none");
    let words = words.downcast_ref::<&str>().expect("the words are constant");
    assert!(words.starts_with("no hook and no task ever waits"), "{words}");
}

#[test]
fn a_test_that_fails_undisturbed_says_so() {
    let words = words_of(|| {
        for_every_point(async |world: World| {
            drop(world.run(App::builder().resources::<Ticking>(), async |_| sleep(secs(1)).await).await);
            assert_eq!(1, 2, "it is wrong anyway");
        })
    });
    assert!(words.starts_with("without a crash, already:\n"), "{words}");
    assert!(words.contains("it is wrong anyway"), "{words}");
    assert!(words.contains(" ms  acquired Ticking\n"), "{words}");
}
