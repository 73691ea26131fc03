//! Rule R1: supervised tasks that are started after the acquisition, up to the turn and at the very moment of it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use lifecycle::{Acquire, App, Release, Resource, Result, Spawner, Tasks, resource};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::capture;
use crate::stage::{Notes, Stage, failures, live, ms, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Pool;
}

/// Starts `Pool` with a first worker, and hands out what it keeps.
async fn start(stage: &Stage) -> (App, Spawner, Tasks) {
    let kept = Rc::new(OnceCell::new());
    let setup = Rc::clone(&kept);
    stage.task::<Pool>("first", takes(100));
    stage.setup(move |cx: &Acquire<Pool>| assert!(setup.set((cx.spawner(), cx.tasks())).is_ok()));
    let app = stage.start::<Pool>().await;
    stage.log.clear();
    let (spawner, tasks) = kept.get().unwrap().clone();
    (app, spawner, tasks)
}

/// A worker that says when it is told, and takes its time to end.
fn spawn_worker(spawner: &Spawner, log: &Notes, name: &'static str, millis: u64) {
    let log = log.clone();
    spawner.spawn(name, async move |stopping| {
        stopping.await;
        log.add(format!("stopping {name}"));
        sleep(ms(millis)).await;
        log.add(format!("ended {name}"));
    });
}

/// R1, R3.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_started_later_is_told_at_its_turn_and_waited_for() {
    let stage = Stage::new();
    let (app, spawner, _) = start(&stage).await;
    let report = live(app, async |app| {
        sleep(secs(10)).await;
        spawn_worker(&spawner.clone(), &stage.log, "second", 300);
        sleep(secs(10)).await;
        let log = stage.log.clone();
        spawner.spawn_blocking("third", move |stopping| {
            stopping.wait();
            log.add("third was told");
        });
        app.shutdown("the test is over");
    })
    .await;
    for line in ["ended second", "third was told"] {
        stage.log.assert_in_order([line, "releasing Pool"]);
    }
    let pool = report.resource("Pool").unwrap();
    assert_eq!((pool.in_flight, pool.drain), (3, Some(ms(300))));
    assert!(report.is_clean(), "{report}");
}

/// R1.
#[tokio::test(start_paused = true)]
async fn an_error_of_a_task_that_was_started_later_ends_the_application() {
    let stage = Stage::new();
    let (app, spawner, _) = start(&stage).await;
    let report = live(app, async |_| {
        sleep(secs(10)).await;
        spawner.spawn("second", async |_| Err("out of connections"));
    })
    .await;
    assert_eq!(failures(&report), ["task `second` of `Pool` failed"]);
    assert_eq!(report.exit_code, 1);
}

/// R1: the same for one that needs no notice.
#[tokio::test(start_paused = true)]
async fn a_background_task_that_is_started_later_is_dropped_at_its_turn() {
    let stage = Stage::new();
    let (app, spawner, _) = start(&stage).await;
    let report = live(app, async |app| {
        let dropped = stage.log.on_drop("dropped the renewal");
        spawner.background("renew", async move {
            let _dropped = dropped;
            sleep(secs(1_000)).await;
        });
        sleep(secs(10)).await;
        app.shutdown("the test is over");
    })
    .await;
    stage.log.assert_in_order(["dropped the renewal", "ended first"]);
    assert!(report.is_clean(), "{report}");
}

/// R1: what is in flight may need it.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_started_during_its_turn_is_waited_for() {
    let stage = Stage::new();
    let (app, spawner, _) = start(&stage).await;
    let report = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(ms(50)).await;
        spawn_worker(&spawner, &stage.log, "second", 1_000);
        let dropped = stage.log.on_drop("dropped the renewal");
        spawner.background("renew", async move {
            let _dropped = dropped;
            sleep(secs(1_000)).await;
        });
    })
    .await;
    let lines = stage.log.timed_lines();
    assert!(lines.contains(&"50 dropped the renewal".to_owned()), "{lines:?}");
    assert_eq!(lines[3..6], ["100 ended first", "1050 ended second", "1050 releasing Pool"]);
    assert!(report.is_clean(), "{report}");
}

/// Each kind of task, begun or not: each sends when it is begun.
fn spawn_each(spawner: &Spawner) -> [oneshot::Receiver<()>; 3] {
    let ([first, second, third], receivers) = {
        let channels = [oneshot::channel(), oneshot::channel(), oneshot::channel()];
        let (senders, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
        (<[_; 3]>::try_from(senders).unwrap(), receivers)
    };
    spawner.spawn("late", |_| async { first.send(()).unwrap() });
    spawner.spawn_blocking("late", |_| second.send(()).unwrap());
    spawner.background("late", async { third.send(()).unwrap() });
    receivers.try_into().unwrap()
}

async fn assert_never_begun(receivers: [oneshot::Receiver<()>; 3]) {
    for receiver in receivers {
        assert!(receiver.await.is_err(), "it was dropped, and never begun");
    }
    let warnings: Vec<_> =
        capture::lines().into_iter().filter(|it| it.message.contains("too late")).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings.iter().all(|it| it.level == "WARN" && it.message.contains("a task for Pool")),
        "{warnings:?}"
    );
}

/// R1: nothing begins behind the back of a release.
#[tokio::test(start_paused = true)]
async fn a_task_that_comes_when_its_resource_is_released_is_not_begun_which_is_said() {
    let stage = Stage::new();
    stage.release::<Pool>(takes(1_000));
    let (app, spawner, _) = start(&stage).await;
    let mut late = None;
    let report = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(ms(500)).await;
        assert!(stage.log.has("releasing Pool"));
        late = Some(spawn_each(&spawner));
    })
    .await;
    assert_never_begun(late.unwrap()).await;
    assert!(report.is_clean(), "{report}");
}

/// R1, D6: a thread that begins when tasks are aborted could not be told to go.
#[tokio::test(start_paused = true)]
async fn a_task_that_comes_when_tasks_are_aborted_is_not_begun_which_is_said() {
    let stage = Stage::new();
    let (app, spawner, tasks) = start(&stage).await;
    let guard = tasks.guard();
    let mut late = None;
    let report = live(app, async |app| {
        app.shutdown("the test is over");
        while capture::messages_with("aborting").is_empty() {
            sleep(ms(1)).await;
        }
        late = Some(spawn_each(&spawner));
        drop(guard);
    })
    .await;
    assert_never_begun(late.unwrap()).await;
    assert_eq!(report.resource("Pool").unwrap().stuck_tasks, [""; 0]);
}

/// Its tasks are begun and ended between its acquisition and its release, or they are not begun.
#[resource]
struct Crowd {
    spawner: Spawner,
    running: Arc<AtomicUsize>,
    is_released: Arc<AtomicBool>,
}

impl Resource for Crowd {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("first", |stopping| stopping);
        Ok(Self { spawner: cx.spawner(), running: Arc::default(), is_released: Arc::default() })
    }

    async fn release(&self, _: &Release) -> Result {
        self.is_released.store(true, Ordering::SeqCst);
        assert_eq!(self.running.load(Ordering::SeqCst), 0, "all tasks are gone");
        Ok(())
    }
}

/// R1: from other threads, at the very moment of the turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_comes_at_the_very_moment_of_the_turn_is_waited_for_or_not_begun() {
    capture::begin();
    for _ in 0..200 {
        let app = App::builder().resources::<Crowd>().start().await.unwrap();
        let crowd = app.get::<Crowd>();
        let (spawner, running, is_released) =
            (crowd.spawner.clone(), Arc::clone(&crowd.running), Arc::clone(&crowd.is_released));
        drop(crowd);
        let threads = (0..2).map(|_| {
            let (spawner, running, is_released) = (spawner.clone(), running.clone(), is_released.clone());
            thread::spawn(move || {
                for _ in 0..20 {
                    let (running, is_released) = (running.clone(), is_released.clone());
                    spawner.spawn("one", async move |_| {
                        running.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        let is_late = is_released.load(Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                        if is_late { Err("it ran after the release") } else { Ok(()) }
                    });
                    thread::yield_now();
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        app.shutdown("the test is over");
        let report = app.run().await;
        assert!(report.is_clean(), "{report}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
