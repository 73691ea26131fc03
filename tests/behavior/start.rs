//! Rules S2 and S3: resources are acquired along the graph, concurrently where it allows it, and within limits.

use lifecycle::{Outcome, Phase, Reason, resource};
use tokio::time::Instant;

use crate::stage::{Stage, failures, hangs, ms, scripted, secs, takes};

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
    struct Red;
    #[resource]
    struct Green;
    #[resource]
    struct Blue;
    #[resource(after = Red)]
    struct AfterRed;

    #[resource(acquire_timeout = "2s")]
    struct Impatient;
    #[resource(after = Red, acquire_timeout = "2s")]
    struct ImpatientAfterRed;
}

/// S2.
#[tokio::test(start_paused = true)]
async fn independent_resources_of_100_ms_each_take_100_ms() {
    let stage = Stage::new();
    stage.acquire::<Red>(takes(100)).acquire::<Green>(takes(100)).acquire::<Blue>(takes(100));
    let began = Instant::now();
    let app = stage.start::<(Red, Green, Blue)>().await;
    assert_eq!(began.elapsed(), ms(100));
    assert_eq!(app.phase(), Phase::Running);
}

/// S2, E2.
#[tokio::test(start_paused = true)]
async fn a_diamond_takes_its_critical_path() {
    let stage = Stage::new();
    stage.acquire::<Root>(takes(10)).acquire::<Left>(takes(100)).acquire::<Right>(takes(20));
    stage.acquire::<Top>(takes(30));
    let began = Instant::now();
    let app = stage.start::<Top>().await;
    assert_eq!(began.elapsed(), ms(140));
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(report.start_path, ["Root", "Left", "Top"]);
    let took = |name| report.resource(name).unwrap().acquire;
    assert_eq!(
        [took("Root"), took("Left"), took("Right"), took("Top")],
        [10, 100, 20, 30].map(|took| Some(ms(took)))
    );
}

/// S2.
#[tokio::test(start_paused = true)]
async fn a_resource_is_acquired_once_everything_it_comes_after_is_there() {
    let stage = Stage::new();
    stage.acquire::<Root>(takes(10)).acquire::<Left>(takes(100)).acquire::<Right>(takes(20));
    stage.acquire::<Top>(takes(30));
    let _app = stage.start::<Top>().await;
    let timed = stage.log.timed_lines();
    assert_eq!(timed[..2], ["0 acquiring Root", "10 acquired Root"]);
    for line in ["10 acquiring Left", "10 acquiring Right"] {
        assert!(timed[2..4].contains(&line.to_owned()), "{timed:?}");
    }
    assert_eq!(
        timed[4..],
        ["30 acquired Right", "110 acquired Left", "110 acquiring Top", "140 acquired Top"]
    );
}

/// S2: there are no levels. What has all it needs does not wait for others.
#[tokio::test(start_paused = true)]
async fn a_slow_resource_does_not_hold_up_a_path_beside_it() {
    let stage = Stage::new();
    stage.acquire::<Red>(takes(10)).acquire::<Blue>(takes(100));
    let _app = stage.start::<(AfterRed, Blue)>().await;
    assert_eq!(
        stage.log.timed_lines(),
        [
            "0 acquiring Red",
            "0 acquiring Blue",
            "10 acquired Red",
            "10 acquiring AfterRed",
            "10 acquired AfterRed",
            "100 acquired Blue",
        ]
    );
}

/// S2.
#[tokio::test(start_paused = true)]
async fn what_several_need_is_acquired_once_and_shared() {
    let stage = Stage::new();
    let log = stage.log.clone();
    stage.setup({
        let log = log.clone();
        move |cx| log.add(format!("left has {:p}", &*lifecycle::Acquire::<Left>::get::<Root>(cx)))
    });
    stage.setup(move |cx| log.add(format!("right has {:p}", &*lifecycle::Acquire::<Right>::get::<Root>(cx))));
    let app = stage.start::<(Left, Right)>().await;
    let root = app.get::<Root>();
    let lines = stage.log.lines();
    assert_eq!(lines.iter().filter(|line| *line == "acquiring Root").count(), 1);
    assert!(lines.contains(&format!("left has {:p}", &*root)));
    assert!(lines.contains(&format!("right has {:p}", &*root)));
}

/// S3.
#[tokio::test(start_paused = true)]
async fn acquire_timeout_bounds_one_resource_and_is_named() {
    let stage = Stage::new();
    stage.acquire::<Impatient>(hangs());
    let began = Instant::now();
    let report = stage.failed_start::<(Red, Impatient)>().await;
    assert_eq!(began.elapsed(), secs(2));
    assert_eq!(failures(&report), ["`Impatient` could not be acquired"]);
    assert!(report.failures[0].is_timeout());
    assert!(report.to_string().contains("timed out: acquire_timeout is 2.0 s"), "{report}");
    assert_eq!(report.resource("Impatient").unwrap().outcome, Outcome::TimedOut);
    assert_eq!(report.resource("Red").unwrap().outcome, Outcome::Clean);
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(report.exit_code, 1);
}

/// S3: the limit is the resource's own, from the beginning of its own acquisition.
#[tokio::test(start_paused = true)]
async fn acquire_timeout_does_not_count_the_wait_for_others() {
    let stage = Stage::new();
    stage.acquire::<Red>(takes(10_000)).acquire::<ImpatientAfterRed>(takes(1_999));
    let app = stage.start::<ImpatientAfterRed>().await;
    assert_eq!(app.phase(), Phase::Running);
}

/// S3: whatever is under way then is late, and what was never begun is reported so.
#[tokio::test(start_paused = true)]
async fn startup_timeout_bounds_the_whole_and_is_named() {
    let stage = Stage::new();
    stage.acquire::<Root>(takes(2_000)).acquire::<Left>(hangs()).acquire::<Red>(hangs());
    let began = Instant::now();
    let report = stage.builder::<(Red, Top)>().startup_timeout(secs(3)).start().await.unwrap_err();
    assert_eq!(began.elapsed(), secs(3));
    let mut failures = failures(&report);
    failures.sort();
    assert_eq!(failures, ["`Left` could not be acquired", "`Red` could not be acquired"]);
    assert!(report.failures.iter().all(lifecycle::Failure::is_timeout));
    assert!(report.to_string().contains("timed out: startup_timeout is 3.0 s"), "{report}");
    assert_eq!(report.resource("Top").unwrap().outcome, Outcome::NeverStarted);
    assert_eq!(stage.log.lines().iter().filter(|line| line.starts_with("cancelled")).count(), 2);
    assert!(stage.log.has("released Root"));
}

/// S3: the default.
#[tokio::test(start_paused = true)]
async fn a_start_has_60_s() {
    let stage = Stage::new();
    stage.acquire::<Red>(hangs());
    let began = Instant::now();
    let report = stage.failed_start::<Red>().await;
    assert_eq!(began.elapsed(), secs(60));
    assert!(report.to_string().contains("startup_timeout is 1 min 0 s"), "{report}");
}

/// S3.
#[tokio::test(start_paused = true)]
async fn without_a_startup_timeout_a_start_may_take_hours() {
    let stage = Stage::new();
    stage.acquire::<Red>(takes(7_200_000));
    let began = Instant::now();
    let _app = stage.builder::<Red>().startup_timeout(None).start().await.unwrap();
    assert_eq!(began.elapsed(), secs(7_200));
}

/// S2: a resource may ask for shutdown before all is there, and the start ends (R4).
#[tokio::test(start_paused = true)]
async fn a_request_during_the_start_is_no_failure() {
    let stage = Stage::new();
    stage.acquire::<Green>(hangs());
    stage.at(50, |app| app.shutdown("changed my mind"));
    let report = stage.failed_start::<(Red, Green)>().await;
    assert_eq!(report.reason, Reason::Requested("changed my mind".to_owned()));
    assert_eq!(report.failures.len(), 0);
    assert_eq!(report.exit_code, 0);
    assert_eq!(report.resource("Green").unwrap().outcome, Outcome::Cancelled);
    assert_eq!(
        stage.log.timed_lines()[2..],
        ["0 acquiring Green", "50 cancelled Green", "50 releasing Red", "50 released Red"]
    );
}
