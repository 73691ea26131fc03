//! Rules S4 and S5: a start that fails or is interrupted leaves nothing behind, and says what happened.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifecycle::{Acquire, Operation, Outcome, Reason, Report, Resource, Result, Signal, resource};
use tokio::time::{Instant, sleep};

use crate::capture;
use crate::stage::{Fault, Stage, fails, failures, hangs, ms, panics, scripted, secs, takes};

scripted! {
    #[resource]
    struct Config;
    #[resource(after = Config)]
    struct Db;
    #[resource(after = Config)]
    struct Cache;
    #[resource(after = Db, acquire_timeout = "1s")]
    struct Jobs;
    #[resource(after = [Jobs, Cache])]
    struct Http;
}

fn outcome(report: &Report, name: &str) -> Outcome {
    report.resource(name).unwrap().outcome
}

/// `Jobs` fails while `Cache` is being acquired.
async fn check(act: Fault, expected: Outcome, cause: &str) {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(10)).acquire::<Jobs>(act).acquire::<Cache>(hangs());
    let report = stage.failed_start::<Http>().await;
    let lines = stage.log.lines();
    let failed_at = lines.iter().position(|line| line == "acquiring Jobs").unwrap() + 1;
    assert_eq!(
        lines[failed_at..].iter().filter(|line| *line != "cancelled Jobs").collect::<Vec<_>>(),
        ["cancelled Cache", "releasing Db", "released Db", "releasing Config", "released Config"]
    );
    assert_eq!(outcome(&report, "Config"), Outcome::Clean);
    assert_eq!(outcome(&report, "Db"), Outcome::Clean);
    assert_eq!(outcome(&report, "Jobs"), expected);
    assert_eq!(outcome(&report, "Cache"), Outcome::Cancelled);
    assert_eq!(outcome(&report, "Http"), Outcome::NeverStarted);
    assert_eq!(failures(&report), ["`Jobs` could not be acquired"]);
    assert_eq!(*report.failures[0].operation(), Operation::Acquire);
    assert_eq!(report.failures[0].chain(), ["Http", "Jobs"]);
    assert!(report.to_string().contains(cause), "{report}");
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(report.exit_code, 1);
    assert!(!report.has_started());
}

/// S4.
#[tokio::test(start_paused = true)]
async fn an_error_rolls_back_what_was_acquired() {
    check(fails("no queue").after(ms(100)), Outcome::Failed, "cause:         no queue\n").await;
}

/// S4.
#[tokio::test(start_paused = true)]
async fn an_error_before_the_first_await_rolls_back_too() {
    check(fails("no queue"), Outcome::Failed, "cause:         no queue\n").await;
}

/// S4.
#[tokio::test(start_paused = true)]
async fn a_panic_rolls_back_what_was_acquired() {
    check(
        panics("out of bounds").after(ms(100)),
        Outcome::Panicked,
        "cause:         panicked: out of bounds\n",
    )
    .await;
}

/// S4, S3.
#[tokio::test(start_paused = true)]
async fn a_time_out_rolls_back_what_was_acquired() {
    check(hangs(), Outcome::TimedOut, "cause:         timed out: acquire_timeout is 1.0 s\n").await;
}

/// S4.
#[tokio::test(start_paused = true)]
async fn the_roll_back_releases_in_reverse() {
    let stage = Stage::new();
    for role in
        [Stage::release::<Config>, Stage::release::<Db>, Stage::release::<Jobs>, Stage::release::<Cache>]
    {
        role(&stage, takes(10));
    }
    stage.acquire::<Http>(fails("port taken"));
    let report = stage.failed_start::<Http>().await;
    stage.log.assert_in_order(["released Jobs", "releasing Db"]);
    stage.log.assert_in_order(["released Db", "releasing Config"]);
    stage.log.assert_in_order(["released Cache", "releasing Config"]);
    assert!(!stage.log.has("releasing Http"));
    assert_eq!(report.stop_took, Some(ms(30)));
}

/// S4, PEERS (fx rolls back nothing after a time-out: its context has expired). The roll-back has a whole
/// `shutdown_timeout` of its own.
#[tokio::test(start_paused = true)]
async fn a_start_that_timed_out_is_rolled_back_under_a_fresh_deadline() {
    let stage = Stage::new();
    stage.acquire::<Http>(hangs()).release::<Db>(takes(20_000));
    let began = Instant::now();
    let report = stage.builder::<Http>().startup_timeout(secs(5)).start().await.unwrap_err();
    assert_eq!(began.elapsed(), secs(25));
    assert_eq!(outcome(&report, "Db"), Outcome::Clean);
    assert_eq!(outcome(&report, "Config"), Outcome::Clean);
    assert_eq!(report.exit_code, 1);
}

/// S4: what an acquisition needed goes after the tasks that it spawned, though it never completed.
#[tokio::test(start_paused = true)]
async fn tasks_of_a_cancelled_acquisition_end_before_what_it_needed_is_released() {
    let stage = Stage::new();
    stage.acquire::<Jobs>(hangs()).task::<Jobs>("worker", takes(300));
    stage.acquire::<Cache>(fails("no cache").after(ms(50)));
    let report = stage.failed_start::<Http>().await;
    let lines = stage.log.timed_lines();
    let failed_at = lines.iter().position(|line| line == "50 cancelled Jobs").unwrap();
    assert_eq!(
        lines[failed_at..],
        [
            "50 cancelled Jobs",
            "50 stopping worker",
            "350 ended worker",
            "350 releasing Db",
            "350 released Db",
            "350 releasing Config",
            "350 released Config",
        ]
    );
    assert_eq!(outcome(&report, "Jobs"), Outcome::Cancelled);
    assert_eq!(report.resource("Jobs").unwrap().in_flight, 1);
}

/// S4: the same for the acquisition that failed.
#[tokio::test(start_paused = true)]
async fn tasks_of_a_failed_acquisition_end_before_what_it_needed_is_released() {
    let stage = Stage::new();
    stage.acquire::<Jobs>(fails("no queue")).task::<Jobs>("worker", takes(300));
    let report = stage.failed_start::<Jobs>().await;
    stage.log.assert_in_order(["ended worker", "releasing Db"]);
    assert_eq!(report.stop_took, Some(ms(300)));
    assert_eq!(report.exit_code, 1);
}

/// S4, D6: a task that does not end costs what it needed nothing of its reserve.
#[tokio::test(start_paused = true)]
async fn a_hung_task_of_a_cancelled_acquisition_is_aborted_in_time_for_what_it_needed() {
    let stage = Stage::new();
    stage.acquire::<Jobs>(fails("no queue")).task::<Jobs>("worker", hangs());
    stage.release::<Db>(takes(999));
    let report = stage.failed_start::<Jobs>().await;
    stage.log.assert_in_order(["dropped worker", "releasing Db"]);
    assert_eq!(outcome(&report, "Db"), Outcome::Clean);
    assert_eq!(outcome(&report, "Config"), Outcome::Clean);
    assert_eq!(report.resource("Jobs").unwrap().aborted_tasks, ["worker"]);
    assert!(report.stop_took.unwrap() <= secs(25));
    assert_eq!(report.exit_code, 124);
}

/// S4, E3.
#[tokio::test(start_paused = true)]
async fn a_second_failure_during_the_roll_back_is_listed_and_does_not_stop_it() {
    let stage = Stage::new();
    stage.acquire::<Http>(fails("port taken")).release::<Jobs>(fails("queue not empty"));
    stage.release::<Db>(panics("connection lost"));
    let report = stage.failed_start::<Http>().await;
    assert_eq!(
        failures(&report),
        ["`Http` could not be acquired", "`Jobs` could not be released", "`Db` could not be released",]
    );
    assert!(stage.log.has("aborted Jobs"));
    assert!(stage.log.has("aborted Db"));
    assert!(stage.log.has("released Config"));
    let text = report.to_string();
    assert!(text.contains("also failed:   `Jobs` could not be released: queue not empty\n"), "{text}");
    assert!(
        text.contains("also failed:   `Db` could not be released: panicked: connection lost\n"),
        "{text}"
    );
    assert_eq!(report.exit_code, 1);
}

/// E3.
#[tokio::test(start_paused = true)]
async fn acquisitions_that_fail_at_the_same_moment_are_both_told_or_cancelled() {
    let stage = Stage::new();
    stage.acquire::<Db>(fails("no database").after(ms(50))).acquire::<Cache>(fails("no cache").after(ms(50)));
    let report = stage.failed_start::<Http>().await;
    for name in ["Db", "Cache"] {
        let is_told = report.failures.iter().any(|failure| failure.resource() == name);
        assert_eq!(is_told, outcome(&report, name) == Outcome::Failed, "{report}");
    }
    assert!(stage.log.has("released Config"));
}

#[derive(Debug)]
struct Refused(std::io::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection to the broker")
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[resource(after = Config)]
struct Broker;

impl Resource for Broker {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err(Refused(std::io::Error::other("connection refused")).into())
    }
}

/// S4, E3: the cause is there as the value that it was, with its sources, and as text.
#[tokio::test(start_paused = true)]
async fn the_cause_of_a_failure_comes_with_its_sources() {
    let stage = Stage::new();
    let report = stage.failed_start::<Broker>().await;
    let failure = &report.failures[0];
    let cause = failure.source().unwrap();
    assert!(cause.is::<Refused>());
    assert_eq!(cause.source().unwrap().to_string(), "connection refused");
    assert_eq!(failure.cause(), "no connection to the broker: connection refused");
    assert!(
        report.to_string().contains("cause:         no connection to the broker: connection refused\n"),
        "{report}"
    );
}

/// Uses `Db` until it is dropped.
#[resource(after = Db)]
struct HalfWay;

impl Resource for HalfWay {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        struct UsesDb(Arc<Db>);
        impl Drop for UsesDb {
            fn drop(&mut self) {
                self.0.0.log().add("dropped the use of Db");
            }
        }
        let _uses_db = UsesDb(cx.get::<Db>());
        sleep(secs(1_000)).await;
        Ok(Self)
    }
}

/// S4.
#[tokio::test(start_paused = true)]
async fn an_acquisition_is_dropped_before_what_it_needed_is_released() {
    let stage = Stage::new();
    stage.acquire::<Cache>(fails("no cache").after(ms(50)));
    let report = stage.failed_start::<(HalfWay, Cache)>().await;
    stage.log.assert_in_order(["dropped the use of Db", "releasing Db"]);
    assert_eq!(outcome(&report, "HalfWay"), Outcome::Cancelled);
}

/// S5: the body never began, which is an interruption (E1).
#[tokio::test(start_paused = true)]
async fn a_signal_during_the_start_rolls_back_and_is_no_failure() {
    let stage = Stage::new();
    stage.acquire::<Jobs>(hangs());
    stage.at(500, |app| app.deliver(Signal::Terminate));
    let body_ran = AtomicBool::new(false);
    let body = async |_: lifecycle::App| body_ran.store(true, Ordering::SeqCst);
    let report = stage.builder::<Jobs>().drain_delay(secs(5)).run(body).await;
    assert!(!body_ran.load(Ordering::SeqCst));
    let lines = stage.log.timed_lines();
    assert_eq!(
        lines[lines.len() - 5..],
        [
            "500 cancelled Jobs",
            "500 releasing Db",
            "500 released Db",
            "500 releasing Config",
            "500 released Config",
        ],
        "without the delay"
    );
    assert_eq!(report.reason, Reason::Signal(Signal::Terminate));
    assert_eq!(report.failures.len(), 0);
    assert_eq!(report.exit_code, 128 + 15);
}

/// S5, E1: `start` gives the report back as an error, and `main` ends with the signal's code.
#[tokio::test(start_paused = true)]
async fn a_signal_during_an_embedded_start_ends_it_with_a_report() {
    let stage = Stage::new();
    stage.acquire::<Cache>(hangs());
    stage.at(500, |app| app.deliver(Signal::Interrupt));
    let report = stage.failed_start::<Http>().await;
    assert_eq!(report.reason, Reason::Signal(Signal::Interrupt));
    assert_eq!(outcome(&report, "Cache"), Outcome::Cancelled);
    assert_eq!(outcome(&report, "Http"), Outcome::NeverStarted);
    assert_eq!(report.failures.len(), 0);
    assert_eq!(report.exit_code, 128 + 2);
    assert_eq!(capture::only("cancelled the acquisition of Cache").level, "INFO");
    assert_eq!(capture::messages_with("Cache: cancelled"), [""; 0], "it is said once, and is no trouble");
}

/// S5: a failure that comes while a signal's roll-back is under way is told all the same.
#[tokio::test(start_paused = true)]
async fn a_failure_after_the_signal_is_listed() {
    let stage = Stage::new();
    stage.acquire::<Http>(hangs()).release::<Db>(fails("disk full"));
    stage.setup(|cx: &Acquire<Http>| cx.app().deliver(Signal::Terminate));
    let report = stage.failed_start::<Http>().await;
    assert_eq!(failures(&report), ["`Db` could not be released"]);
    assert!(stage.log.has("released Config"));
    assert_eq!(report.exit_code, 128 + 15);
}
