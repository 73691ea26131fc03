//! Rules E2 and E3: what the report tells, as values and as text.

use std::process::Termination;

use lifecycle::{Acquire, Failure, Outcome, Phase, Reason, Report, resource};
use tokio::time::sleep;

use crate::stage::{Stage, fails, failures, hangs, ms, panics, scripted, secs, skips, takes};

scripted! {
    #[resource]
    struct Config;
    #[resource(after = Config)]
    struct Db;
    #[resource(after = Config, optional)]
    struct Cache;
    #[resource(after = [Db, Cache])]
    struct Jobs;
    #[resource(after = [Db, Jobs])]
    struct Http;
    #[resource(after = Http)]
    struct Gateway;
}

/// E2.
#[tokio::test(start_paused = true)]
async fn a_report_tells_everything() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(120)).acquire::<Cache>(skips());
    stage.task::<Http>("server", takes(1_500)).release::<Db>(takes(30)).release::<Jobs>(takes(10));
    stage.release::<Config>(takes(10));
    stage.setup(|cx: &Acquire<Jobs>| {
        for _ in 0..3 {
            cx.tasks().spawn(sleep(secs(3_600)));
        }
    });
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(60)).await;
            app.shutdown("deployment");
        })
        .await;
    assert_eq!(report.reason, Reason::Requested("deployment".to_owned()));
    assert_eq!(report.shutdown_timeout, secs(25));
    assert_eq!(report.stop_took, Some(ms(22_550)));
    assert_eq!(report.phases[1], (Phase::Running, ms(120)));
    assert_eq!(report.phases[4], (Phase::Stopped, ms(82_670)));
    assert_eq!(report.start_path, ["Config", "Db", "Jobs", "Http"]);
    assert_eq!(report.stop_path, ["Http", "Jobs", "Db", "Config"]);
    assert!(report.failures.is_empty());
    assert_eq!(report.exit_code, 124);

    let db = report.resource("Db").unwrap();
    assert_eq!((db.acquire, db.drain, db.release), (Some(ms(120)), Some(ms(0)), Some(ms(30))));
    assert_eq!(db.after, ["Config"]);
    assert!(!db.foundation);
    let cache = report.resource("Cache").unwrap();
    assert_eq!((cache.outcome, cache.release), (Outcome::Skipped, None));
    let jobs = report.resource("Jobs").unwrap();
    assert_eq!((jobs.in_flight, jobs.cut, jobs.outcome), (3, 3, Outcome::Aborted));
    let http = report.resource("Http").unwrap();
    assert_eq!((http.in_flight, http.cut, http.drain), (1, 0, Some(ms(1_500))));
    assert!(report.resource("Gateway").is_none());
}

/// E2: how it reads at three in the morning.
#[tokio::test(start_paused = true)]
async fn the_text_of_a_stop() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(120)).acquire::<Cache>(fails("connection refused"));
    stage.task::<Http>("server", hangs()).release::<Db>(takes(30)).release::<Config>(takes(1));
    stage.release::<Http>(takes(5)).release::<Jobs>(panics("queue is poisoned").after(ms(20)));
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(60)).await;
            app.shutdown("deployment");
        })
        .await;
    assert_eq!(
        report.to_string(),
        "\
stopped in 21.6 s of 25.0 s: shutdown requested: deployment; exit code 124
  resource  outcome        acquire   drain     release   in flight
  Config    clean          0 ms      0 ms      1.0 ms    0
  Db        clean          120 ms    0 ms      30 ms     0
  Cache     failed         0 ms      0 ms      -         0
  Jobs      panicked       0 ms      0 ms      20 ms     0
  Http      aborted        0 ms      21.5 s    5.0 ms    1, 1 cut off: server
  started along: Config → Db → Jobs → Http
  stopped along: Http → Jobs → Db → Config
  longest drain: Http, 21.5 s of 25.0 s
  tolerated: `Cache` could not be acquired: connection refused
    needed by: Http → Jobs → Cache
  failed: `Jobs` could not be released: panicked: queue is poisoned
",
    );
}

/// E2, S4.
#[tokio::test(start_paused = true)]
async fn the_text_of_a_failed_start() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(120)).release::<Db>(takes(30)).task::<Jobs>("worker", takes(0));
    stage.acquire::<Jobs>(takes(40)).acquire::<Http>(fails("address already in use: 0.0.0.0:8080"));
    stage.acquire::<Cache>(takes(20)).release::<Jobs>(fails("2 jobs are left"));
    let report = stage.failed_start::<Gateway>().await;
    assert_eq!(
        report.to_string(),
        "\
lifecycle: the application did not start: `Http` could not be acquired
  cause:         address already in use: 0.0.0.0:8080
  needed by:     Gateway → Http
  comes after:   Db, Jobs
  completed:     Config (in 0 ms), Db (in 120 ms), Cache (in 20 ms), Jobs (in 40 ms)
  rolled back:   Jobs (failed after 0 ms), Cache (released in 0 ms), Db (released in 30 ms), \
         Config (released in 0 ms)
  never started: Gateway
  also failed:   `Jobs` could not be released: 2 jobs are left
  exit code:     1
",
    );
}

/// E2, S6: what was tolerated is neither completed nor what ended the start, but it is told.
#[tokio::test(start_paused = true)]
async fn the_text_of_a_failed_start_tells_what_was_tolerated() {
    let stage = Stage::new();
    stage.acquire::<Cache>(fails("no cache").after(ms(20))).acquire::<Http>(fails("address already in use"));
    stage.release::<Db>(hangs()).release::<Jobs>(takes(3_000));
    let report = stage.failed_start::<Http>().await;
    // Of 25 s, 1 s is for Config, and 100 ms for the `abort` of Db.
    assert_eq!(
        report.to_string(),
        "\
lifecycle: the application did not start: `Http` could not be acquired
  cause:         address already in use
  needed by:     the application itself
  comes after:   Db, Jobs
  completed:     Config (in 0 ms), Db (in 0 ms), Jobs (in 0 ms)
  rolled back:   Jobs (released in 3.0 s), Cache (failed), Db (timed out after 20.9 s), Config (released in 0 ms)
  never started: nothing
  tolerated:     `Cache` could not be acquired: no cache
  also failed:   `Db` could not be released: cut off after 20.9 s, when its share of the deadline was used up
  exit code:     124
",
    );
}

/// E2: dependencies first, and otherwise as they were named: each as soon as what it needs is there.
#[tokio::test(start_paused = true)]
async fn resources_are_reported_in_a_stable_order() {
    let stage = Stage::new();
    let report = stage.stop::<Gateway>().await;
    assert_eq!(names(&report), ["Config", "Db", "Cache", "Jobs", "Http", "Gateway"]);
    let report = stage.stop::<(Cache, Gateway)>().await;
    assert_eq!(names(&report), ["Config", "Cache", "Db", "Jobs", "Http", "Gateway"]);
}

fn names(report: &Report) -> Vec<&str> {
    report.resources.iter().map(|resource| resource.name).collect()
}

/// E2, E3: whatever failed is no completed acquisition, and no clean one.
#[tokio::test(start_paused = true)]
async fn a_second_resource_that_failed_to_start_is_not_called_completed() {
    let stage = Stage::new();
    stage.acquire::<Db>(hangs()).acquire::<Cache>(hangs());
    let report =
        stage.builder::<(Http, Cache)>().startup_timeout(secs(3)).start().await.unwrap_err().to_string();
    let completed = report.lines().find(|line| line.contains("completed:")).unwrap();
    assert_eq!(completed, "  completed:     Config (in 0 ms)", "{report}");
}

/// E2: however little time a turn takes, those beneath waited for it.
#[tokio::test(start_paused = true)]
async fn the_path_of_a_stop_leaves_nobody_out() {
    let stage = Stage::new();
    let report = stage.stop::<Gateway>().await;
    assert_eq!(report.stop_path, ["Gateway", "Http", "Jobs", "Db", "Config"]);
}

/// E3: many failures, all of them, in the order in which they happened.
#[tokio::test(start_paused = true)]
async fn nothing_is_dropped_when_much_fails() {
    let stage = Stage::new();
    stage.acquire::<Cache>(fails("no cache"));
    stage
        .task::<Gateway>("proxy", fails("first").after(ms(10)))
        .task::<Gateway>("stats", panics("second").after(ms(20)));
    stage.release::<Gateway>(fails("third")).abort_panics::<Gateway>("fourth");
    stage.release::<Http>(panics("fifth")).release::<Jobs>(fails("sixth"));
    stage.release::<Db>(hangs()).release::<Config>(fails("seventh"));
    let report = stage.stop::<Gateway>().await;
    assert_eq!(
        failures(&report),
        [
            "`Cache` could not be acquired",
            "task `proxy` of `Gateway` failed",
            "task `stats` of `Gateway` failed",
            "`Gateway` could not be released",
            "`abort` of `Gateway` failed",
            "`Http` could not be released",
            "`Jobs` could not be released",
            "`Db` could not be released",
            "`Config` could not be released",
        ]
    );
    let causes: Vec<String> = report.failures.iter().map(Failure::cause).collect();
    assert_eq!(
        causes,
        [
            "no cache",
            "first",
            "panicked: second",
            "third",
            "panicked: fourth",
            "panicked: fifth",
            "sixth",
            // 1 s is for Config, 100 ms are for the `abort` of Db, and it began after 20 ms.
            "cut off after 23.9 s, when its share of the deadline was used up",
            "seventh",
        ]
    );
    let text = report.to_string();
    for cause in causes {
        assert!(text.contains(&cause), "{cause:?} is missing in\n{text}");
    }
    assert_eq!(report.exit_code, 124);
}

/// E2: it is a value that `main` can return.
#[tokio::test(start_paused = true)]
async fn a_report_ends_the_process_with_its_code() {
    use std::process::ExitCode;

    let stage = Stage::new();
    assert_eq!(stage.stop::<Http>().await.into_report().report(), ExitCode::SUCCESS);
    stage.release::<Db>(fails("disk full"));
    assert_eq!(stage.stop::<Http>().await.into_report().report(), ExitCode::from(1));
    stage.release::<Db>(hangs());
    assert_eq!(stage.stop::<Http>().await.into_report().report(), ExitCode::from(124));
}

/// E1: of several, the later in the list wins: 1, 124, 128+n.
#[tokio::test(start_paused = true)]
async fn the_gravest_code_wins() {
    let stage = Stage::new();
    stage.release::<Http>(fails("disk full")).release::<Db>(hangs());
    assert_eq!(stage.stop::<Http>().await.exit_code, 124, "a failure and a cut");
    let report = stage
        .run::<Http>(async |app| {
            app.deliver(lifecycle::Signal::Terminate);
            sleep(secs(1)).await;
            app.deliver(lifecycle::Signal::Interrupt);
        })
        .await;
    assert_eq!(report.exit_code, 130, "a failure, a cut and a hurry");
}

/// E1: what is tolerated does not count.
#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_is_no_code() {
    let stage = Stage::new();
    stage.acquire::<Cache>(fails("no cache"));
    let report = stage.stop::<Http>().await;
    assert_eq!(report.exit_code, 0);
    assert!(!report.is_clean(), "but it is not clean");
}

/// E1: configuration, before anything is acquired.
#[tokio::test(start_paused = true)]
async fn a_refused_configuration_exits_78_and_acquires_nothing() {
    let stage = Stage::new();
    let report = stage.builder::<Http>().shutdown_timeout(ms(0)).start().await.unwrap_err();
    assert_eq!(report.reason, Reason::Configuration);
    assert_eq!(report.exit_code, 78);
    assert_eq!(report.stop_took, None);
    assert!(stage.log.lines().is_empty());
    assert_eq!(
        report.to_string(),
        "lifecycle: nothing was started: the configuration was refused\n  \
         `shutdown_timeout` is zero: nothing could be released; leave it out for the default of 25s\n  \
         exit code: 78\n"
    );
}
