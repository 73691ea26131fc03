//! Rules R1 and R2: tasks are waited for at their resource's turn, and a failure of a supervised one is noticed.

use std::cell::OnceCell;
use std::error::Error;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};

use lifecycle::{Acquire, App, Operation, Outcome, Phase, Reason, Signal, TaskOutput, Tasks, resource};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::capture;
use crate::stage::{Notes, Stage, fails, failures, hangs, live, ms, notes, panics, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Http;
}

/// R1, D5.
#[tokio::test(start_paused = true)]
async fn a_task_is_told_at_its_turn_and_waited_for() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(300)).task::<Db>("pool", takes(20));
    let report = stage.stop::<Http>().await;
    assert_eq!(
        stage.log.timed_lines(),
        [
            "0 stopping server",
            "300 ended server",
            "300 releasing Http",
            "300 released Http",
            "300 stopping pool",
            "320 ended pool",
            "320 releasing Db",
            "320 released Db",
        ]
    );
    assert_eq!(report.resource("Http").unwrap().drain, Some(ms(300)));
    assert_eq!(report.resource("Http").unwrap().in_flight, 1);
    assert!(report.is_clean());
}

fn bug() {
    panic!("unwrap on a None");
}

/// A future that is written by hand may still hold something when it has ended.
struct Held;

impl Future for Held {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(io::Error::other("lost connection")))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        panic!("dropped badly");
    }
}

/// R1: what goes wrong while it is dropped is a failure like any other.
#[tokio::test(start_paused = true)]
async fn a_task_that_panics_when_it_is_dropped_has_failed() {
    check_failure(|cx| cx.spawn("accept", |_| Held), "panicked: dropped badly").await;
}

/// Whatever fails so is named, and everything is released.
async fn check_failure(setup: impl Fn(&Acquire<Http>) + 'static, cause: &str) {
    check_failure_after(|| {}, setup, cause).await;
}

async fn check_failure_after(begin: impl FnOnce(), setup: impl Fn(&Acquire<Http>) + 'static, cause: &str) {
    let stage = Stage::new();
    stage.setup(setup).task::<Db>("pool", takes(0));
    let app = stage.start::<Http>().await;
    begin();
    let report = app.run().await;
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(failures(&report), ["task `accept` of `Http` failed"]);
    assert_eq!(report.failures[0].resource(), "Http");
    assert_eq!(*report.failures[0].operation(), Operation::Task("accept".to_owned()));
    assert!(
        report.to_string().contains(&format!("failed: task `accept` of `Http` failed: {cause}\n")),
        "{report}"
    );
    assert_eq!(report.exit_code, 1);
    stage.log.assert_in_order(["released Http", "stopping pool"]);
    assert!(stage.log.has("released Db"));
}

/// R1.
#[tokio::test(start_paused = true)]
async fn an_error_of_a_supervised_task_ends_the_application() {
    let setup = |cx: &Acquire<Http>| {
        cx.spawn("accept", async |_| {
            sleep(secs(1)).await;
            Err("too many open files")
        });
    };
    check_failure(setup, "too many open files").await;
}

/// R1, PEERS (a background task panics and nobody notices).
#[tokio::test(start_paused = true)]
async fn a_panic_of_a_supervised_task_ends_the_application() {
    let setup = |cx: &Acquire<Http>| {
        cx.spawn("accept", async |_| {
            sleep(secs(1)).await;
            bug();
        });
    };
    check_failure(setup, "panicked: unwrap on a None").await;
}

/// R1.
#[tokio::test(start_paused = true)]
async fn an_error_of_a_blocking_task_ends_the_application() {
    let (begin, setup) = blocking(|| Err("too many open files"));
    check_failure_after(begin, setup, "too many open files").await;
}

/// R1.
#[tokio::test(start_paused = true)]
async fn a_panic_of_a_blocking_task_ends_the_application() {
    let (begin, setup) = blocking(bug);
    check_failure_after(begin, setup, "panicked: unwrap on a None").await;
}

/// A task on a thread of its own, which waits until it is told to begin.
fn blocking<T: TaskOutput + 'static>(task: fn() -> T) -> (impl FnOnce(), impl Fn(&Acquire<Http>)) {
    let begin = Arc::new(Barrier::new(2));
    let begun = Arc::clone(&begin);
    let setup = move |cx: &Acquire<Http>| {
        let begun = Arc::clone(&begun);
        cx.spawn_blocking("accept", move |_| {
            begun.wait();
            task()
        });
    };
    let begin = move || {
        begin.wait();
    };
    (begin, setup)
}

/// R1.
#[tokio::test(start_paused = true)]
async fn an_error_of_a_background_task_ends_the_application() {
    let setup = |cx: &Acquire<Http>| {
        cx.background("accept", async {
            sleep(secs(1)).await;
            Err("too many open files")
        });
    };
    check_failure(setup, "too many open files").await;
}

/// R1.
#[tokio::test(start_paused = true)]
async fn a_panic_of_a_background_task_ends_the_application() {
    let setup = |cx: &Acquire<Http>| {
        cx.background("accept", async {
            sleep(secs(1)).await;
            bug();
        });
    };
    check_failure(setup, "panicked: unwrap on a None").await;
}

/// R1, E3: the error is there as the value that it was.
#[tokio::test(start_paused = true)]
async fn the_error_of_a_task_keeps_its_type() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        cx.spawn("accept", async |_| {
            sleep(secs(1)).await;
            Err(io::Error::from(ErrorKind::AddrInUse))
        });
    });
    let report = stage.start::<Http>().await.run().await;
    let cause = report.failures[0].source().unwrap();
    assert_eq!(cause.downcast_ref::<io::Error>().unwrap().kind(), ErrorKind::AddrInUse);
}

/// R1: a loop without an end, whose type is `!`, needs no `Ok(())` behind it.
#[tokio::test(start_paused = true)]
async fn a_task_may_be_an_endless_loop() {
    async fn forever(log: Notes) -> ! {
        loop {
            sleep(secs(2)).await;
            log.add("accepted");
        }
    }
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        let log = notes();
        cx.background("refresh", {
            let log = log.clone();
            async move {
                loop {
                    sleep(ms(1_500)).await;
                    log.add("refreshed");
                }
            }
        });
        cx.spawn("accept", move |_| forever(log));
    });
    stage.setup(|cx: &Acquire<Db>| {
        cx.spawn("pool", async |_| {
            loop {
                sleep(secs(1)).await;
            }
        });
    });
    let report = stage
        .run::<Http>(async |app| {
            stage.log.clear();
            sleep(ms(3_500)).await;
            app.shutdown("the test is over");
        })
        .await;
    assert_eq!(stage.log.timed_lines()[..3], ["1500 refreshed", "2000 accepted", "3000 refreshed"]);
    assert!(!stage.log.has("4500 refreshed"));
    assert_eq!(report.resource("Http").unwrap().aborted_tasks, ["accept"], "it does not look at its notice");
    assert_eq!(report.resource("Db").unwrap().aborted_tasks, ["pool"]);
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!(report.exit_code, 124);
}

/// R1: a failure on the way down is one, too, and holds up nobody.
#[tokio::test(start_paused = true)]
async fn a_task_that_fails_after_its_notice_is_reported() {
    let stage = Stage::new();
    stage.task::<Http>("server", fails("could not flush").after(ms(10)));
    let report = stage.stop::<Http>().await;
    assert_eq!(report.reason, Reason::Requested("the test is over".to_owned()));
    assert_eq!(failures(&report), ["task `server` of `Http` failed"]);
    assert_eq!(report.resource("Http").unwrap().outcome, Outcome::Failed);
    assert_eq!(report.exit_code, 1);
    assert!(stage.log.has("released Http"), "its release is another matter");
    assert!(stage.log.has("released Db"));
}

/// R1, E3.
#[tokio::test(start_paused = true)]
async fn all_tasks_that_fail_are_listed() {
    let stage = Stage::new();
    stage.task::<Http>("first", fails("one").after(ms(10)));
    stage.task::<Http>("second", panics("two").after(ms(20)));
    stage.task::<Db>("third", fails("three"));
    let report = stage.stop::<Http>().await;
    assert_eq!(
        failures(&report),
        ["task `first` of `Http` failed", "task `second` of `Http` failed", "task `third` of `Db` failed"]
    );
}

/// R1: `Ok` is the end of a task, and the last one leaves nothing to live for.
#[tokio::test(start_paused = true)]
async fn the_application_ends_with_its_last_supervised_task() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| cx.spawn("short", async |_| sleep(secs(1)).await));
    stage.setup(|cx: &Acquire<Db>| cx.spawn("long", async |_| sleep(secs(10)).await));
    let report = live(stage.start::<Http>().await, async |app| {
        sleep(secs(9)).await;
        assert_eq!(app.phase(), Phase::Running);
    })
    .await;
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.phases.iter().find(|(phase, _)| *phase == Phase::Draining).unwrap().1, secs(10));
    assert_eq!(report.exit_code, 0);
    assert!(stage.log.has("released Db"));
}

/// R1: an operator reads which task has ended, though that is not a failure.
#[tokio::test(start_paused = true)]
async fn a_supervised_task_that_ends_before_its_notice_is_told_in_one_line() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        cx.spawn("import", async |_| sleep(secs(3)).await);
        cx.spawn("serving", |stopping| stopping);
        cx.background("warm-up", sleep(secs(1)));
    });
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(60)).await;
            app.deliver(Signal::Terminate);
        })
        .await;
    assert_eq!(report.exit_code, 0);
    let told = capture::only("has ended");
    assert_eq!((told.message.as_str(), told.level.as_str()), ("task `import` of `Http` has ended", "INFO"));
}

/// R1: the application lives as long as a supervised task does, also after `main` has ended.
#[tokio::test(start_paused = true)]
async fn the_end_of_main_is_not_the_end_of_a_server() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Db>| cx.spawn("server", async |_| sleep(secs(10)).await));
    let report = stage.builder::<Http>().run(async |_| {}).await;
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.phases.last().unwrap().1, secs(10));
}

/// R1: and a batch job ends by itself.
#[tokio::test(start_paused = true)]
async fn with_nothing_supervised_the_application_ends_with_main() {
    let stage = Stage::new();
    let report = stage.builder::<Http>().run(async |_| sleep(secs(3)).await).await;
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.phases.last().unwrap().1, secs(3));
    assert_eq!(report.exit_code, 0);
}

/// R1.
#[tokio::test(start_paused = true)]
async fn a_background_task_keeps_nothing_alive_and_is_dropped_at_its_turn() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(100)).setup(|cx: &Acquire<Db>| {
        let log = notes();
        cx.background("refresh", async move {
            let _witness = log.on_drop("dropped refresh");
            pending::<()>().await;
        });
        cx.spawn("short", async |_| sleep(secs(1)).await);
    });
    let report = stage.stop::<Http>().await;
    assert_eq!(
        stage.log.lines(),
        [
            "stopping server",
            "ended server",
            "releasing Http",
            "released Http",
            "dropped refresh",
            "releasing Db",
            "released Db",
        ]
    );
    assert!(report.is_clean());
}

/// R1.
#[tokio::test(start_paused = true)]
async fn an_application_with_background_tasks_alone_ends_with_main() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Db>| cx.background("refresh", pending::<()>()));
    let report = stage.builder::<Http>().run(async |_| {}).await;
    assert_eq!(report.reason, Reason::Finished);
    assert!(report.is_clean());
}

/// R1.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_background_task_is_no_event() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Db>| cx.background("warm-up", sleep(secs(1)))).task::<Db>("pool", takes(0));
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(2)).await;
            assert_eq!(app.phase(), Phase::Running);
            app.shutdown("the test is over");
        })
        .await;
    assert!(report.is_clean());
}

/// R1.
#[tokio::test(start_paused = true)]
async fn a_blocking_task_waits_for_its_notice_and_is_waited_for() {
    let stage = Stage::new();
    let log = stage.log.clone();
    stage.setup(move |cx: &Acquire<Http>| {
        let log = log.clone();
        cx.spawn_blocking("writer", move |stopping| {
            stopping.wait();
            log.add("flushed");
        });
    });
    let report = stage.stop::<Http>().await;
    assert_eq!(
        stage.log.lines(),
        ["flushed", "releasing Http", "released Http", "releasing Db", "released Db"]
    );
    assert!(report.is_clean());
}

/// Starts `Http` with a server that runs to its notice, and hands out its `Tasks`.
async fn start_with_tasks(stage: &Stage) -> (App, Tasks) {
    let tasks = Rc::new(OnceCell::new());
    let setup = Rc::clone(&tasks);
    stage.setup(move |cx: &Acquire<Http>| assert!(setup.set(cx.tasks()).is_ok()));
    let app = stage.start::<Http>().await;
    stage.log.clear();
    (app, tasks.get().unwrap().clone())
}

/// R2.
#[tokio::test(start_paused = true)]
async fn tasks_are_counted_and_waited_for() {
    let stage = Stage::new();
    let (app, tasks) = start_with_tasks(&stage).await;
    for millis in [100, 200, 300] {
        let log = stage.log.clone();
        tasks.spawn(async move {
            sleep(ms(millis)).await;
            log.add(format!("done after {millis} ms"));
        });
    }
    assert_eq!(tasks.in_flight(), 3);
    let report = live(app, async |app| {
        sleep(ms(150)).await;
        assert_eq!(tasks.in_flight(), 2);
        app.shutdown("the test is over");
    })
    .await;
    assert_eq!(
        stage.log.timed_lines()[..4],
        ["100 done after 100 ms", "200 done after 200 ms", "300 done after 300 ms", "300 releasing Http"]
    );
    let http = report.resource("Http").unwrap();
    assert_eq!((http.in_flight, http.cut, http.drain), (2, 0, Some(ms(150))));
    assert!(report.is_clean());
}

/// R2, D6, E1.
#[tokio::test(start_paused = true)]
async fn tasks_that_do_not_end_are_aborted_at_their_limit_and_counted() {
    let stage = Stage::new();
    let (app, tasks) = start_with_tasks(&stage).await;
    for _ in 0..3 {
        let witness = stage.log.on_drop("aborted a task");
        tasks.spawn(async move {
            let _witness = witness;
            pending::<()>().await;
        });
    }
    tasks.spawn(sleep(secs(5)));
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(
        stage.log.lines(),
        [
            "aborted a task",
            "aborted a task",
            "aborted a task",
            "releasing Http",
            "released Http",
            "releasing Db",
            "released Db",
        ]
    );
    let http = report.resource("Http").unwrap();
    assert_eq!((http.in_flight, http.cut, http.outcome), (4, 3, Outcome::Aborted));
    assert_eq!(report.exit_code, 124);
}

/// R2: their failure is their own.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_of_many_is_logged_and_no_more() {
    let stage = Stage::new();
    let (app, tasks) = start_with_tasks(&stage).await;
    tasks.spawn(async { panic!("bad request") });
    let report = live(app, async |app| {
        sleep(secs(1)).await;
        assert_eq!(app.phase(), Phase::Running);
        app.shutdown("the test is over");
    })
    .await;
    let line = capture::only("panicked");
    assert_eq!(line.level, "ERROR");
    assert_eq!(line.message, "a task of Http panicked: bad request");
    assert!(report.is_clean());
}

/// R2.
#[tokio::test(start_paused = true)]
async fn tasks_keep_nothing_alive() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| cx.tasks().spawn(sleep(secs(3))));
    let report = stage.builder::<Http>().run(async |_| {}).await;
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.resource("Http").unwrap().drain, Some(secs(3)), "though they are waited for");
    assert!(report.is_clean());
}

/// R2: a guard is a unit in flight that is no task.
#[tokio::test(start_paused = true)]
async fn a_guard_is_waited_for() {
    let stage = Stage::new();
    let (app, tasks) = start_with_tasks(&stage).await;
    let guard = tasks.guard().unwrap();
    assert_eq!(tasks.in_flight(), 1);
    let _ = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(secs(2)).await;
        assert!(!stage.log.has("releasing Http"));
        drop(guard);
    })
    .await;
    assert_eq!(stage.log.timed_lines()[0], "2000 releasing Http");
}

/// R2: what is in flight may bring more, and is waited for with it.
#[tokio::test(start_paused = true)]
async fn work_under_way_may_bring_more_work() {
    let stage = Stage::new();
    let (app, tasks) = start_with_tasks(&stage).await;
    let log = stage.log.clone();
    tasks.spawn({
        let tasks = tasks.clone();
        async move {
            sleep(secs(1)).await;
            tasks.spawn(async move {
                sleep(secs(1)).await;
                log.add("the second is done");
            });
        }
    });
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(stage.log.timed_lines()[..2], ["2000 the second is done", "2000 releasing Http"]);
    assert!(report.is_clean());
}

/// R2: nothing begins behind the back of a release.
#[tokio::test(start_paused = true)]
async fn a_task_that_comes_too_late_is_refused_and_told() {
    let stage = Stage::new();
    stage.release::<Http>(takes(1_000));
    let (app, tasks) = start_with_tasks(&stage).await;
    let (sender, receiver) = oneshot::channel();
    let _ = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(ms(500)).await;
        assert!(stage.log.has("releasing Http"));
        tasks.spawn(async { sender.send("it was begun").unwrap() });
        assert!(tasks.guard().is_none());
        assert_eq!(tasks.in_flight(), 0);
    })
    .await;
    assert!(receiver.await.is_err(), "it was dropped unpolled");
    let line = capture::only("came too late");
    assert_eq!(line.level, "WARN");
    assert_eq!(line.message, "a task for Http came too late in its turn, and was not started");
}

/// R2, D6: a guard cannot be aborted, and does not keep its resource from being released.
#[tokio::test(start_paused = true)]
async fn a_guard_that_is_never_dropped_is_cut() {
    let stage = Stage::new();
    let (app, tasks) = start_with_tasks(&stage).await;
    let _guard = tasks.guard().unwrap();
    app.shutdown("the test is over");
    let report = app.run().await;
    assert!(stage.log.has("released Http"));
    assert!(stage.log.has("released Db"));
    let http = report.resource("Http").unwrap();
    assert_eq!((http.in_flight, http.cut, http.outcome), (1, 1, Outcome::Aborted));
    assert_eq!(report.exit_code, 124);
}

/// R1: a task may have come to its end before anybody waits for the application.
#[tokio::test(start_paused = true)]
async fn an_application_whose_tasks_have_ended_ends_when_it_is_waited_for() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| cx.spawn("import", async |_| sleep(secs(1)).await));
    let app = stage.start::<Http>().await;
    sleep(secs(5)).await;
    assert_eq!(app.phase(), Phase::Running, "it is still used");
    let report = app.run().await;
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.stop_took, Some(ms(0)));
}

/// R1: an application that embeds resources alone lives until it is asked.
#[tokio::test(start_paused = true)]
async fn an_application_without_tasks_lives_until_it_is_asked() {
    let stage = Stage::new();
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(86_400)).await;
            assert_eq!(app.phase(), Phase::Running);
            app.shutdown("the day is over");
        })
        .await;
    assert_eq!(report.reason, Reason::Requested("the day is over".to_owned()));
}

/// R1, D6.
#[tokio::test(start_paused = true)]
async fn a_hung_supervised_task_is_named() {
    let stage = Stage::new();
    stage.task::<Http>("server", hangs()).task::<Http>("metrics", takes(0));
    let report = stage.stop::<Http>().await;
    let http = report.resource("Http").unwrap();
    assert_eq!(http.aborted_tasks, ["server"]);
    assert_eq!(http.stuck_tasks, [""; 0]);
    assert_eq!((http.in_flight, http.cut), (2, 1));
    assert_eq!(http.outcome, Outcome::Aborted);
    stage.log.assert_in_order(["dropped server", "releasing Http"]);
    assert_eq!(report.resource("Db").unwrap().outcome, Outcome::Clean);
    assert_eq!(report.exit_code, 124);
}
