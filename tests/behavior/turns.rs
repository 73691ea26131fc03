//! Rules D5 and D7: turns in reverse order, and every resource has its own, whatever happens in the others.

use std::future::pending;
use std::sync::{Arc, Mutex};

use lifecycle::{Acquire, App, Operation, Outcome, Phase, Release, Resource, Result, resource};
use tokio::time::sleep;

use crate::by_hand::{advance_by_hand, live_by_hand, until};
use crate::capture;
use crate::stage::{
    Fault, NoteOnDrop, Stage, fails, failures, hangs, ms, notes, panics, scripted, secs, takes,
};

scripted! {
    #[resource]
    struct Root;
    #[resource(after = Root)]
    struct Left;
    #[resource(after = Root)]
    struct Right;
    #[resource(after = [Left, Right])]
    struct Top;

    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Jobs;
    #[resource(after = Jobs)]
    struct Http;
}

/// D5.
#[tokio::test(start_paused = true)]
async fn a_chain_is_released_in_reverse() {
    let stage = Stage::new();
    stage.release::<Db>(takes(10)).release::<Jobs>(takes(10)).release::<Http>(takes(10));
    stage.task::<Jobs>("worker", takes(10));
    let report = stage.stop::<Http>().await;
    assert_eq!(
        stage.log.timed_lines(),
        [
            "0 releasing Http",
            "10 released Http",
            "10 stopping worker",
            "20 ended worker",
            "20 releasing Jobs",
            "30 released Jobs",
            "30 releasing Db",
            "40 released Db",
        ]
    );
    assert_eq!(report.stop_path, ["Http", "Jobs", "Db"]);
    assert_eq!(report.stop_took, Some(ms(40)));
}

/// D5, E2.
#[tokio::test(start_paused = true)]
async fn a_diamond_is_released_along_its_critical_path() {
    let stage = Stage::new();
    stage.release::<Top>(takes(30)).release::<Left>(takes(100)).release::<Right>(takes(20));
    stage.release::<Root>(takes(10));
    let report = stage.stop::<Top>().await;
    let timed = stage.log.timed_lines();
    assert_eq!(timed[..2], ["0 releasing Top", "30 released Top"]);
    for line in ["30 releasing Left", "30 releasing Right"] {
        assert!(timed[2..4].contains(&line.to_owned()), "{timed:?}");
    }
    assert_eq!(
        timed[4..],
        ["50 released Right", "130 released Left", "130 releasing Root", "140 released Root"]
    );
    assert_eq!(report.stop_path, ["Top", "Left", "Root"]);
    assert_eq!(report.stop_took, Some(ms(140)));
}

/// D5.
#[tokio::test(start_paused = true)]
async fn independent_resources_are_released_together() {
    let stage = Stage::new();
    stage.release::<Left>(takes(100)).release::<Right>(takes(100)).release::<Http>(takes(100));
    let report = stage.stop::<(Left, Right, Http)>().await;
    assert_eq!(report.stop_took, Some(ms(100)));
}

/// D5: only the longest path counts, however long the others wait for it.
#[tokio::test(start_paused = true)]
async fn a_slow_path_does_not_hold_up_another() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(5_000));
    let _ = stage.stop::<(Http, Top)>().await;
    stage.log.assert_in_order(["released Root", "ended server"]);
}

/// What went wrong at `place` is reported, aborts that resource alone, and costs nobody else their turn.
async fn check(place: fn(&Stage, Fault), act: Fault, expected: Outcome, failing: &str) {
    let stage = Stage::new();
    place(&stage, act);
    let report = stage.stop::<Http>().await;
    for name in ["Db", "Jobs", "Http"] {
        let outcome = report.resource(name).unwrap().outcome;
        let is_failing = name == failing;
        assert_eq!(outcome, if is_failing { expected } else { Outcome::Clean }, "{name}");
        assert_eq!(stage.log.has(&format!("released {name}")), !is_failing, "{name}");
        assert_eq!(stage.log.has(&format!("aborted {name}")), is_failing, "{name}");
    }
    let released = stage.log.lines();
    let turn = |name| released.iter().position(|line| *line == format!("releasing {name}"));
    assert!(turn("Http") < turn("Jobs") && turn("Jobs") < turn("Db"), "{released:?}");
    assert_eq!(failures(&report), [format!("`{failing}` could not be released")]);
    assert_eq!(report.exit_code, if expected == Outcome::TimedOut { 124 } else { 1 });
}

/// D7.
#[tokio::test(start_paused = true)]
async fn a_release_that_fails_is_aborted_and_the_others_are_released() {
    for act in [fails("disk full"), fails("disk full").after(ms(100))] {
        check(|stage, act| _ = stage.release::<Http>(act), act.clone(), Outcome::Failed, "Http").await;
        check(|stage, act| _ = stage.release::<Jobs>(act), act.clone(), Outcome::Failed, "Jobs").await;
        check(|stage, act| _ = stage.release::<Db>(act), act, Outcome::Failed, "Db").await;
    }
}

/// D7.
#[tokio::test(start_paused = true)]
async fn a_release_that_panics_is_aborted_and_the_others_are_released() {
    for act in [panics("poisoned"), panics("poisoned").after(ms(100))] {
        check(|stage, act| _ = stage.release::<Http>(act), act.clone(), Outcome::Panicked, "Http").await;
        check(|stage, act| _ = stage.release::<Jobs>(act), act.clone(), Outcome::Panicked, "Jobs").await;
        check(|stage, act| _ = stage.release::<Db>(act), act, Outcome::Panicked, "Db").await;
    }
}

/// D7, D6.
#[tokio::test(start_paused = true)]
async fn a_release_that_hangs_is_cut_off_and_aborted_and_the_others_are_released() {
    check(|stage, act| _ = stage.release::<Http>(act), hangs(), Outcome::TimedOut, "Http").await;
    check(|stage, act| _ = stage.release::<Jobs>(act), hangs(), Outcome::TimedOut, "Jobs").await;
    check(|stage, act| _ = stage.release::<Db>(act), hangs(), Outcome::TimedOut, "Db").await;
}

/// D7: a task that hangs costs its resource its cleanliness, not its release.
#[tokio::test(start_paused = true)]
async fn a_task_that_hangs_is_aborted_and_everything_is_released() {
    type Place = fn(&Stage);
    let places: [(&str, Place); 3] = [
        ("Http", |stage| _ = stage.task::<Http>("hung", hangs())),
        ("Jobs", |stage| _ = stage.task::<Jobs>("hung", hangs())),
        ("Db", |stage| _ = stage.task::<Db>("hung", hangs())),
    ];
    for (name, place) in places {
        let stage = Stage::new();
        place(&stage);
        let report = stage.stop::<Http>().await;
        for resource in ["Http", "Jobs", "Db"] {
            assert!(stage.log.has(&format!("released {resource}")));
            assert!(!stage.log.has(&format!("aborted {resource}")));
        }
        stage.log.assert_in_order(["dropped hung", &format!("releasing {name}")]);
        assert_eq!(report.resource(name).unwrap().outcome, Outcome::Aborted);
        assert_eq!(report.exit_code, 124);
    }
}

/// D7: the last resort may fail as well.
#[tokio::test(start_paused = true)]
async fn an_abort_that_panics_is_reported_and_the_others_are_released() {
    let stage = Stage::new();
    stage.release::<Jobs>(fails("queue not empty")).abort_panics::<Jobs>("still not");
    let report = stage.stop::<Http>().await;
    assert_eq!(failures(&report), ["`Jobs` could not be released", "`abort` of `Jobs` failed"]);
    assert_eq!(*report.failures[1].operation(), Operation::Abort);
    assert!(report.failures[1].is_panic());
    assert!(stage.log.has("released Db"));
    assert_eq!(report.exit_code, 1);
}

/// D7, E3.
#[tokio::test(start_paused = true)]
async fn when_everything_fails_everything_is_told() {
    let stage = Stage::new();
    stage.task::<Http>("server", panics("bug"));
    stage.release::<Http>(fails("one")).release::<Jobs>(panics("two")).release::<Db>(hangs());
    stage.abort_panics::<Http>("three");
    let report = stage.stop::<Http>().await;
    assert_eq!(
        failures(&report),
        [
            "task `server` of `Http` failed",
            "`Http` could not be released",
            "`abort` of `Http` failed",
            "`Jobs` could not be released",
            "`Db` could not be released",
        ]
    );
    for name in ["Http", "Jobs", "Db"] {
        assert!(stage.log.has(&format!("aborted {name}")));
    }
    assert_eq!(report.exit_code, 124);
}

/// D7.
#[tokio::test(start_paused = true)]
async fn nobody_is_aborted_whose_release_completed() {
    let stage = Stage::new();
    stage.task::<Http>("server", fails("bug")).release::<Db>(takes(100));
    let _ = stage.stop::<Http>().await;
    assert!(!stage.log.lines().iter().any(|line| line.starts_with("aborted")));
}

/// D7: the last resort has its time within the turn. It has returned before anything beneath begins, and before anybody is
/// told of the end.
#[tokio::test(start_paused = true)]
async fn an_abort_has_returned_before_what_is_beneath_begins_and_before_run_returns() {
    let stage = Stage::new();
    stage.release::<Http>(hangs()).release::<Db>(hangs());
    let (http, db) = (stage.hold_abort::<Http>(), stage.hold_abort::<Db>());
    let app = stage.start::<Http>().await;
    stage.log.clear();
    app.shutdown("the test is over");
    let phase = app.watch_phase();
    let end = tokio::spawn(app.run());

    sleep(ms(22_900)).await;
    until(|| stage.log.has("aborted Http")).await;
    advance_by_hand(99).await;
    assert_eq!(stage.log.timed_lines(), ["0 releasing Http", "22900 cut Http", "22900 aborted Http"]);
    http.send(()).unwrap();
    until(|| stage.log.has("releasing Db")).await;

    sleep(ms(1_901)).await;
    until(|| stage.log.has("aborted Db")).await;
    advance_by_hand(99).await;
    assert_eq!(*phase.borrow(), Phase::Stopping);
    assert!(!end.is_finished());
    db.send(()).unwrap();
    let report = end.await.unwrap();
    assert_eq!(
        stage.log.timed_lines(),
        [
            "0 releasing Http",
            "22900 cut Http",
            "22900 aborted Http",
            "22999 abort of Http has returned",
            "22999 releasing Jobs",
            "22999 released Jobs",
            "22999 releasing Db",
            "24900 cut Db",
            "24900 aborted Db",
            "24999 abort of Db has returned",
        ]
    );
    assert_eq!(report.stop_took, Some(ms(24_999)));
}

/// D7: what was never acquired is not aborted either.
#[tokio::test(start_paused = true)]
async fn nobody_is_aborted_who_was_never_there() {
    let stage = Stage::new();
    stage.acquire::<Jobs>(panics("bug"));
    let _report = stage.failed_start::<Http>().await;
    assert!(!stage.log.lines().iter().any(|line| line.starts_with("aborted")));
}

/// Logs the end of its life.
#[resource(after = Db)]
struct Mortal(#[expect(dead_code, reason = "it is there to be dropped")] NoteOnDrop);

impl Resource for Mortal {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(notes().on_drop("dropped Mortal")))
    }
}

/// D5: the turn ends when the runtime lets go of the resource.
#[tokio::test(start_paused = true)]
async fn a_released_resource_is_dropped_within_its_turn() {
    let stage = Stage::new();
    let app = stage.start::<Mortal>().await;
    assert!(app.try_get::<Mortal>().is_some());
    app.shutdown("the test is over");
    let report = app.clone().run().await;
    assert!(report.is_clean());
    stage.log.assert_in_order(["dropped Mortal", "releasing Db"]);
    assert!(app.try_get::<Mortal>().is_none());
}

/// D5: what somebody holds on to is released all the same, and is theirs to drop.
#[tokio::test(start_paused = true)]
async fn a_handle_does_not_keep_its_resource_from_being_released() {
    let stage = Stage::new();
    let app = stage.start::<Mortal>().await;
    let held = app.get::<Mortal>();
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(report.resource("Mortal").unwrap().outcome, Outcome::Clean);
    assert!(stage.log.has("released Db"));
    assert!(!stage.log.has("dropped Mortal"));
    assert!(capture::messages_with("still held").is_empty(), "it is known who has it");
    drop(held);
    assert!(stage.log.has("dropped Mortal"));
}

/// D12.
#[tokio::test(start_paused = true)]
async fn a_handle_that_somebody_kept_is_a_warning_that_names_the_resource() {
    let stage = Stage::new();
    let leak = Arc::new(Mutex::new(Vec::new()));
    let leaked = Arc::clone(&leak);
    stage.setup(move |cx: &Acquire<Http>| leaked.lock().unwrap().push(cx.get::<Jobs>()));
    let report = stage.stop::<Http>().await;
    let line = capture::only("still held");
    assert_eq!(line.level, "WARN");
    let words = "Jobs has been released, but 1 handle to it is still held: whoever uses one finds it closed";
    assert_eq!(line.message, words);
    assert!(report.is_clean(), "it is no more than that");
    leak.lock().unwrap().clear();
}

/// D12: what a dependent and its tasks held is gone when they are.
#[tokio::test(start_paused = true)]
async fn handles_of_tasks_that_were_aborted_are_no_warning() {
    let stage = Stage::new();
    stage.setup(move |cx: &Acquire<Http>| {
        let jobs = cx.get::<Jobs>();
        cx.spawn("server", async move |_| {
            let _jobs = jobs;
            pending::<()>().await;
        });
    });
    let _ = stage.stop::<Http>().await;
    assert!(capture::messages_with("still held").is_empty());
}

/// Panics in its `Drop`.
#[resource(after = Db)]
struct Fragile;

impl Resource for Fragile {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("broken");
    }
}

/// D7: a `Drop` is the end of a release, and its panic is the release's.
#[tokio::test(start_paused = true)]
async fn a_resource_that_panics_when_it_is_dropped_does_not_take_the_others_with_it() {
    let stage = Stage::new();
    let report = stage.stop::<Fragile>().await;
    assert_eq!(failures(&report), ["`Fragile` could not be released"]);
    assert_eq!(report.resource("Fragile").unwrap().outcome, Outcome::Panicked);
    assert!(stage.log.has("released Db"));
    assert_eq!(report.exit_code, 1);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb went off");
    }
}

/// D7: neither does a task that panics while it is aborted.
#[tokio::test(start_paused = true)]
async fn a_task_that_panics_when_it_is_dropped_does_not_keep_the_others_from_their_turns() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        cx.spawn("server", async |_| {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        cx.tasks().spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
    });
    let report = stage.stop::<Http>().await;
    for name in ["Http", "Jobs", "Db"] {
        assert!(stage.log.has(&format!("released {name}")));
    }
    assert_eq!(report.exit_code, 124);
}

/// S4: nor an acquisition.
#[tokio::test(start_paused = true)]
async fn an_acquisition_that_panics_when_it_is_dropped_is_rolled_back() {
    #[resource(after = Db)]
    struct Explosive;

    impl Resource for Explosive {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            let _bomb = Bomb;
            pending().await
        }
    }

    let stage = Stage::new();
    stage.acquire::<Root>(fails("no root").after(ms(10)));
    let report = stage.failed_start::<(Explosive, Root)>().await;
    assert!(stage.log.has("released Db"));
    assert_eq!(report.stop_took, Some(ms(0)));
}

/// D7, D6: an `abort` that blocks is left behind at the cut-off, where what is set aside for those beneath begins.
#[tokio::test(start_paused = true)]
async fn an_abort_that_blocks_does_not_keep_the_others_from_their_turns() {
    let stage = Stage::new();
    stage.release::<Jobs>(fails("cannot be released"));
    let _held = stage.hold_abort::<Jobs>();
    let app = stage.start::<Http>().await;
    stage.log.clear();
    app.shutdown("the test is over");
    let report = live_by_hand(app).await;
    assert!(stage.log.has("aborted Jobs"));
    let timed = stage.log.timed_lines();
    assert_eq!(timed[timed.len() - 2..], ["24000 releasing Db", "24000 released Db"]);
    assert_eq!(report.resource("Jobs").unwrap().outcome, Outcome::Failed);
    assert_eq!(report.stop_took, Some(secs(24)));
    assert_eq!(report.exit_code, 1);
}

/// R4: a release may ask for what is happening already.
#[tokio::test(start_paused = true)]
async fn a_release_may_ask_for_shutdown() {
    #[resource(after = Db)]
    struct Asking(App);

    impl Resource for Asking {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            Ok(Self(cx.app()))
        }

        async fn release(&self, _: &Release) -> Result {
            self.0.shutdown("from a release");
            assert!(self.0.stopping().is_stopping());
            Ok(())
        }
    }

    let stage = Stage::new();
    let report = stage.stop::<Asking>().await;
    assert!(report.is_clean());
}
