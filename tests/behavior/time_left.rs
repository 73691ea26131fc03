//! Rules D2, D6 and D8: a notice says how much time is left.

use std::time::Duration;

use lifecycle::{Acquire, App, Release, Resource, Result, Signal, Stopping, resource};
use tokio::time::{Instant, sleep};

use crate::stage::{Stage, live, ms, notes, scripted, secs};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db, reserve = "3s")]
    struct Jobs;
    #[resource(after = Db, drain_timeout = "2s")]
    struct Brief;
}

/// Keeps its notices.
#[resource(after = Db, reserve = "3s")]
struct Told {
    turn: Stopping,
    stop: Stopping,
}

impl Resource for Told {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("worker", async |stopping: Stopping| {
            stopping.await;
            sleep(secs(1_000)).await;
        });
        Ok(Self { turn: cx.stopping(), stop: cx.draining() })
    }

    async fn release(&self, cx: &Release) -> Result {
        assert_eq!(self.turn.time_left(), Some(Duration::ZERO), "{:?}", cx.remaining());
        Ok(())
    }
}

/// Starts `Told`, and hands out its notices.
async fn start(stage: &Stage, drain_delay: Duration) -> (App, Stopping, Stopping) {
    let app = stage.builder::<Told>().drain_delay(drain_delay).start().await.unwrap();
    let told = app.get::<Told>();
    (app, told.turn.clone(), told.stop.clone())
}

/// D2, D6: `Db` has a reserve of 1 s, so that `Told` is cut off after 24 s; half of its reserve is left to abort tasks.
#[tokio::test(start_paused = true)]
async fn a_notice_says_when_tasks_are_aborted_once_it_has_fired() {
    let stage = Stage::new();
    let (app, turn, stop) = start(&stage, secs(5)).await;
    let _report = live(app, async |app| {
        sleep(secs(10)).await;
        assert_eq!((turn.deadline(), turn.time_left()), (None, None));
        assert_eq!((stop.deadline(), stop.time_left()), (None, None));
        app.shutdown("the test is over");
        let began = Instant::now();
        assert_eq!((stop.deadline(), stop.time_left()), (Some(began + secs(25)), Some(secs(25))));
        sleep(secs(4)).await;
        assert_eq!(turn.time_left(), None, "its turn has not begun");
        assert_eq!(stop.time_left(), Some(secs(21)));
        turn.clone().await;
        assert_eq!(turn.deadline(), Some(began + ms(22_500)));
        assert_eq!(turn.time_left(), Some(ms(17_500)));
        sleep(secs(7)).await;
        assert_eq!(turn.clone().time_left(), Some(ms(10_500)));
        assert_eq!(stop.time_left(), Some(secs(13)));
    })
    .await;
}

/// D6: what is aborted is aborted at that very time.
#[tokio::test(start_paused = true)]
async fn tasks_are_aborted_when_no_time_is_left() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Jobs>| {
        let log = notes();
        cx.spawn("job", async move |stopping: Stopping| {
            stopping.clone().await;
            let left = stopping.time_left().unwrap();
            let _dropped = log.on_drop(format!("dropped, {} ms after the notice", left.as_millis()));
            sleep(secs(1_000)).await;
        });
    });
    let _report = stage.stop::<Jobs>().await;
    let lines = stage.log.timed_lines();
    assert!(lines.contains(&"22500 dropped, 22500 ms after the notice".to_owned()), "{lines:?}");
}

/// D6.
#[tokio::test(start_paused = true)]
async fn a_drain_timeout_is_what_is_left() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Brief>| {
        cx.spawn("job", async move |stopping: Stopping| {
            stopping.clone().await;
            assert_eq!(stopping.time_left(), Some(secs(2)));
            sleep(ms(500)).await;
            assert_eq!(stopping.time_left(), Some(ms(1_500)));
        });
    });
    let report = stage.stop::<Brief>().await;
    assert!(report.is_clean(), "{report}");
}

/// D8: nothing in flight is waited for any more, and the reserves are all that is left.
#[tokio::test(start_paused = true)]
async fn a_hurry_leaves_tasks_no_time() {
    let stage = Stage::new();
    let (app, turn, stop) = start(&stage, Duration::ZERO).await;
    let _report = live(app, async |app| {
        app.deliver(Signal::Terminate);
        turn.clone().await;
        sleep(secs(1)).await;
        assert_eq!(turn.time_left(), Some(ms(21_500)));
        app.deliver(Signal::Interrupt);
        assert_eq!(turn.time_left(), Some(Duration::ZERO));
        assert_eq!(stop.time_left(), Some(secs(4)), "the reserves of `Told` and `Db`");
    })
    .await;
}

/// D8: the same for a turn that begins after the hurry.
#[tokio::test(start_paused = true)]
async fn a_turn_that_begins_in_a_hurry_has_no_time() {
    let stage = Stage::new();
    let (app, turn, _) = start(&stage, secs(5)).await;
    let _report = live(app, async |app| {
        app.deliver(Signal::Terminate);
        sleep(secs(1)).await;
        assert_eq!(turn.time_left(), None);
        app.deliver(Signal::Interrupt);
        turn.clone().await;
        assert_eq!(turn.time_left(), Some(Duration::ZERO));
    })
    .await;
}

/// R5: the body of `main` comes before everything, and the default reserve of 1 s is its own.
#[tokio::test(start_paused = true)]
async fn the_body_of_main_knows_how_much_time_it_has() {
    let stage = Stage::new();
    let report = stage
        .builder::<Jobs>()
        .run(async |app: App| {
            let (turn, stop) = (app.stopping(), app.draining());
            assert_eq!((turn.time_left(), stop.time_left()), (None, None));
            app.shutdown("the test is over");
            turn.clone().await;
            assert_eq!(turn.time_left(), Some(ms(20_500)));
            assert_eq!(stop.time_left(), Some(secs(25)));
        })
        .await;
    assert!(report.is_clean(), "{report}");
}

/// S6: an optional resource that fails has its turn while the application runs: half of its reserve.
#[resource(optional)]
struct Broken;

impl Resource for Broken {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let log = notes();
        cx.spawn("helper", async move |stopping: Stopping| {
            stopping.clone().await;
            log.add(format!("{:?} left", stopping.time_left().unwrap()));
        });
        Err("switched to another".into())
    }
}

/// S6, D6.
#[tokio::test(start_paused = true)]
async fn a_turn_before_the_stop_has_half_of_its_reserve() {
    let stage = Stage::new();
    let app = stage.start::<Broken>().await;
    app.shutdown("the test is over");
    let _report = app.run().await;
    assert!(stage.log.has("500ms left"), "{:?}", stage.log.lines());
}

/// R3: from a thread that knows of no runtime.
#[tokio::test]
async fn a_thread_may_ask_how_much_time_is_left() {
    let app = App::builder().resources::<Alone>().start().await.unwrap();
    let stopping = app.get::<Alone>().0.clone();
    let thread = std::thread::spawn(move || {
        stopping.wait();
        stopping.time_left()
    });
    app.shutdown("the test is over");
    let report = app.run().await;
    let left = thread.join().unwrap().expect("the notice has fired");
    assert!(left <= report.shutdown_timeout, "{left:?}");
}

/// Keeps its notice.
#[resource]
struct Alone(Stopping);

impl Resource for Alone {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        Ok(Self(cx.stopping()))
    }
}
