//! §9: resources that are declared `reload` reload while the application runs.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use lifecycle::{
    Acquire, App, Builder, Failure, Hangup, Operation, Reason, Reload, ReloadReason, Resource, Result,
    Signal, Supplied, resource,
};
use tokio::time::{Instant, sleep};

use crate::capture;
use crate::stage::{Fault, Stage, fails, hangs, live, ms, notes, panics, secs, takes};

thread_local! {
    static ACTS: RefCell<HashMap<&'static str, VecDeque<Fault>>> = RefCell::default();
}

/// What the next calls of a hook do, one after the other.
fn next(name: &'static str, acts: impl IntoIterator<Item = Fault>) {
    ACTS.with_borrow_mut(|all| all.entry(name).or_default().extend(acts));
}

async fn play(name: &'static str, cx: &Reload) -> Result {
    let log = notes();
    let words = match cx.reason() {
        ReloadReason::Hangup => "SIGHUP",
        ReloadReason::Requested => "request",
        reason => panic!("there is no {reason}"),
    };
    log.add(format!("reloading {name}: {words}"));
    let _gone = log.on_drop(format!("over {name}"));
    // What nothing is planned for takes no time and succeeds.
    let fault = ACTS.with_borrow_mut(|all| all.entry(name).or_default().pop_front());
    fault.unwrap_or(takes(0)).happen().await?;
    log.add(format!("reloaded {name}"));
    Ok(())
}

macro_rules! reloading {
    ($($(#[$attribute:meta])* struct $name:ident;)*) => {$(
        $(#[$attribute])*
        struct $name;

        impl Resource for $name {
            async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
                notes().add(concat!("acquired ", stringify!($name)));
                cx.spawn("live", |stopping| stopping);
                Ok(Self)
            }

            async fn reload(&self, cx: &Reload) -> Result {
                play(stringify!($name), cx).await
            }
        }
    )*};
}

reloading! {
    #[resource(reload, acquire_timeout = "5s")]
    struct Settings;
    #[resource(reload, after = Settings)]
    struct Pool;
    #[resource(reload, after = [Pool, Settings])]
    struct Tls;
    #[resource(reload, optional, after = Settings)]
    struct Filter;
}

/// It does not reload.
#[resource(after = Settings)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        sleep(secs(1)).await;
        cx.spawn("serve", |stopping| stopping);
        Ok(Self)
    }
}

#[resource]
struct Plain;

impl Resource for Plain {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("serve", |stopping| stopping);
        Ok(Self)
    }
}

fn stage() -> Stage {
    ACTS.take();
    Stage::new()
}

async fn start(builder: Builder) -> App {
    let app = builder.start().await.unwrap_or_else(|report| panic!("it did not start:\n{report}"));
    notes().clear();
    app
}

/// Until everything that is due now has happened.
async fn settle() {
    sleep(ms(1)).await;
}

#[tokio::test(start_paused = true)]
async fn resources_reload_one_after_the_other_and_dependencies_first() {
    let stage = stage();
    next("Settings", [takes(100)]);
    let app = start(stage.builder::<(Tls, Filter)>()).await;
    app.deliver(Signal::Hangup);
    sleep(secs(1)).await;
    let lines = stage.log.lines();
    let begun: Vec<&String> = lines.iter().filter(|line| line.starts_with("reloading")).collect();
    assert_eq!(begun.len(), 4, "{lines:?}");
    assert_eq!(lines[..3], ["reloading Settings: SIGHUP", "reloaded Settings", "over Settings"]);
    // Never two at once.
    for three in lines.chunks(3) {
        assert!(three[0].starts_with("reloading") && three[2].starts_with("over"), "{lines:?}");
    }
    stage.log.assert_in_order(["reloaded Pool", "reloading Tls: SIGHUP"]);
    assert_eq!(capture::messages_with("reloading: "), ["reloading: SIGHUP received"]);
    assert_eq!(capture::messages_with("reloaded Settings"), ["reloaded Settings in 100 ms"]);
    assert_eq!(capture::messages_with("reloaded 4"), ["reloaded 4 resources in 100 ms"]);
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!((report.exit_code, report.reloads.count, report.reloads.failed), (0, 1, 0));
    // It asked for no stop.
    assert!(report.signals.is_empty(), "{:?}", report.signals);
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_others_reloading_and_ends_nothing() {
    let stage = stage();
    next("Settings", [fails("Settings is broken")]);
    next("Pool", [panics("Pool panics")]);
    let app = start(stage.builder::<Tls>()).await;
    let error = app.reload().await.unwrap_err();
    let failed: Vec<&str> = error.failures().iter().map(Failure::resource).collect();
    assert_eq!(failed, ["Settings", "Pool"]);
    assert!(error.failures().iter().all(Failure::is_tolerated));
    assert_eq!(*error.failures()[0].operation(), Operation::Reload);
    assert_eq!(
        error.to_string(),
        "`Settings` could not be reloaded: Settings is broken; `Pool` could not be reloaded: panicked: Pool panics"
    );
    assert!(stage.log.has("reloaded Tls"));
    let line = capture::only("`Settings` could not be reloaded");
    assert_eq!(line.level, "ERROR");
    assert!(line.message.ends_with("Settings is broken; it keeps what it had"), "{}", line.message);
    assert_eq!(capture::only("reloaded 1 resource").level, "WARN");
    // The next one is as if nothing had been.
    app.reload().await.unwrap();
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!((report.exit_code, report.is_clean()), (0, true));
    assert_eq!((report.reloads.count, report.reloads.failed), (2, 1));
    assert!(report.reloads.last.as_ref().unwrap().failures.is_empty() && !report.reloads.is_stale());
    assert_eq!(report.reloads.last_failed.as_ref().unwrap().failures.len(), 2);
    assert!(report.to_string().contains("reloads: 2, of which 1 failed"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_hook_is_dropped_when_its_acquire_timeout_is_over() {
    let stage = stage();
    next("Settings", [hangs()]);
    let app = start(stage.builder::<Pool>()).await;
    let began = Instant::now();
    let error = app.reload().await.unwrap_err();
    assert_eq!(began.elapsed(), secs(5));
    assert_eq!(error.failures()[0].cause(), "timed out: acquire_timeout is 5.0 s");
    stage.log.assert_in_order(["over Settings", "reloaded Pool"]);
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

/// What was cut off is in the way for a moment.
#[tokio::test(start_paused = true)]
async fn a_request_behind_a_hook_that_hangs_is_tried_once_that_was_cut_off() {
    let stage = stage();
    next("Settings", [hangs()]);
    let app = start(stage.builder::<Settings>()).await;
    let began = Instant::now();
    let hangs = app.reload();
    settle().await;
    let succeeds = app.reload();
    hangs.await.unwrap_err();
    succeeds.await.unwrap();
    assert_eq!(began.elapsed(), secs(5));
    app.shutdown("the test is over");
    let reloads = app.run().await.reloads;
    assert_eq!((reloads.count, reloads.failed), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn without_an_acquire_timeout_a_hook_has_the_startup_timeout() {
    let stage = stage();
    next("Pool", [hangs()]);
    let app = start(stage.builder::<Pool>().startup_timeout(secs(7))).await;
    let began = Instant::now();
    let error = app.reload().await.unwrap_err();
    assert_eq!(began.elapsed(), secs(7));
    assert_eq!(error.failures()[0].cause(), "timed out: startup_timeout is 7.0 s");
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

#[tokio::test(start_paused = true)]
async fn any_number_of_requests_during_a_reload_make_one_more() {
    let stage = stage();
    next("Settings", [takes(1_000)]);
    let app = start(stage.builder::<Settings>()).await;
    let first = app.reload();
    settle().await;
    let others = [app.reload(), app.reload()];
    app.deliver(Signal::Hangup);
    first.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    settle().await;
    let lines = stage.log.lines();
    let begun = lines.iter().filter(|line| line.starts_with("reloading")).count();
    assert_eq!(begun, 2, "{lines:?}");
    assert_eq!(capture::messages_with("a reload is under way").len(), 1);
    app.shutdown("the test is over");
    assert_eq!(app.run().await.reloads.count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_during_the_start_is_answered_once_everything_is_acquired() {
    let stage = stage();
    let builder = stage.builder::<Http>();
    let app = builder.resources::<Asking>().start().await.unwrap();
    app.reload().await.unwrap();
    stage.log.assert_in_order(["acquired Settings", "reloading Settings: SIGHUP"]);
    let lines = stage.log.lines();
    assert_eq!(lines.iter().filter(|line| *line == "reloading Settings: SIGHUP").count(), 1, "{lines:?}");
    assert_eq!(
        capture::messages_with("still starting"),
        ["SIGHUP received: still starting; reloading once everything is acquired"]
    );
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

/// SIGHUP comes twice while the application starts.
#[resource]
struct Asking;

impl Resource for Asking {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let app = cx.app();
        app.deliver(Signal::Hangup);
        app.deliver(Signal::Hangup);
        Ok(Self)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_wins_over_a_reload() {
    let stage = stage();
    next("Settings", [hangs()]);
    let app = start(stage.builder::<Pool>().drain_delay(secs(3))).await;
    let (first, second) = (app.reload(), app.reload());
    settle().await;
    app.shutdown("the test is over");
    settle().await;
    // At once, and not only when the delay is over.
    assert_eq!(stage.log.lines(), ["reloading Settings: request", "over Settings"]);
    for asked in [first, second, app.reload()] {
        let error = asked.await.unwrap_err();
        assert!(error.is_stopping() && error.failures().is_empty());
        assert_eq!(error.to_string(), "not reloaded: the application is stopping");
    }
    app.deliver(Signal::Hangup);
    let report = app.run().await;
    assert_eq!((report.exit_code, report.reloads.count), (0, 0));
    assert!(!stage.log.has("reloading Pool: request"));
    assert_eq!(capture::messages_with("is dropped"), ["stopping: the reload of Settings is dropped"]);
    assert_eq!(
        capture::messages_with("requested by the program: "),
        [
            "requested by the program: a reload is under way; reloading once more after it",
            "requested by the program: stopping, and so not reloaded",
            "requested by the program: stopping, and so not reloaded",
        ]
    );
    assert_eq!(capture::messages_with("SIGHUP: already stopping").len(), 1);
}

/// D1: without such a resource, SIGHUP stops.
#[tokio::test(start_paused = true)]
async fn sighup_reloads_only_where_something_reloads_or_as_it_was_decided() {
    let stage = stage();
    let app = start(stage.builder::<Plain>()).await;
    app.deliver(Signal::Hangup);
    assert_eq!(app.run().await.reason, Reason::Signal(Signal::Hangup));

    let app = start(stage.builder::<Settings>().hangup(Hangup::Stop)).await;
    app.deliver(Signal::Hangup);
    assert_eq!(app.run().await.reason, Reason::Signal(Signal::Hangup));

    let app = start(stage.builder::<Settings>().hangup(Hangup::Ignore)).await;
    let report = live(app, async |app| {
        app.deliver(Signal::Hangup);
        settle().await;
        app.reload().await.unwrap();
        app.shutdown("the test is over");
        app.deliver(Signal::Hangup);
    });
    let report = report.await;
    assert_eq!((report.reloads.count, report.signals.len(), report.exit_code), (1, 0, 0));

    let app = start(stage.builder::<Plain>().hangup(Hangup::Reload)).await;
    let report = live(app, async |app| {
        app.deliver(Signal::Hangup);
        settle().await;
        app.shutdown("the test is over");
    });
    assert_eq!(report.await.exit_code, 0);
    assert_eq!(capture::messages_with("nothing to reload").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_does_not_reload() {
    #[resource(optional, reload)]
    struct Absent;

    impl Resource for Absent {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is not there".into())
        }

        async fn reload(&self, cx: &Reload) -> Result {
            play("Absent", cx).await
        }
    }

    let stage = stage();
    let app = start(stage.builder::<(Absent, Settings)>()).await;
    app.reload().await.unwrap();
    assert!(stage.log.has("reloaded Settings") && !stage.log.has("reloaded Absent"));
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

#[resource(supplied, reload, acquire_timeout = "2s")]
pub(crate) struct Level;

impl Supplied for Level {
    async fn reload(&self, cx: &Reload) -> Result {
        play("Level", cx).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_supplied_reloads_too() {
    let stage = stage();
    next("Level", [takes(10), hangs()]);
    let app = start(stage.builder::<Level>().supply(Level).supply(Settings)).await;
    app.reload().await.unwrap();
    assert!(stage.log.has("reloaded Level") && stage.log.has("reloaded Settings"));
    let error = app.reload().await.unwrap_err();
    assert_eq!(error.failures()[0].cause(), "timed out: acquire_timeout is 2.0 s");
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hook_knows_how_much_time_it_has() {
    #[resource(reload, acquire_timeout = "4s")]
    struct Timed;

    impl Resource for Timed {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Self)
        }

        async fn reload(&self, cx: &Reload) -> Result {
            assert_eq!(cx.deadline(), Some(Instant::now() + secs(4)));
            sleep(secs(1)).await;
            assert_eq!(cx.remaining(), Some(secs(3)));
            Ok(())
        }
    }

    let stage = stage();
    let app = start(stage.builder::<Timed>()).await;
    app.reload().await.unwrap();
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

/// A reload keeps nothing alive, and what is left to live for decides.
#[tokio::test(start_paused = true)]
async fn an_application_ends_although_it_reloads() {
    #[resource(reload)]
    struct Short;

    impl Resource for Short {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            cx.spawn("short", |_| sleep(secs(1)));
            Ok(Self)
        }

        async fn reload(&self, cx: &Reload) -> Result {
            play("Short", cx).await
        }
    }

    let stage = stage();
    next("Short", [hangs()]);
    let report = stage.builder::<Short>().run(async |app: App| drop(app.reload())).await;
    assert_eq!((report.reason, report.exit_code), (Reason::Finished, 0));
    assert_eq!(stage.log.lines(), ["reloading Short: request", "over Short"]);
}

#[tokio::test(start_paused = true)]
async fn the_report_does_not_grow_with_the_number_of_reloads() {
    let stage = stage();
    let app = start(stage.builder::<Settings>()).await;
    for round in 0..5_000 {
        next("Settings", (round % 2 == 0).then(|| fails("Settings is broken")));
        app.deliver(Signal::Hangup);
        let outcome = app.reload().await;
        stage.log.clear();
        drop(outcome);
    }
    app.shutdown("the test is over");
    let report = app.run().await;
    let reloads = &report.reloads;
    assert!(reloads.count >= 5_000 && reloads.failed == 2_500, "{reloads:?}");
    assert_eq!(reloads.last_failed.as_ref().unwrap().failures.len(), 1);
    assert!(report.signals.is_empty() && report.failures.is_empty());
}

/// Nobody waits for what never comes, whenever it is asked for.
#[tokio::test(start_paused = true)]
async fn a_request_after_the_end_is_answered_with_an_error() {
    let stage = stage();
    let app = start(stage.builder::<Settings>()).await;
    let visitor = app.clone();
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
    assert!(visitor.reload().await.unwrap_err().is_stopping());
}

#[tokio::test(start_paused = true)]
async fn a_request_during_a_start_that_fails_is_answered_with_an_error() {
    /// It asks, and the start fails.
    #[resource(after = Settings)]
    struct Hopeless;

    thread_local! {
        static ASKED: std::cell::Cell<Option<lifecycle::Reloading>> = const { std::cell::Cell::new(None) };
    }

    impl Resource for Hopeless {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            ASKED.set(Some(cx.app().reload()));
            sleep(secs(1)).await;
            Err("no hope".into())
        }
    }

    let stage = stage();
    let report = stage.builder::<Hopeless>().start().await.unwrap_err();
    assert_eq!(report.exit_code, 1);
    assert!(ASKED.take().expect("it has asked").await.unwrap_err().is_stopping());
    assert!(!stage.log.has("reloading Settings: request"));
}

/// The future of the hook is gone before the release begins, and the guard with it.
#[tokio::test(start_paused = true)]
async fn a_lock_that_a_dropped_hook_has_held_is_free_in_the_release() {
    #[resource(reload)]
    struct Guarded(tokio::sync::Mutex<()>);

    impl Resource for Guarded {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            cx.spawn("serve", |stopping| stopping);
            Ok(Self(tokio::sync::Mutex::default()))
        }

        async fn reload(&self, _: &Reload) -> Result {
            let _guard = self.0.lock().await;
            std::future::pending().await
        }

        async fn release(&self, _: &lifecycle::Release) -> Result {
            let _guard = self.0.try_lock()?;
            Ok(())
        }
    }

    let stage = stage();
    let app = start(stage.builder::<Guarded>()).await;
    let asked = app.reload();
    settle().await;
    app.deliver(Signal::Terminate);
    assert!(asked.await.unwrap_err().is_stopping());
    let report = app.run().await;
    assert!(report.failures.is_empty(), "{report}");
}
