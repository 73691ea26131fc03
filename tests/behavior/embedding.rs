//! An application inside another: `supply`, `resources`, several at once, dropped half-way, any runtime.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use lifecycle::{
    Acquire, App, Operation, Outcome, Phase, Reason, Release, Report, Resource, Result, Signal, resource,
};
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use crate::by_hand::until;
use crate::capture;
use crate::plan::Elsewhere;
use crate::reload::Level;
use crate::stage::{Notes, Stage, fails, failures, hangs, ms, scripted, secs, takes};
use crate::supply::{Arguments, Clock};

scripted! {
    #[resource]
    struct Config;
    #[resource(after = Config)]
    struct Db;
    #[resource(after = Db)]
    struct Http;
    #[resource(after = [Fake, Config])]
    struct UsesFake;
}

/// Can be made without a `Config`.
#[resource(after = Config)]
struct Fake(Notes);

impl Resource for Fake {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("the real thing is not for tests".into())
    }

    async fn release(&self, _: &Release) -> Result {
        self.0.add("released Fake");
        Ok(())
    }
}

/// §2: an instance that is there already takes the place of acquiring, and its own edges are ignored.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_not_acquired_nor_is_what_it_comes_after() {
    let stage = Stage::new();
    let app = stage.builder::<Fake>().supply(Fake(stage.log.clone())).start().await.unwrap();
    assert!(app.try_get::<Fake>().is_some());
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(stage.log.lines(), ["released Fake"]);
    assert!(report.resource("Config").is_none());
    assert!(report.is_clean());
}

/// §2: it is handed to its dependents and released like the rest.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_at_its_turn() {
    let stage = Stage::new();
    let log = stage.log.clone();
    stage.setup(move |cx: &Acquire<UsesFake>| {
        let fake = cx.get::<Fake>();
        fake.0.add(format!("UsesFake has the one that was supplied: {}", Arc::strong_count(&fake) > 1));
        log.add("set up");
    });
    let app = stage.builder::<UsesFake>().supply(Fake(stage.log.clone())).start().await.unwrap();
    assert!(stage.log.has("UsesFake has the one that was supplied: true"));
    app.shutdown("the test is over");
    let report = app.run().await;
    stage.log.assert_in_order(["released UsesFake", "released Fake"]);
    assert!(stage.log.has("released Config"), "which UsesFake needs itself");
    assert!(report.is_clean());
}

/// §2: supplying is naming.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_part_of_the_application() {
    let stage = Stage::new();
    let app = stage.builder::<Config>().supply(Fake(stage.log.clone())).start().await.unwrap();
    assert!(app.try_get::<Fake>().is_some());
    assert!(app.try_get::<Config>().is_some());
}

/// S4: a start that fails gives it back, too.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_the_start_fails() {
    let stage = Stage::new();
    stage.acquire::<Db>(fails("no database"));
    let report = stage.builder::<Http>().supply(Fake(stage.log.clone())).start().await.unwrap_err();
    assert!(stage.log.has("released Fake"));
    assert_eq!(report.resource("Fake").unwrap().outcome, Outcome::Clean);
}

/// §2.
#[tokio::test(start_paused = true)]
async fn an_application_is_what_was_named_and_what_that_needs() {
    let stage = Stage::new();
    let app = stage.builder::<Db>().start().await.unwrap();
    assert_eq!(stage.log.lines(), ["acquiring Config", "acquired Config", "acquiring Db", "acquired Db"]);
    assert!(app.try_get::<Http>().is_none());
    let panic = catch_unwind(AssertUnwindSafe(|| app.get::<Http>())).err().unwrap();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "the resource `Http` is not there: it is not part of this application, not acquired yet, or released"
    );
}

/// §3: without names, an application is everything that is declared in the program, each under a name of its own.
#[tokio::test(start_paused = true)]
async fn an_application_is_everything_that_is_declared() {
    let stage = Stage::new();
    let builder = App::builder().supply(Arguments(stage.log.clone()));
    let builder = builder.supply(Clock).supply(Elsewhere).supply(Level);
    // Some of what these tests declare fails to start, so that the report of a failed start tells what was found.
    let report = builder.virtual_time().shutdown_timeout(secs(25)).start().await.unwrap_err();
    for name in ["behavior::embedding::Http", "behavior::tasks::Http", "Fake", "AfterRed"] {
        assert!(report.resource(name).is_some(), "{name} is not among {} resources", report.resources.len());
    }
}

/// §2: `()` names nothing.
#[tokio::test(start_paused = true)]
async fn an_application_may_have_no_resource_at_all() {
    let stage = Stage::new();
    let report = stage.builder::<()>().run(async |_| sleep(secs(3)).await).await;
    let first = capture::only("starting").message;
    assert!(first.starts_with("starting no resource; "), "{first}");
    assert!(report.resources.is_empty());
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.phases.last().unwrap(), &(Phase::Stopped, secs(3)));
    assert!(report.is_clean());
}

/// §2: naming more adds.
#[tokio::test(start_paused = true)]
async fn resources_adds() {
    let stage = Stage::new();
    let app = stage.builder::<Config>().resources::<(Db, Http)>().start().await.unwrap();
    assert!(app.try_get::<Http>().is_some());
}

#[tokio::test(start_paused = true)]
async fn two_applications_one_after_the_other() {
    let stage = Stage::new();
    for _ in 0..2 {
        stage.log.clear();
        let app = stage.start::<Http>().await;
        app.shutdown("the test is over");
        assert!(app.run().await.is_clean());
        assert_eq!(stage.log.lines().len(), 12);
    }
}

#[tokio::test(start_paused = true)]
async fn two_applications_at_the_same_time_have_nothing_to_do_with_each_other() {
    let stage = Stage::new();
    let one = stage.start::<Http>().await;
    let other = stage.start::<Http>().await;
    assert!(!Arc::ptr_eq(&one.get::<Db>(), &other.get::<Db>()));
    one.shutdown("one is over");
    assert!(one.run().await.is_clean());
    assert_eq!(other.phase(), Phase::Running);
    assert!(other.try_get::<Db>().is_some());
    other.deliver(Signal::Terminate);
    let report = other.run().await;
    assert_eq!(report.reason, Reason::Signal(Signal::Terminate));
    assert!(report.is_clean());
}

/// Nobody is left to wait for it: it hurries, and says so.
#[tokio::test(start_paused = true)]
async fn an_application_that_is_dropped_stops_in_a_hurry_and_warns() {
    let stage = Stage::new();
    stage.task::<Http>("server", hangs());
    let app = stage.start::<Http>().await;
    let mut phase = app.watch_phase();
    drop(app.clone());
    assert_eq!(*phase.borrow(), Phase::Running, "a clone is not the last one");
    stage.log.clear();
    drop(app);
    phase.wait_for(|phase| *phase == Phase::Stopped).await.unwrap();
    assert_eq!(stage.log.timed_lines()[1], "0 dropped server");
    stage.log.assert_in_order(["released Http", "releasing Db"]);
    assert!(stage.log.has("released Config"));
    assert_eq!(capture::only("was dropped before its end").level, "WARN");
}

#[tokio::test(start_paused = true)]
async fn run_that_is_dropped_stops_in_a_hurry() {
    let stage = Stage::new();
    stage.task::<Http>("server", hangs());
    let app = stage.start::<Http>().await;
    let mut phase = app.watch_phase();
    assert!(timeout(secs(1), app.run()).await.is_err());
    phase.wait_for(|phase| *phase == Phase::Stopped).await.unwrap();
    assert!(stage.log.has("released Config"));
    assert_eq!(capture::only("was dropped before its end").level, "WARN");
}

#[tokio::test(start_paused = true)]
async fn run_that_is_dropped_while_it_stops_ends_in_a_hurry() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(10_000));
    let app = stage.start::<Http>().await;
    let mut phase = app.watch_phase();
    app.shutdown("the test is over");
    assert!(timeout(secs(1), app.run()).await.is_err());
    phase.wait_for(|phase| *phase == Phase::Stopped).await.unwrap();
    assert!(stage.log.timed_lines().contains(&"1000 dropped server".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn start_that_is_dropped_releases_what_it_had_acquired() {
    let stage = Stage::new();
    stage.acquire::<Http>(hangs());
    assert!(timeout(secs(1), stage.builder::<Http>().start()).await.is_err());
    sleep(ms(1)).await;
    assert_eq!(
        stage.log.timed_lines()[5..],
        [
            "1000 cancelled Http",
            "1000 releasing Db",
            "1000 released Db",
            "1000 releasing Config",
            "1000 released Config",
        ]
    );
}

/// The body goes with the future that ran it, and then the resources go.
#[tokio::test(start_paused = true)]
async fn run_with_a_body_that_is_dropped_releases_everything() {
    let stage = Stage::new();
    let body = async |_: App| {
        let _witness = stage.log.on_drop("dropped the body");
        sleep(secs(1_000)).await;
    };
    assert!(timeout(secs(1), stage.builder::<Http>().run(async |app| body(app).await)).await.is_err());
    sleep(ms(1)).await;
    stage.log.assert_in_order(["dropped the body", "releasing Http"]);
    assert!(stage.log.has("released Config"));
}

/// Gives up waiting after one second for an application of `Http` with this body. Returns what a resource that had
/// waited for the end was told.
async fn give_up(stage: &Stage, body: impl AsyncFnOnce(App)) -> Report {
    let (tell, told) = oneshot::channel();
    let tell = Cell::new(Some(tell));
    stage.setup(move |cx: &Acquire<Db>| {
        let (app, tell) = (cx.app(), tell.take().expect("it is acquired once"));
        tokio::spawn(async move { tell.send(app.run().await) });
    });
    assert!(timeout(secs(1), stage.builder::<Http>().run(async |app| body(app).await)).await.is_err());
    told.await.unwrap()
}

/// It is the application that was dropped: its body, which went with it, has done nothing wrong.
#[track_caller]
fn assert_dropped(report: &Report) {
    assert_eq!(report.reason, Reason::Dropped);
    assert_eq!(failures(report), [""; 0]);
    assert_eq!(capture::only("was dropped before its end").level, "WARN");
    assert_eq!(capture::messages_with("`main` failed"), [""; 0]);
}

/// E2.
#[tokio::test(start_paused = true)]
async fn run_with_a_body_that_is_dropped_is_told_as_such_and_not_as_a_failure_of_main() {
    let stage = Stage::new();
    let report = give_up(&stage, async |_| sleep(secs(1_000)).await).await;
    assert_dropped(&report);
}

/// E2, R5: the same for a body that had asked for its notice.
#[tokio::test(start_paused = true)]
async fn run_with_a_body_that_listens_and_is_dropped_is_told_as_such() {
    let stage = Stage::new();
    let report = give_up(&stage, async |app| app.stopping().await).await;
    assert_dropped(&report);
}

/// E2, S4: and for a body that had not begun.
#[tokio::test(start_paused = true)]
async fn run_that_is_dropped_before_its_body_begins_is_told_as_such() {
    let stage = Stage::new();
    stage.acquire::<Http>(hangs());
    let report = give_up(&stage, async |_| ()).await;
    assert_dropped(&report);
}

/// R1: `start` and the failure may cross. The application is not in limbo until its deadline.
#[tokio::test(start_paused = true)]
async fn an_application_whose_task_fails_at_once_ends_at_once() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| cx.spawn("server", async |_| Err("too many open files")));
    let app = stage.builder::<Http>().start().await.expect("it had started, and is handed over");
    let report = app.run().await;
    assert!(report.has_started());
    assert_eq!(report.stop_took, Some(ms(0)), "{report}");
    assert_eq!(report.exit_code, 1);
}

/// D1: the same for a signal that arrives when the last resource does.
#[tokio::test(start_paused = true)]
async fn an_application_that_is_signalled_the_moment_it_runs_ends_at_once() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        let app = cx.app();
        cx.spawn("server", async move |stopping| {
            app.deliver(Signal::Terminate);
            stopping.await;
        });
    });
    let app = stage.builder::<Http>().start().await.expect("it had started, and is handed over");
    assert_ne!(app.phase(), Phase::Starting);
    assert!(app.try_get::<Db>().is_some(), "it is waited for");
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(ms(0)), "{report}");
    assert_eq!(report.exit_code, 0);
}

/// An application with signals of its own: they are its own to pass on.
#[tokio::test(start_paused = true)]
async fn an_application_that_handles_signals_itself_asks_and_insists() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(10_000));
    let report = stage
        .run::<Http>(async |app| {
            app.shutdown("SIGTERM");
            sleep(secs(1)).await;
            app.insist();
        })
        .await;
    assert_eq!(report.stop_took, Some(secs(1)));
}

/// A handle outlives its application, and does no harm.
#[tokio::test(start_paused = true)]
async fn a_handle_to_an_application_that_has_ended_is_harmless() {
    let stage = Stage::new();
    let app = stage.start::<Http>().await;
    app.shutdown("the test is over");
    let _ = app.clone().run().await;
    app.shutdown("again");
    app.deliver(Signal::Interrupt);
    app.insist();
    app.fail("too late");
    assert_eq!(app.phase(), Phase::Stopped);
    assert!(app.try_get::<Db>().is_none());
    assert!(app.stopping().is_stopping());
    assert!(app.draining().is_stopping());
    let report = app.run().await;
    assert_eq!(report.reason, Reason::Requested("the test is over".to_owned()));
    assert_eq!(report.exit_code, 0);
}

/// What runs outside of resources and of the body may fail, too.
#[tokio::test(start_paused = true)]
async fn an_application_may_be_told_that_it_has_failed() {
    let stage = Stage::new();
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(1)).await;
            app.fail("the old server is gone");
            app.fail(std::io::Error::other("and so is the other"));
        })
        .await;
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(failures(&report), ["`main` failed", "`main` failed"]);
    assert_eq!(report.failures[0].resource(), "main");
    assert_eq!(*report.failures[0].operation(), Operation::Main);
    assert_eq!(report.failures[0].cause(), "the old server is gone");
    assert_eq!(report.failures[1].cause(), "and so is the other");
    assert!(report.to_string().contains("  failed: `main` failed: the old server is gone\n"), "{report}");
    assert!(stage.log.has("released Config"));
    assert_eq!(report.exit_code, 1);
}

/// D4: it is a failure like any other, which begins the delay or ends it.
#[tokio::test(start_paused = true)]
async fn an_application_that_was_told_of_a_failure_has_the_delay() {
    for (second, took) in [(None, 5_000), (Some(2_000), 2_000)] {
        let stage = Stage::new();
        if let Some(second) = second {
            stage.at(second, |app| app.fail("and so is the other"));
        }
        let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
        app.fail("the old server is gone");
        assert_eq!(app.run().await.stop_took, Some(ms(took)));
    }
}

/// S4: while it starts, that ends the start.
#[tokio::test(start_paused = true)]
async fn an_application_that_is_told_of_a_failure_while_it_starts_is_rolled_back() {
    let stage = Stage::new();
    stage.acquire::<Http>(hangs()).at(1_000, |app| app.fail("the old server is gone"));
    let report = stage.failed_start::<Http>().await;
    assert_eq!(stage.log.timed_lines()[5..7], ["1000 cancelled Http", "1000 releasing Db"]);
    assert!(
        report.to_string().starts_with("lifecycle: the application did not start: `main` failed\n"),
        "{report}"
    );
    assert!(report.to_string().contains("  cause:         the old server is gone\n"), "{report}");
    assert_eq!(report.exit_code, 1);
}

/// Many may wait for the end, and all are told the same.
#[tokio::test(start_paused = true)]
async fn several_may_wait_for_the_same_end() {
    let stage = Stage::new();
    stage.at(100, |app| app.shutdown("the test is over"));
    let app = stage.start::<Http>().await;
    let (one, other) = tokio::join!(app.clone().run(), app.run());
    assert_eq!(one.to_string(), other.to_string());
}

/// Works with more than one thread, where the stage does not reach.
mod threads {
    use super::*;

    #[resource]
    struct Pool(Notes);

    #[resource(after = Pool)]
    struct Server;

    impl Resource for Pool {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            self.0.add("released Pool");
            Ok(())
        }
    }

    impl Resource for Server {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            let log = cx.get::<Pool>().0.clone();
            cx.spawn("server", async move |stopping| {
                stopping.await;
                log.add("ended server");
            });
            Ok(Self)
        }
    }

    async fn live_once() {
        let stage = Stage::new();
        let pool = Pool(stage.log.clone());
        let app = App::builder().resources::<Server>().supply(pool).start().await.unwrap();
        app.shutdown("the test is over");
        let report = app.run().await;
        assert!(report.is_clean(), "{report}");
        assert_eq!(stage.log.lines(), ["ended server", "released Pool"]);
    }

    /// With the control thread, and the clock that hangs on the wall.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn on_a_runtime_of_many_threads() {
        for _ in 0..20 {
            live_once().await;
        }
    }

    #[tokio::test]
    async fn on_a_runtime_of_one_thread() {
        for _ in 0..20 {
            live_once().await;
        }
    }

    /// What is beneath, and what holds up `Blocked`.
    #[resource(reserve = "2s")]
    struct Held(Notes, Mutex<mpsc::Receiver<()>>);

    /// Its release blocks a thread of the runtime.
    #[resource(after = Held)]
    struct Blocked(Arc<Held>);

    impl Resource for Held {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            self.0.add("released Held");
            Ok(())
        }
    }

    impl Resource for Blocked {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            Ok(Self(cx.get::<Held>()))
        }

        async fn release(&self, _: &Release) -> Result {
            let _ = self.0.1.lock().unwrap().recv();
            Ok(())
        }

        fn abort(&self) {
            self.0.0.add("aborted Blocked");
        }
    }

    /// D6, D7: what cannot be dropped is left behind, and `abort` runs beside it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_release_that_blocks_a_thread_is_left_behind() {
        let stage = Stage::new();
        let (end, wait) = mpsc::channel::<()>();
        // The reserves, 4 s with that of `main`, have to fit 2 s: there is one for Held on a machine with much to do.
        let builder = App::builder().resources::<Blocked>().supply(Held(stage.log.clone(), Mutex::new(wait)));
        let app = builder.shutdown_timeout(secs(4)).start().await.unwrap();
        app.shutdown("the test is over");
        let report = timeout(secs(20), app.run()).await.expect("it is left behind, not waited for");
        until(|| stage.log.has("aborted Blocked")).await;
        assert!(stage.log.has("released Held"));
        assert_eq!(report.resource("Blocked").unwrap().outcome, Outcome::TimedOut);
        assert_eq!(report.resource("Held").unwrap().outcome, Outcome::Clean);
        assert_eq!(report.exit_code, 124);
        drop(end);
    }

    #[resource(foundation)]
    struct Logging(Notes);

    impl Resource for Logging {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            self.0.add("released Logging");
            Ok(())
        }
    }

    #[resource]
    struct Quick;

    impl Resource for Quick {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Self)
        }
    }

    /// Is released while somebody is busy telling of the release of `Quick`.
    #[resource]
    struct Late(Arc<Notify>);

    impl Resource for Late {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            self.0.notified().await;
            Ok(())
        }
    }

    /// E2: what is said last is said by whoever is at it, and the log is there until then.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_log_that_takes_its_time_is_still_there_for_the_report() {
        let stage = Stage::new();
        let (log, told) = (stage.log.clone(), Arc::new(Notify::new()));
        let (logging, late) = (Logging(log.clone()), Late(Arc::clone(&told)));
        capture::listen(move |message| {
            if message.starts_with("released Quick") {
                told.notify_one();
                thread::sleep(ms(20));
            }
            if message.starts_with("stopped in") {
                log.add("the report is said");
            }
        });
        let builder = App::builder().resources::<(Quick, Late, Logging)>().supply(logging).supply(late);
        let app = builder.start().await.unwrap();
        app.shutdown("the test is over");
        let _ = app.run().await;
        assert_eq!(stage.log.lines(), ["the report is said", "released Logging"]);
    }
}

/// S4.
#[tokio::test(start_paused = true)]
async fn a_failed_start_is_an_error_that_carries_the_report() {
    let stage = Stage::new();
    stage.acquire::<Db>(fails("no database"));
    let report = stage.failed_start::<Http>().await;
    assert_eq!(report.exit_code, 1);
    assert!(stage.log.has("released Config"));
}
