//! Rule D8: SIGTERM asks, SIGINT and SIGQUIT insist.

use lifecycle::Signal::{self, Hangup, Interrupt, Quit, Terminate};
use lifecycle::testing::Event;
use lifecycle::{App, Outcome, Phase, Reason, Report, resource};
use tokio::time::sleep;

use crate::capture;
use crate::stage::{Stage, hangs, ms, scripted, secs, takes};

scripted! {
    #[resource(reserve = "3s")]
    struct Db;
    #[resource(after = Db, reserve = "2s")]
    struct Http;
}

/// `Http` has a server that takes ten seconds to drain; the signals arrive at their times.
async fn signals(stage: &Stage, signals: &[(u64, Signal)]) -> Report {
    stage.task::<Http>("server", takes(10_000));
    for &(at, signal) in signals {
        deliver(stage, at, signal);
    }
    let app = stage.start::<Http>().await;
    stage.log.clear();
    app.run().await
}

/// Counted from the moment at which everything is acquired, if that takes no time.
fn deliver(stage: &Stage, at: u64, signal: Signal) {
    if at == 0 {
        let _ = stage.world.clone().when(Event::phase(Phase::Running), move |app| app.deliver(signal));
    } else {
        stage.at(at, move |app| app.deliver(signal));
    }
}

const SIGNALS: [Signal; 4] = [Hangup, Interrupt, Quit, Terminate];

/// D1, D8.
#[tokio::test(start_paused = true)]
async fn the_first_signal_means_the_same_whichever_it_is() {
    for signal in SIGNALS {
        let stage = Stage::new();
        let report = signals(&stage, &[(0, signal)]).await;
        assert!(stage.log.has("ended server"));
        assert_eq!(report.stop_took, Some(secs(10)));
        assert_eq!(report.reason, Reason::Signal(signal));
        assert_eq!(report.exit_code, 0);
    }
}

/// D8, PEERS (comprehensive: a second SIGTERM abandons the clean-up): supervisors repeat it.
#[tokio::test(start_paused = true)]
async fn a_repeated_sigterm_or_sighup_changes_nothing() {
    for again in [Terminate, Hangup] {
        for first in SIGNALS {
            let stage = Stage::new();
            let report = signals(&stage, &[(0, first), (1_000, again), (2_000, again), (3_000, again)]).await;
            assert!(stage.log.has("ended server"));
            assert_eq!(report.stop_took, Some(secs(10)));
            assert_eq!(report.exit_code, 0);
        }
    }
}

/// D8: and is answered.
#[tokio::test(start_paused = true)]
async fn a_repeated_sigterm_is_answered_in_the_log() {
    let stage = Stage::new();
    let _ = signals(&stage, &[(0, Terminate), (3_000, Terminate)]).await;
    let line = capture::only("already stopping");
    assert_eq!(line.level, "INFO");
    assert_eq!(line.message, "SIGTERM: already stopping, 22.0 s left; SIGINT hurries");
}

/// D8, PEERS (a second Ctrl-C is swallowed).
#[tokio::test(start_paused = true)]
async fn a_second_sigint_or_sigquit_ends_the_draining() {
    for (insisting, code) in [(Interrupt, 130), (Quit, 131)] {
        for first in SIGNALS {
            let stage = Stage::new();
            let report = signals(&stage, &[(0, first), (1_000, insisting)]).await;
            assert_eq!(
                stage.log.timed_lines(),
                [
                    "0 stopping server",
                    "1000 dropped server",
                    "1000 releasing Http",
                    "1000 released Http",
                    "1000 releasing Db",
                    "1000 released Db",
                ]
            );
            assert_eq!(report.exit_code, code);
            assert_eq!(report.reason, Reason::Signal(first));
            assert_eq!(report.resource("Http").unwrap().aborted_tasks, ["server"]);
        }
    }
}

/// D8.
#[tokio::test(start_paused = true)]
async fn a_hurry_is_told_with_the_time_that_is_left() {
    let stage = Stage::new();
    let _ = signals(&stage, &[(0, Terminate), (1_000, Interrupt)]).await;
    let line = capture::only("no more waiting");
    assert_eq!(line.level, "WARN");
    assert_eq!(line.message, "SIGINT: no more waiting for work in flight; 5.0 s left for the releases");
}

/// D8, D6: hurried releases keep what was set aside for them, but for the 100 ms that are for `abort`.
#[tokio::test(start_paused = true)]
async fn releases_keep_their_reserves_in_a_hurry() {
    let stage = Stage::new();
    stage.release::<Http>(takes(1_899)).release::<Db>(takes(2_999));
    let report = signals(&stage, &[(0, Terminate), (1_000, Interrupt)]).await;
    assert_eq!(report.resource("Http").unwrap().release, Some(ms(1_899)));
    assert_eq!(
        report.resource("Http").unwrap().outcome,
        Outcome::Aborted,
        "for its server, not for its release"
    );
    assert_eq!(
        report.resource("Db").unwrap().release,
        Some(ms(2_999)),
        "it begins early, and has till 5.9 s"
    );
    assert_eq!(report.resource("Db").unwrap().outcome, Outcome::Clean);
    assert!(report.failures.is_empty());
    assert_eq!(report.exit_code, 130);
}

/// D8.
#[tokio::test(start_paused = true)]
async fn a_hung_release_gets_no_more_than_its_reserve_in_a_hurry() {
    let stage = Stage::new();
    stage.release::<Http>(hangs()).release::<Db>(hangs());
    let report = signals(&stage, &[(0, Terminate), (1_000, Interrupt)]).await;
    let timed = stage.log.timed_lines();
    // The reserves of 2 s and 3 s from the hurry at 1 s, each but for the 100 ms that are for `abort`.
    assert!(timed.contains(&"2900 cut Http".to_owned()), "{timed:?}");
    assert!(timed.contains(&"5900 cut Db".to_owned()), "{timed:?}");
    assert_eq!(report.stop_took, Some(ms(5_900)));
    assert_eq!(report.exit_code, 130, "the hurry counts for more than the cut");
}

/// D8: a hurry gives nobody more time than they had.
#[tokio::test(start_paused = true)]
async fn a_hurry_near_the_end_does_not_extend_the_deadline() {
    let stage = Stage::new();
    stage.release::<Http>(hangs()).release::<Db>(hangs());
    let report = signals(&stage, &[(0, Terminate), (21_000, Interrupt)]).await;
    let timed = stage.log.timed_lines();
    assert!(timed.contains(&"21900 cut Http".to_owned()), "{timed:?}");
    assert!(timed.contains(&"24900 cut Db".to_owned()), "{timed:?}");
    assert_eq!(report.stop_took, Some(ms(24_900)));
}

/// D8: turns that are over need no time any more.
#[tokio::test(start_paused = true)]
async fn a_hurry_leaves_time_only_for_the_turns_that_are_left() {
    let stage = Stage::new();
    stage.release::<Db>(hangs());
    let report = signals(&stage, &[(0, Terminate), (11_000, Interrupt)]).await;
    assert!(stage.log.has("ended server"), "it had its ten seconds");
    assert_eq!(
        report.stop_took,
        Some(ms(13_900)),
        "3 s from the hurry, but for the 100 ms that are for `abort`"
    );
}

/// D8, PEERS (uvicorn: a parent and a terminal both deliver): within half a second it is the same signal.
#[tokio::test(start_paused = true)]
async fn a_signal_right_after_another_is_the_same_one() {
    for (at, code) in [(0, 0), (1, 0), (499, 0), (500, 130), (501, 130)] {
        let stage = Stage::new();
        let report = signals(&stage, &[(0, Interrupt), (at, Interrupt)]).await;
        assert_eq!(report.exit_code, code, "after {at} ms");
    }
}

/// D8: what did not count does not begin another half second.
#[tokio::test(start_paused = true)]
async fn the_half_second_counts_from_the_last_signal_that_counted() {
    let stage = Stage::new();
    let report = signals(&stage, &[(0, Interrupt), (400, Interrupt), (600, Interrupt)]).await;
    assert_eq!(report.exit_code, 130);
    assert_eq!(report.stop_took, Some(ms(600)));
}

/// D8: the third, delivered twice like the second, is still no third.
#[tokio::test(start_paused = true)]
async fn a_doubled_second_signal_does_not_end_the_process() {
    let stage = Stage::new();
    stage.release::<Db>(takes(2_000));
    let report =
        signals(&stage, &[(0, Interrupt), (1_000, Interrupt), (1_100, Interrupt), (1_400, Quit)]).await;
    assert!(stage.log.has("released Db"));
    assert_eq!(report.exit_code, 130);
}

/// D8: the delay ends, too.
#[tokio::test(start_paused = true)]
async fn insisting_ends_the_delay() {
    let stage = Stage::new();
    deliver(&stage, 0, Terminate);
    deliver(&stage, 1_000, Interrupt);
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(secs(1)));
    assert_eq!(report.exit_code, 130);
}

/// D8: no signal came before, so that the first SIGINT insists.
#[tokio::test(start_paused = true)]
async fn a_sigint_after_a_request_insists_however_soon() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(10_000));
    let app = stage.start::<Http>().await;
    app.shutdown("deployment");
    app.deliver(Interrupt);
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(secs(0)));
    assert_eq!(report.exit_code, 130);
}

/// D8: a call does what a second Ctrl-C does, and no signal is to blame for it.
#[tokio::test(start_paused = true)]
async fn a_call_may_insist() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(10_000)).release::<Db>(takes(2_999));
    let report = stage
        .run::<Http>(async |app| {
            app.shutdown("deployment");
            sleep(secs(1)).await;
            app.insist();
            app.insist();
        })
        .await;
    assert_eq!(report.stop_took, Some(ms(3_999)));
    assert_eq!(report.reason, Reason::Requested("deployment".to_owned()));
    assert_eq!(report.resource("Http").unwrap().aborted_tasks, ["server"]);
    assert_eq!(report.exit_code, 124);
}

/// D8.
#[tokio::test(start_paused = true)]
async fn a_call_may_insist_on_an_application_that_runs() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(10_000));
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    app.insist();
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(secs(0)));
    assert!(stage.log.has("released Db"));
}

/// D8: it works in every phase, before the first resource is there, too.
#[tokio::test(start_paused = true)]
async fn insisting_ends_a_roll_back_early() {
    let stage = Stage::new();
    stage.acquire::<Http>(hangs()).task::<Http>("server", takes(10_000));
    deliver(&stage, 1_000, Terminate);
    deliver(&stage, 2_000, Interrupt);
    let report = stage.failed_start::<Http>().await;
    assert_eq!(report.stop_took, Some(secs(1)));
    assert!(stage.log.has("released Db"));
    assert_eq!(report.exit_code, 130);
}

/// D8, R5: a body that is waited for is not waited for any longer.
#[tokio::test(start_paused = true)]
async fn insisting_drops_the_body() {
    let stage = Stage::new();
    deliver(&stage, 1_000, Terminate);
    deliver(&stage, 2_000, Interrupt);
    let report = stage
        .builder::<Http>()
        .run(async |app: App| {
            let _witness = stage.log.on_drop("dropped the body");
            app.stopping().await;
            sleep(secs(20)).await;
        })
        .await;
    stage.log.assert_in_order(["dropped the body", "releasing Http"]);
    assert_eq!(report.stop_took, Some(secs(1)));
    assert_eq!(report.exit_code, 130);
}

/// E1: whoever watches the phase sees the whole way in a hurry, too.
#[tokio::test(start_paused = true)]
async fn a_hurried_end_goes_through_every_phase() {
    let stage = Stage::new();
    let report = signals(&stage, &[(0, Terminate), (1_000, Interrupt)]).await;
    let phases: Vec<Phase> = report.phases.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, [Phase::Starting, Phase::Running, Phase::Draining, Phase::Stopping, Phase::Stopped]);
}
