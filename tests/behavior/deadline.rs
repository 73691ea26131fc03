//! Rules D2 and D6: one deadline, fixed at the trigger, and a share of it for everybody.
//!
//! The last 100 ms of a share, or a tenth of the reserve if that is less, are for `abort`: a release is cut off so much
//! earlier.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use lifecycle::{Acquire, Outcome, Release, Report, Resource, Result, Signal, resource};
use tokio::time::{Instant, sleep};

use crate::by_hand::live_by_hand;
use crate::capture;
use crate::stage::{Notes, Stage, hangs, live, ms, notes, scripted, secs, takes};

scripted! {
    #[resource(reserve = "5s")]
    struct Db;
    #[resource(after = Db, reserve = "2s")]
    struct Jobs;
    #[resource(after = Jobs)]
    struct Http;
    #[resource(after = Jobs, drain_timeout = "3s")]
    struct Impatient;
    #[resource(reserve = "0s")]
    struct Modest;
    #[resource(after = Modest, reserve = "0s")]
    struct OverModest;
}

fn lasted(stage: &Stage, line: &str) -> u64 {
    let timed = stage.log.timed_lines();
    let found = timed.iter().find_map(|timed| timed.strip_suffix(&format!(" {line}")));
    found.unwrap_or_else(|| panic!("{line:?} is missing in {timed:?}")).parse().unwrap()
}

fn outcome(report: &Report, name: &str) -> Outcome {
    report.resource(name).unwrap().outcome
}

/// D6, D7: the hung release on top is cut just before the time set aside for those beneath begins, and they get all of
/// that time, and what a quick `abort` left of its own.
#[tokio::test(start_paused = true)]
async fn a_hung_release_leaves_those_beneath_their_whole_reserve() {
    let stage = Stage::new();
    stage.release::<Http>(hangs()).release::<Jobs>(takes(1_999)).release::<Db>(takes(4_999));
    let report = stage.stop::<Http>().await;
    assert_eq!(lasted(&stage, "cut Http"), 17_900, "7 s are for those beneath, and 100 ms for its `abort`");
    assert_eq!(lasted(&stage, "releasing Jobs"), 17_900);
    assert_eq!(lasted(&stage, "released Jobs"), 19_899);
    assert_eq!(lasted(&stage, "released Db"), 24_898);
    assert_eq!(outcome(&report, "Http"), Outcome::TimedOut);
    assert_eq!(outcome(&report, "Jobs"), Outcome::Clean);
    assert_eq!(outcome(&report, "Db"), Outcome::Clean);
    assert_eq!(report.exit_code, 124);
}

/// D6, D7: with every hook hung, each is cut at its own moment, and the last 100 ms before the deadline are for the last
/// `abort`.
#[tokio::test(start_paused = true)]
async fn when_everything_hangs_the_end_comes_just_before_the_deadline() {
    let stage = Stage::new();
    stage.task::<Http>("server", hangs()).task::<Jobs>("worker", hangs()).task::<Db>("pool", hangs());
    stage.release::<Http>(hangs()).release::<Jobs>(hangs()).release::<Db>(hangs());
    let report = stage.stop::<Http>().await;
    assert_eq!(lasted(&stage, "dropped server"), 17_500, "half of its own reserve is left");
    assert_eq!(lasted(&stage, "cut Http"), 17_900);
    assert_eq!(lasted(&stage, "dropped worker"), 19_000);
    assert_eq!(lasted(&stage, "cut Jobs"), 19_900);
    assert_eq!(lasted(&stage, "dropped pool"), 22_500);
    assert_eq!(lasted(&stage, "cut Db"), 24_900);
    assert_eq!(report.stop_took, Some(ms(24_900)));
    assert_eq!(report.exit_code, 124);
    for name in ["Http", "Jobs", "Db"] {
        assert!(stage.log.has(&format!("aborted {name}")));
    }
}

/// D6, D7: with every `abort` blocked as well, each turn ends at its cut-off, and the end is the deadline, not later.
#[tokio::test(start_paused = true)]
async fn when_every_abort_blocks_too_the_end_is_the_deadline() {
    let stage = Stage::new();
    stage.release::<Http>(hangs()).release::<Jobs>(hangs()).release::<Db>(hangs());
    let _held = (stage.hold_abort::<Http>(), stage.hold_abort::<Jobs>(), stage.hold_abort::<Db>());
    let app = stage.start::<Http>().await;
    stage.log.clear();
    app.shutdown("the test is over");
    let report = live_by_hand(app).await;
    assert_eq!(lasted(&stage, "cut Http"), 17_900);
    assert_eq!(lasted(&stage, "releasing Jobs"), 18_000);
    assert_eq!(lasted(&stage, "cut Jobs"), 19_900);
    assert_eq!(lasted(&stage, "releasing Db"), 20_000);
    assert_eq!(lasted(&stage, "cut Db"), 24_900);
    assert_eq!(report.stop_took, Some(secs(25)));
    assert_eq!(report.exit_code, 124);
}

/// D2: whoever asks again, and however, the deadline stays.
#[tokio::test(start_paused = true)]
async fn the_deadline_is_fixed_at_the_trigger() {
    let stage = Stage::new();
    stage.release::<Db>(hangs());
    let report = stage
        .run::<Db>(async |app| {
            let began = Instant::now();
            app.shutdown("first");
            sleep(secs(10)).await;
            app.shutdown("second");
            app.deliver(Signal::Terminate);
            let mut phase = app.watch_phase();
            phase.wait_for(|phase| *phase == lifecycle::Phase::Stopped).await.unwrap();
            assert_eq!(began.elapsed(), ms(24_900));
        })
        .await;
    assert_eq!(report.shutdown_timeout, secs(25));
}

/// D2: the delay is part of it.
#[tokio::test(start_paused = true)]
async fn the_delay_does_not_extend_the_deadline() {
    let stage = Stage::new();
    stage.release::<Db>(hangs());
    let app = stage.builder::<Db>().drain_delay(secs(5)).start().await.unwrap();
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(ms(24_900)));
    assert_eq!(report.resource("Db").unwrap().release, Some(ms(19_900)));
}

/// D2: a deadline is a limit, not a duration.
#[tokio::test(start_paused = true)]
async fn who_is_done_early_does_not_wait_for_the_deadline() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(250)).release::<Db>(takes(50));
    let report = stage.stop::<Http>().await;
    assert_eq!(report.stop_took, Some(ms(300)));
}

/// D6.
#[tokio::test(start_paused = true)]
async fn tasks_may_drain_until_half_a_reserve_before_the_cut_off() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(17_499)).release::<Http>(takes(400));
    let report = stage.stop::<Http>().await;
    assert!(report.is_clean(), "{report}");
    let stage = Stage::new();
    stage.task::<Http>("server", takes(17_501));
    let report = stage.stop::<Http>().await;
    assert_eq!(report.resource("Http").unwrap().aborted_tasks, ["server"]);
}

/// D6.
#[tokio::test(start_paused = true)]
async fn drain_timeout_is_earlier_than_the_deadline() {
    let stage = Stage::new();
    stage.task::<Impatient>("streams", hangs());
    let report = stage.stop::<Impatient>().await;
    assert_eq!(lasted(&stage, "dropped streams"), 3_000);
    assert_eq!(lasted(&stage, "released Impatient"), 3_000);
    assert_eq!(report.resource("Impatient").unwrap().outcome, Outcome::Aborted);
    assert_eq!(report.exit_code, 124);
}

/// D6: it counts from the turn, not from the trigger.
#[tokio::test(start_paused = true)]
async fn drain_timeout_counts_from_the_turn() {
    let stage = Stage::new();
    stage.task::<Impatient>("streams", hangs());
    let app = stage.builder::<Impatient>().drain_delay(secs(2)).start().await.unwrap();
    stage.log.clear();
    app.shutdown("the test is over");
    let _report = app.run().await;
    assert_eq!(lasted(&stage, "dropped streams"), 5_000);
}

/// Tells the time that its release is given.
#[resource(after = Db)]
struct Told(Notes);

impl Resource for Told {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(notes()))
    }

    async fn release(&self, cx: &Release) -> Result {
        self.0.add(format!("{} ms left", cx.remaining().as_millis()));
        assert_eq!(cx.deadline(), Instant::now() + cx.remaining());
        sleep(secs(6)).await;
        self.0.add(format!("{} ms left", cx.remaining().as_millis()));
        Ok(())
    }
}

/// D6: what a release is told is its own share: 5 s are for what is beneath, and 100 ms for its `abort`.
#[tokio::test(start_paused = true)]
async fn a_release_knows_how_much_time_it_has() {
    let stage = Stage::new();
    let _ = stage.stop::<Told>().await;
    assert_eq!(stage.log.lines()[..2], ["19900 ms left", "13900 ms left"]);
}

/// D6, D8: and learns that it became less.
#[tokio::test(start_paused = true)]
async fn a_release_learns_of_the_hurry() {
    let stage = Stage::new();
    let report = stage
        .run::<Told>(async |app| {
            stage.log.clear();
            app.shutdown("the test is over");
            sleep(secs(1)).await;
            app.insist();
        })
        .await;
    assert_eq!(stage.log.lines()[0], "19900 ms left");
    assert_eq!(report.resource("Told").unwrap().outcome, Outcome::TimedOut, "its reserve is 1 s");
    assert_eq!(report.resource("Told").unwrap().release, Some(ms(1_900)), "1 s to the hurry, and 900 ms");
}

/// D6, D7: a release that begins with no time left is polled once, and if it completes then, it completed.
#[tokio::test(start_paused = true)]
async fn a_release_without_time_is_polled_once_and_may_complete() {
    let stage = Stage::new();
    stage.release::<OverModest>(hangs());
    let report = stage.stop::<OverModest>().await;
    assert_eq!(lasted(&stage, "cut OverModest"), 25_000, "a tenth of nothing is for its `abort`");
    assert_eq!(lasted(&stage, "released Modest"), 25_000);
    assert_eq!(outcome(&report, "Modest"), Outcome::Clean, "{report}");
    assert!(!stage.log.has("aborted Modest"));
    assert_eq!(report.stop_took, Some(secs(25)));
}

/// Its release is done when something is so that does not wake it.
#[resource]
struct Dozing(Arc<AtomicBool>);

impl Resource for Dozing {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("it is supplied".into())
    }

    async fn release(&self, _: &Release) -> Result {
        poll_fn(|_| if self.0.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
        Ok(())
    }
}

/// D6: whoever cuts a release polls it once more, and one that completes then is clean.
#[tokio::test(start_paused = true)]
async fn a_release_is_polled_once_more_when_it_is_cut() {
    let stage = Stage::new();
    let is_done = Arc::new(AtomicBool::new(false));
    let dozing = Dozing(Arc::clone(&is_done));
    stage.at(1_000, move |_| is_done.store(true, Ordering::SeqCst));
    let app = stage.builder::<()>().supply(dozing).start().await.unwrap();
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(ms(24_900)));
    assert!(report.is_clean(), "{report}");
}

/// D6: the same for one that is done in the very moment of its cut.
#[tokio::test(start_paused = true)]
async fn a_release_that_takes_all_its_time_and_no_more_is_clean() {
    let stage = Stage::new();
    stage.release::<Db>(takes(24_900));
    let report = stage.stop::<Db>().await;
    assert_eq!(report.stop_took, Some(ms(24_900)));
    assert!(report.is_clean(), "{report}");
    let stage = Stage::new();
    stage.release::<Db>(takes(24_901));
    let report = stage.stop::<Db>().await;
    assert_eq!(outcome(&report, "Db"), Outcome::TimedOut);
    assert_eq!(report.stop_took, Some(ms(24_900)));
}

/// D6: reserves that do not fit are scaled down together, which is said (S7).
#[tokio::test(start_paused = true)]
async fn reserves_that_do_not_fit_half_of_the_time_are_scaled_down() {
    let stage = Stage::new();
    stage.release::<Http>(hangs());
    let app = stage.builder::<Http>().shutdown_timeout(secs(9)).start().await.unwrap();
    stage.log.clear();
    app.shutdown("the test is over");
    let _report = app.run().await;
    // `main` 1 s, Http 1 s, Jobs 2 s and Db 5 s have to fit 4.5 s: each has half, and Jobs and Db 3.5 s together. Of the
    // 500 ms of Http, a tenth is for its `abort`.
    assert_eq!(lasted(&stage, "cut Http"), 5_450);
    let line = capture::only("reserves");
    assert_eq!(line.level, "WARN");
    assert_eq!(
        line.message,
        "the reserves on the longest path add up to 9.0 s, which is more than half of shutdown_timeout (4.5 s): all \
         reserves are scaled down to fit"
    );
}

/// D2: however long a time is said to be.
#[tokio::test(start_paused = true)]
async fn the_longest_durations_do_not_overflow() {
    let stage = Stage::new();
    let builder = stage.builder::<Told>().shutdown_timeout(Duration::MAX).startup_timeout(Duration::MAX);
    let report = live(builder.drain_delay(ms(1)).start().await.unwrap(), async |app| {
        sleep(secs(1)).await;
        app.shutdown("the test is over");
    })
    .await;
    assert!(report.is_clean(), "{report}");
}

/// D6: what does not end when aborted is named, and not waited for longer than half of what is left.
#[tokio::test(start_paused = true)]
async fn a_stuck_task_is_reported_and_does_not_keep_its_resource_from_being_released() {
    let stage = Stage::new();
    let (end, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    stage.setup(move |cx: &Acquire<Http>| {
        let wait = wait.lock().unwrap().take().unwrap();
        cx.spawn_blocking("reader", move |_| wait.recv().unwrap());
    });
    let app = stage.start::<Http>().await;
    stage.log.clear();
    app.shutdown("the test is over");
    let report = live_by_hand(app).await;
    assert_eq!(lasted(&stage, "releasing Http"), 17_750, "from 17.5 s, half of what is left to 18 s");
    assert!(stage.log.has("released Http"));
    assert!(stage.log.has("released Db"));
    let http = report.resource("Http").unwrap();
    assert_eq!(http.stuck_tasks, ["reader"]);
    assert_eq!(http.outcome, Outcome::Aborted);
    assert!(report.to_string().contains("stuck: reader"), "{report}");
    assert_eq!(report.exit_code, 124);
    end.send(()).unwrap();
}
