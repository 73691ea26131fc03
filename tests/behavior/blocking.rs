//! Rule S4: blocking work of an acquisition is waited for, and what it needs is released after it.

use std::cell::{OnceCell, RefCell};
use std::future::ready;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use lifecycle::{Acquire, App, Outcome, Report, Resource, Result, Signal, resource};
use tokio::runtime::{self, Handle};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};

use crate::by_hand::{advance_by_hand, until};
use crate::capture;
use crate::stage::{Notes, Stage, failures, notes, scripted};

scripted! {
    #[resource]
    struct Db;
}

type Work = Box<dyn FnOnce() -> Result<Output> + Send>;

thread_local! {
    static WORK: RefCell<Option<Work>> = const { RefCell::new(None) };
    static HAS_BEGUN: RefCell<Arc<AtomicBool>> = RefCell::default();
}

/// What the work returns. It is dropped only where blocking is allowed.
struct Output(Notes);

impl Drop for Output {
    fn drop(&mut self) {
        Handle::current().block_on(async {});
        self.0.add("dropped the output");
    }
}

/// Waits for its work.
#[resource(after = Db)]
struct Schema;

impl Resource for Schema {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let log = notes();
        let dropped = log.on_drop("dropped the acquisition");
        let work = WORK.take().expect("the test has set it");
        let output = cx.run_blocking("migrate", work).await?;
        log.add("migrated");
        spawn_blocking(move || drop((output, dropped))).await?;
        Ok(Self)
    }
}

/// Goes on without its work when that has begun.
#[resource(after = Db)]
struct Hasty;

impl Resource for Hasty {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let work = WORK.take().expect("the test has set it");
        let has_begun = HAS_BEGUN.take();
        tokio::select! {
            biased;
            _ = cx.run_blocking("migrate", work) => {}
            () = until(|| has_begun.load(Ordering::SeqCst)) => {}
        }
        cx.spawn("server", |stopping| stopping);
        Ok(Self)
    }
}

/// Work that has begun, and ends when it is told to.
struct UnderWay {
    has_begun: Arc<AtomicBool>,
    end: Sender<()>,
}

impl UnderWay {
    /// The work of the next acquisition: it goes on with `rest` when it is told to end.
    fn new(stage: &Stage, rest: impl FnOnce(Notes) -> Result<Output> + Send + 'static) -> Self {
        let has_begun = Arc::new(AtomicBool::new(false));
        let (end, told): (_, Receiver<()>) = mpsc::channel();
        let (begun, log) = (Arc::clone(&has_begun), stage.log.clone());
        HAS_BEGUN.set(Arc::clone(&has_begun));
        WORK.set(Some(Box::new(move || {
            begun.store(true, Ordering::SeqCst);
            let _ = told.recv();
            log.add("the work ends");
            rest(log)
        })));
        Self { has_begun, end }
    }

    async fn begins(&self) {
        until(|| self.has_begun.load(Ordering::SeqCst)).await;
    }

    fn ends(self) {
        drop(self.end);
    }
}

/// A start that is interrupted by a signal while its work is under way.
async fn interrupt(stage: &Stage, work: &UnderWay) -> JoinHandle<Report> {
    let app: Rc<OnceCell<App>> = Rc::default();
    let setup = Rc::clone(&app);
    stage.setup(move |cx: &Acquire<Db>| assert!(setup.set(cx.app()).is_ok()));
    let start = stage.builder::<Schema>().start();
    let start = tokio::spawn(async { start.await.expect_err("it was interrupted") });
    work.begins().await;
    app.get().unwrap().deliver(Signal::Terminate);
    until(|| stage.log.has("dropped the acquisition")).await;
    start
}

/// S4.
#[tokio::test(start_paused = true)]
async fn the_acquisition_goes_on_with_what_its_work_returns() {
    let stage = Stage::new();
    WORK.set(Some(Box::new(|| Err("no such table".into()))));
    let report = stage.failed_start::<Schema>().await;
    assert_eq!(failures(&report), ["`Schema` could not be acquired"]);
    assert_eq!(report.failures[0].cause(), "no such table");

    let stage = Stage::new();
    let log = stage.log.clone();
    WORK.set(Some(Box::new(move || Ok(Output(log)))));
    let report = stage.builder::<Schema>().run(async |_| {}).await;
    assert!(stage.log.has("migrated"));
    assert!(report.is_clean(), "{report}");
}

/// E1: it is not what an application lives for, and is no reason to live without a server.
#[tokio::test(start_paused = true)]
async fn blocking_work_keeps_nothing_alive() {
    let stage = Stage::new();
    let log = stage.log.clone();
    WORK.set(Some(Box::new(move || Ok(Output(log)))));
    let report = stage.builder::<Schema>().run(async |_| {}).await;
    assert_eq!(report.resource("Schema").unwrap().in_flight, 0);
    assert!(report.is_clean(), "{report}");
}

/// S4.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_work_is_one_of_the_acquisition() {
    let stage = Stage::new();
    WORK.set(Some(Box::new(|| panic!("out of bounds"))));
    let report = stage.failed_start::<Schema>().await;
    assert_eq!(failures(&report), ["`Schema` could not be acquired"]);
    assert_eq!(report.failures[0].cause(), "panicked: out of bounds");
    assert_eq!(report.resource("Schema").unwrap().outcome, Outcome::Panicked);
    assert!(stage.log.has("released Db"));
}

/// S4, S5.
#[tokio::test(start_paused = true)]
async fn the_work_of_a_cancelled_acquisition_is_waited_for_before_what_it_needed_is_released() {
    let stage = Stage::new();
    let work = UnderWay::new(&stage, |log| Ok(Output(log)));
    let start = interrupt(&stage, &work).await;
    until(|| !capture::messages_with("stopping Schema: waiting for migrate").is_empty()).await;
    assert!(!stage.log.has("releasing Db"), "the work is under way");
    stage.log.clear();
    work.ends();
    let report = start.await.unwrap();
    assert_eq!(stage.log.lines(), ["the work ends", "dropped the output", "releasing Db", "released Db"]);
    let schema = report.resource("Schema").unwrap();
    assert_eq!((schema.outcome, schema.in_flight), (Outcome::Cancelled, 1));
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(report.exit_code, 128 + 15);
}

/// S4, E3: nobody waits for it any more, and so it is the task's.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_work_of_a_cancelled_acquisition_is_recorded() {
    let stage = Stage::new();
    let work = UnderWay::new(&stage, |_| panic!("out of bounds"));
    let start = interrupt(&stage, &work).await;
    work.ends();
    let report = start.await.unwrap();
    assert_eq!(failures(&report), ["task `migrate` of `Schema` failed"]);
    assert_eq!(report.failures[0].cause(), "panicked: out of bounds");
    assert!(stage.log.has("released Db"));
}

/// S4, D6: it costs what it needed nothing of its reserve, and is named.
#[tokio::test(start_paused = true)]
async fn the_work_of_a_cancelled_acquisition_that_does_not_end_is_reported_as_stuck() {
    let stage = Stage::new();
    let work = UnderWay::new(&stage, |log| Ok(Output(log)));
    let start = interrupt(&stage, &work).await;
    while !start.is_finished() {
        advance_by_hand(100).await;
    }
    let report = start.await.unwrap();
    assert!(stage.log.has("released Db"));
    let schema = report.resource("Schema").unwrap();
    assert_eq!((schema.outcome, &*schema.stuck_tasks), (Outcome::Cancelled, &["migrate".to_owned()][..]));
    assert!(capture::only("Schema is stuck").message.contains("migrate"));
    assert!(report.to_string().contains(", stuck: migrate\n"), "{report}");
    work.ends();
}

/// S4: the same when another acquisition has failed.
#[tokio::test(start_paused = true)]
async fn the_report_of_a_failed_start_names_the_work_that_is_left_behind() {
    let stage = Stage::new();
    let work = UnderWay::new(&stage, |log| Ok(Output(log)));
    let app: Rc<OnceCell<App>> = Rc::default();
    let setup = Rc::clone(&app);
    stage.setup(move |cx: &Acquire<Db>| assert!(setup.set(cx.app()).is_ok()));
    let start = tokio::spawn(stage.builder::<Schema>().start());
    work.begins().await;
    app.get().unwrap().fail("the old server is gone");
    while !start.is_finished() {
        advance_by_hand(100).await;
    }
    let report = start.await.unwrap().expect_err("it failed");
    assert!(report.to_string().contains("rolled back:   Schema (cancelled, stuck: migrate), Db"), "{report}");
    assert_eq!(report.exit_code, 124);
    work.ends();
}

/// S4: dropping the future is not dropping the work.
#[tokio::test(start_paused = true)]
async fn work_that_nobody_waits_for_goes_on_and_is_waited_for_at_the_turn() {
    let stage = Stage::new();
    let work = UnderWay::new(&stage, |log| Ok(Output(log)));
    let report = stage
        .run::<Hasty>(async |app| {
            work.begins().await;
            app.shutdown("the test is over");
            until(|| !capture::messages_with("stopping Hasty: waiting for").is_empty()).await;
            stage.log.clear();
            work.ends();
        })
        .await;
    assert_eq!(stage.log.lines(), ["the work ends", "dropped the output", "releasing Db", "released Db"]);
    assert!(report.is_clean(), "{report}");
}

/// S4, R1.
#[tokio::test(start_paused = true)]
async fn a_panic_of_work_that_nobody_waits_for_ends_the_application() {
    let stage = Stage::new();
    let work = UnderWay::new(&stage, |_| panic!("out of bounds"));
    let app = stage.start::<Hasty>().await;
    work.begins().await;
    work.ends();
    let report = app.run().await;
    assert_eq!(failures(&report), ["task `migrate` of `Hasty` failed"]);
    assert_eq!(report.exit_code, 1);
}

/// A runtime with one thread for blocking work, so that one work waits for the other.
fn with_one_blocking_thread(test: impl Future<Output = ()>) {
    let mut builder = runtime::Builder::new_current_thread();
    builder.max_blocking_threads(1).start_paused(true).enable_all().build().unwrap().block_on(test);
}

/// S4.
#[test]
fn work_that_has_not_begun_when_its_acquisition_is_cancelled_never_does() {
    with_one_blocking_thread(async {
        let stage = Stage::new();
        let (leave, left) = mpsc::channel::<()>();
        let busy = spawn_blocking(move || left.recv());
        WORK.set(Some(Box::new(|| panic!("it has begun"))));
        let app: Rc<OnceCell<App>> = Rc::default();
        let setup = Rc::clone(&app);
        stage.setup(move |cx: &Acquire<Db>| assert!(setup.set(cx.app()).is_ok()));
        let start = tokio::spawn(stage.builder::<Schema>().start());
        until(|| stage.log.has("acquired Db")).await;
        for _ in 0..20 {
            yield_now().await;
        }
        app.get().unwrap().deliver(Signal::Terminate);
        until(|| stage.log.has("dropped the acquisition")).await;
        drop(leave);
        let _ = busy.await;
        let report = start.await.unwrap().expect_err("it was interrupted");
        assert_eq!(failures(&report), [""; 0]);
        assert!(stage.log.has("released Db"));
    });
}

/// Drops its work when that is done, without having looked at it.
#[resource(after = Db)]
struct Blind;

impl Resource for Blind {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let work = WORK.take().expect("the test has set it");
        {
            let mut work = pin!(cx.run_blocking("migrate", work));
            tokio::select! {
                biased;
                _ = &mut work => unreachable!("it has not begun"),
                () = ready(()) => {}
            }
            // The one thread for blocking work does this when it is done with that.
            let (done, is_done) = mpsc::channel();
            spawn_blocking(move || done.send(()));
            is_done.recv()?;
        }
        Ok(Self)
    }
}

/// S4: nor is the output dropped where blocking is not allowed.
#[test]
fn an_output_that_has_arrived_and_is_not_taken_is_dropped_where_blocking_is_allowed() {
    with_one_blocking_thread(async {
        let stage = Stage::new();
        let log = stage.log.clone();
        WORK.set(Some(Box::new(move || Ok(Output(log)))));
        let report = stage.builder::<Blind>().run(async |_| {}).await;
        stage.log.assert_in_order(["dropped the output", "releasing Db"]);
        assert!(report.is_clean(), "{report}");
    });
}
