//! Rules R5 and E1: the body of `main`, which comes after everything.

use std::cell::Cell;
use std::future::pending;
use std::process::ExitCode;

use lifecycle::{Acquire, App, Interrupted, Operation, Outcome, Reason, Report, Result, Signal, resource};
use tokio::time::sleep;

use crate::stage::{Stage, fails, failures, hangs, ms, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Http;
}

/// Runs `body` over `Db`, with a SIGTERM after one second.
async fn interrupted(stage: &Stage, body: impl AsyncFnOnce(App)) -> Report {
    stage.at(1_000, |app| app.deliver(Signal::Terminate));
    stage
        .builder::<Db>()
        .run(async |app: App| {
            stage.log.clear();
            body(app).await;
        })
        .await
}

/// R5: a plain loop must not cost every Ctrl-C the whole deadline.
#[tokio::test(start_paused = true)]
async fn a_body_that_never_asked_is_dropped_at_its_turn() {
    let stage = Stage::new();
    let report = interrupted(&stage, async |_| {
        let _witness = stage.log.on_drop("dropped the body");
        pending::<()>().await;
    })
    .await;
    assert_eq!(stage.log.timed_lines(), ["1000 dropped the body", "1000 releasing Db", "1000 released Db"]);
    assert_eq!(report.failures.len(), 0);
    assert_eq!(report.exit_code, 128 + 15);
}

/// R5.
#[tokio::test(start_paused = true)]
async fn a_body_that_asked_for_stopping_is_waited_for() {
    let stage = Stage::new();
    let report = interrupted(&stage, async |app| {
        app.stopping().await;
        sleep(secs(2)).await;
        stage.log.add("the body is done");
    })
    .await;
    assert_eq!(stage.log.timed_lines(), ["3000 the body is done", "3000 releasing Db", "3000 released Db"]);
    assert!(report.is_clean());
}

/// R5.
#[tokio::test(start_paused = true)]
async fn a_body_that_asked_for_draining_is_waited_for() {
    let stage = Stage::new();
    let report = interrupted(&stage, async |app| {
        app.draining().await;
        sleep(secs(2)).await;
        stage.log.add("the body is done");
    })
    .await;
    assert_eq!(stage.log.lines()[0], "the body is done");
    assert!(report.is_clean());
}

/// R5: it may have asked and not be listening just now.
#[tokio::test(start_paused = true)]
async fn a_body_that_asked_once_is_waited_for_wherever_it_is() {
    let stage = Stage::new();
    let report = interrupted(&stage, async |app| {
        let stopping = app.stopping();
        sleep(secs(5)).await;
        assert!(stopping.is_stopping());
    })
    .await;
    assert_eq!(stage.log.timed_lines()[0], "5000 releasing Db");
    assert!(report.is_clean());
}

/// R5, D6: and not longer than its share of the deadline.
#[tokio::test(start_paused = true)]
async fn a_body_that_asked_and_hangs_is_dropped_at_its_limit() {
    let stage = Stage::new();
    stage.release::<Db>(takes(999));
    let report = interrupted(&stage, async |app| {
        let _witness = stage.log.on_drop("dropped the body");
        app.stopping().await;
        pending::<()>().await;
    })
    .await;
    stage.log.assert_in_order(["dropped the body", "releasing Db"]);
    assert!(stage.log.has("released Db"));
    assert!(report.stop_took.unwrap() <= secs(25));
    assert_eq!(report.exit_code, 124);
}

/// R5: what resources ask for is no sign of attention by the body.
#[tokio::test(start_paused = true)]
async fn a_resource_that_asks_does_not_ask_for_the_body() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Db>| {
        let _draining = cx.draining();
        let _stopping = (cx.stopping(), cx.app().stopping());
    });
    let report = interrupted(&stage, async |_| pending::<()>().await).await;
    assert_eq!(stage.log.timed_lines()[0], "1000 releasing Db");
    assert_eq!(report.exit_code, 128 + 15);
}

/// R5, E1: a body that never asked, but comes to its end by itself at its turn, was not interrupted.
#[tokio::test(start_paused = true)]
async fn a_body_that_ends_by_itself_at_its_turn_was_not_interrupted() {
    let stage = Stage::new();
    let report = stage
        .builder::<Db>()
        .run(async |app: App| {
            app.deliver(Signal::Terminate);
            stage.log.add("the body is done");
        })
        .await;
    stage.log.assert_in_order(["the body is done", "releasing Db"]);
    assert_eq!(report.reason, Reason::Signal(Signal::Terminate));
    assert!(report.is_clean(), "{report}");
}

/// R5, E1: nor was one that heard of it by way of a resource.
#[tokio::test(start_paused = true)]
async fn a_body_that_hears_of_its_turn_from_elsewhere_and_ends_was_not_interrupted() {
    let stage = Stage::new();
    let (sender, notice) = tokio::sync::oneshot::channel();
    let sender = Cell::new(Some(sender));
    stage.setup(move |cx: &Acquire<Db>| assert!(sender.take().unwrap().send(cx.draining()).is_ok()));
    let report = interrupted(&stage, async |_| {
        notice.await.unwrap().await;
        stage.log.add("the body is done");
    })
    .await;
    assert_eq!(stage.log.timed_lines(), ["1000 the body is done", "1000 releasing Db", "1000 released Db"]);
    assert!(report.is_clean(), "{report}");
}

/// Stops a body that heeds its notice and leaves something undone.
async fn given_up(stage: &Stage, stop: impl FnOnce(&App)) -> Report {
    stage
        .builder::<Db>()
        .run(async |app: App| -> Result<()> {
            stop(&app);
            app.stopping().run_until(sleep(secs(1))).await.ok_or(Interrupted)?;
            Ok(Err(Interrupted)?)
        })
        .await
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_body_that_heeds_its_notice_may_say_that_a_signal_interrupted_it() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let stage = Stage::new();
        let report = given_up(&stage, |app| app.deliver(signal)).await;
        assert_eq!(failures(&report), [""; 0]);
        assert_eq!(report.resource("Db").unwrap().outcome, Outcome::Clean);
        assert_eq!(report.exit_code, signal.exit_code());
        assert_eq!(ExitCode::from(report), ExitCode::from(128 + signal.number()));
    }
}

/// E1: the gravest code wins, as when the body is dropped.
#[tokio::test(start_paused = true)]
async fn a_body_that_gives_up_and_a_release_that_fails_exit_with_the_code_of_the_signal() {
    let stage = Stage::new();
    stage.release::<Db>(fails("disk full"));
    let report = given_up(&stage, |app| app.deliver(Signal::Terminate)).await;
    assert_eq!(failures(&report), ["`Db` could not be released"]);
    assert_eq!(report.exit_code, 128 + 15);
}

/// E1: where no signal asked, none interrupted it.
#[tokio::test(start_paused = true)]
async fn a_body_that_gives_up_at_a_request_exits_with_0() {
    let stage = Stage::new();
    let report = given_up(&stage, |app| app.shutdown("the test is over")).await;
    assert!(report.is_clean(), "{report}");
    let stage = Stage::new();
    let report = given_up(&stage, |app| app.fail("the old server is gone")).await;
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.exit_code, 1);
}

/// E1, E3.
#[tokio::test(start_paused = true)]
async fn a_body_that_gives_up_for_nothing_has_failed() {
    let stage = Stage::new();
    let report = given_up(&stage, |_| {}).await;
    assert_eq!(failures(&report), ["`main` failed"]);
    assert!(report.failures[0].cause().contains("nothing has asked the application to stop"), "{report}");
    assert_eq!(report.exit_code, 1);
}

/// E2: the value of a batch comes back beside the report.
#[tokio::test(start_paused = true)]
async fn a_body_may_hand_back_a_value() {
    let stage = Stage::new();
    let mut value = None;
    let report = stage
        .builder::<Db>()
        .run(async |_| {
            sleep(secs(1)).await;
            value = Some(7);
        })
        .await;
    assert_eq!(value, Some(7));
    assert!(report.is_clean(), "{report}");
}

/// R5, E1: one that would have ended, but not at once, was dropped all the same.
#[tokio::test(start_paused = true)]
async fn a_body_that_would_have_ended_a_moment_later_was_interrupted() {
    let stage = Stage::new();
    let report = interrupted(&stage, async |_| {
        let _witness = stage.log.on_drop("dropped the body");
        sleep(ms(1_001)).await;
    })
    .await;
    assert_eq!(stage.log.timed_lines(), ["1000 dropped the body", "1000 releasing Db", "1000 released Db"]);
    assert_eq!(report.exit_code, 128 + 15);
}

/// R5: a body may be a loop without an end, which has the type `!`.
#[tokio::test(start_paused = true)]
async fn a_body_may_be_an_endless_loop() {
    async fn forever(_: App) -> ! {
        loop {
            sleep(secs(1)).await;
        }
    }
    let stage = Stage::new();
    stage.at(1_500, |app| app.deliver(Signal::Terminate));
    let report = stage.builder::<Db>().run(forever).await;
    let stage = Stage::new();
    assert_eq!(report.stop_took, Some(ms(0)));
    assert_eq!(report.exit_code, 128 + 15);
    let report = interrupted(&stage, async |_| {
        loop {
            sleep(secs(1)).await;
        }
    })
    .await;
    assert_eq!(report.exit_code, 128 + 15);
}

/// E1: no signal, no code of one.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_for_a_request_is_no_interruption() {
    let stage = Stage::new();
    let report = stage
        .builder::<Db>()
        .run(async |app: App| {
            app.shutdown("enough");
            pending::<()>().await;
        })
        .await;
    assert_eq!(report.reason, Reason::Requested("enough".to_owned()));
    assert_eq!(report.exit_code, 0);
}

/// D5: the body comes after everything, so that all it uses is there to its end.
#[tokio::test(start_paused = true)]
async fn nothing_stops_before_the_body_has_ended() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(0));
    let report = stage
        .builder::<Http>()
        .run(async |app: App| {
            stage.log.clear();
            let stopping = app.stopping();
            app.deliver(Signal::Terminate);
            stopping.await;
            sleep(secs(1)).await;
            stage.log.add("the body is done");
        })
        .await;
    assert_eq!(stage.log.lines()[..2], ["the body is done", "stopping server"]);
    assert_eq!(report.exit_code, 0, "it was asked, and it ended");
}

/// S2: everything is there when the body begins.
#[tokio::test(start_paused = true)]
async fn the_body_begins_when_everything_is_acquired() {
    let stage = Stage::new();
    stage.acquire::<Http>(takes(500));
    let report = stage
        .builder::<Http>()
        .run(async |app: App| {
            assert!(stage.log.has("acquired Http"));
            let _http = app.get::<Http>();
        })
        .await;
    assert!(report.is_clean());
}

/// E1: `?` in the body takes any error.
#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_is_named_and_exits_1() {
    async fn body(_: App) -> Result {
        let _answer: i32 = "forty-two".parse()?;
        Ok(())
    }
    let stage = Stage::new();
    let report = stage.builder::<Http>().run(body).await;
    assert_eq!(failures(&report), ["`main` failed"]);
    assert_eq!(*report.failures[0].operation(), Operation::Main);
    assert!(
        report.to_string().contains("failed: `main` failed: invalid digit found in string\n"),
        "{report}"
    );
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(report.exit_code, 1);
    assert!(stage.log.has("released Db"));
}

fn bug() {
    panic!("no such user");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_body_is_named_and_exits_1() {
    let stage = Stage::new();
    let report = stage.builder::<Http>().run(async |_| bug()).await;
    assert_eq!(failures(&report), ["`main` failed"]);
    assert!(report.failures[0].is_panic());
    assert!(report.to_string().contains("panicked: no such user"), "{report}");
    assert_eq!(report.exit_code, 1);
    assert!(stage.log.has("released Db"));
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_code_of_the_body_stands_if_nothing_went_wrong() {
    let stage = Stage::new();
    let report = stage.builder::<Http>().run(async |_| ExitCode::from(7)).await;
    assert_eq!(report.exit_code, 7);
    let stage = Stage::new();
    let report = stage.builder::<Http>().run(async |_| Result::<_>::Ok(ExitCode::from(8))).await;
    assert_eq!(report.exit_code, 8);
    assert!(stage.log.has("released Db"));
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_code_of_the_body_yields_to_a_failure() {
    let stage = Stage::new();
    stage.release::<Db>(fails("disk full"));
    let report = stage.builder::<Http>().run(async |_| ExitCode::from(7)).await;
    assert_eq!(report.exit_code, 1);
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_code_of_the_body_yields_to_a_cut() {
    let stage = Stage::new();
    stage.release::<Db>(hangs());
    let report = stage.builder::<Http>().run(async |_| ExitCode::from(7)).await;
    assert_eq!(report.exit_code, 124);
}

/// R5: the application around us cannot be dropped; it is waited for until it calls `run`.
#[tokio::test(start_paused = true)]
async fn an_embedding_application_is_waited_for_until_it_calls_run() {
    let stage = Stage::new();
    let app = stage.start::<Db>().await;
    stage.log.clear();
    app.deliver(Signal::Terminate);
    sleep(secs(3)).await;
    assert!(!stage.log.has("releasing Db"), "it still uses it");
    let report = app.run().await;
    assert_eq!(stage.log.timed_lines(), ["3000 releasing Db", "3000 released Db"]);
    assert!(report.is_clean());
}

/// D2, D6: a signal counts from when it came, not from when `run` was called. `Db` begins when the second that is set
/// aside for it does, and its last 100 ms are for `abort`.
#[tokio::test(start_paused = true)]
async fn an_embedding_application_that_never_calls_run_does_not_keep_its_resources_from_their_release() {
    let stage = Stage::new();
    stage.release::<Db>(takes(899));
    let app = stage.start::<Db>().await;
    stage.log.clear();
    app.deliver(Signal::Terminate);
    sleep(secs(25)).await;
    assert_eq!(stage.log.timed_lines(), ["24000 releasing Db", "24899 released Db"]);
    let report = app.run().await;
    assert_eq!(report.resource("Db").unwrap().outcome, Outcome::Clean);
    assert_eq!(report.exit_code, 124);
}

/// A visitor's `run` waits, and owes nothing.
#[tokio::test(start_paused = true)]
async fn anybody_may_wait_for_the_end() {
    let stage = Stage::new();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    stage.setup(move |cx: &Acquire<Db>| {
        let (app, sender) = (cx.app(), sender.clone());
        tokio::spawn(async move {
            let report = app.run().await;
            sender.send(report.exit_code).unwrap();
        });
    });
    let _ = stage
        .run::<Db>(async |app| {
            sleep(ms(10)).await;
            app.shutdown("the test is over");
        })
        .await;
    assert_eq!(receiver.recv().await, Some(0));
}
