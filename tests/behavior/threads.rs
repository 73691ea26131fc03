//! What only several threads show, by the clock on the wall: a worker that goes on with blocking work, user code on a
//! thread of ours, and events that cross.

use std::error::Error;
use std::fmt;
use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use lifecycle::{Acquire, App, Release, Resource, Resources, Result, Stopping, Tasks, resource};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::capture;
use crate::stage::{failures, secs};

/// Longer than anything here takes but what does not come at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Work of the program itself, which goes on after it has touched the application.
mod blocking_work {
    use super::*;

    /// Says when it is released.
    #[resource]
    struct Db {
        tasks: Tasks,
        stopping: Stopping,
        released: Mutex<Option<Sender<()>>>,
    }

    impl Resource for Db {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            Ok(Self { tasks: cx.tasks(), stopping: cx.stopping(), released: Mutex::default() })
        }

        async fn release(&self, _: &Release) -> Result {
            let released = self.released.lock().unwrap().take();
            released.expect("it was prepared").send(())?;
            Ok(())
        }
    }

    /// Starts an application, whose release is told to the receiver.
    async fn start() -> (App, Receiver<()>) {
        let app = App::builder().resources::<Db>().start().await.unwrap();
        let (released, is_released) = mpsc::channel();
        *app.get::<Db>().released.lock().unwrap() = Some(released);
        (app, is_released)
    }

    /// Work on a worker of the runtime that does `first`, and then blocks until the release has come. Whether it came.
    fn work(first: impl FnOnce() + Send + 'static, is_released: Receiver<()>) -> JoinHandle<bool> {
        tokio::spawn(async move {
            first();
            is_released.recv_timeout(PATIENCE).is_ok()
        })
    }

    /// Does `first` in the work while three other workers are idle and somebody waits for the end.
    async fn check(first: impl FnOnce(App) + Send + 'static) {
        let (app, is_released) = start().await;
        let mut end = pin!(app.clone().run());
        // From its first poll on, the program around the application is no longer what `main` waits for.
        tokio::select! {
            biased;
            _ = &mut end => panic!("nobody has asked yet"),
            () = ready(()) => {}
        }
        let work = work(move || first(app), is_released);
        let _ = end.await;
        assert!(work.await.unwrap(), "the release waited for blocking work that is not the application's");
    }

    /// R4, D5.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_release_comes_at_once_when_a_worker_asks_for_shutdown_and_goes_on() {
        check(|app| app.shutdown("the test is over")).await;
    }

    /// R4, D8.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_release_comes_at_once_when_a_worker_insists_and_goes_on() {
        check(|app| app.insist()).await;
    }

    /// R1, D5.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_release_comes_at_once_when_a_worker_tells_of_a_failure_and_goes_on() {
        check(|app| app.fail("the old server is gone")).await;
    }

    /// R2, D5.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_release_comes_at_once_when_a_worker_drops_the_last_guard_and_goes_on() {
        let (app, is_released) = start().await;
        let db = app.get::<Db>();
        let (guard, stopping) = (db.tasks.guard().unwrap(), db.stopping.clone());
        drop(db);
        let end = tokio::spawn(app.clone().run());
        app.shutdown("the test is over");
        stopping.await;
        let work = work(move || drop(guard), is_released);
        let report = end.await.unwrap();
        assert!(work.await.unwrap(), "the release waited for blocking work that is not the application's");
        assert!(report.is_clean(), "{report}");
    }
}

/// `abort` and the last drop run where a runtime can be used, as everything else of a resource does.
mod context {
    use super::*;

    /// Its `abort` spawns.
    #[resource]
    struct Aborted(Sender<()>);

    impl Resource for Aborted {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            Err("the peer does not answer".into())
        }

        fn abort(&self) {
            say_goodbye(&self.0);
        }
    }

    /// Its drop spawns.
    #[resource]
    struct Dropped(Sender<()>);

    impl Resource for Dropped {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            Err("the peer does not answer".into())
        }
    }

    impl Drop for Dropped {
        fn drop(&mut self) {
            say_goodbye(&self.0);
        }
    }

    /// Its release hangs, and its `abort` spawns.
    #[resource]
    struct Hung(Sender<()>);

    impl Resource for Hung {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Err("it is supplied".into())
        }

        async fn release(&self, _: &Release) -> Result {
            pending().await
        }

        fn abort(&self) {
            say_goodbye(&self.0);
        }
    }

    fn say_goodbye(goodbye: &Sender<()>) {
        let goodbye = goodbye.clone();
        tokio::spawn(async move { goodbye.send(()) });
    }

    /// Stops an application that says goodbye from a task.
    async fn check(builder: lifecycle::Builder, said: Receiver<()>, failure: &str) {
        let app = builder.start().await.unwrap();
        app.shutdown("the test is over");
        let report = app.run().await;
        assert_eq!(failures(&report), [failure]);
        // On a runtime of one thread, it is said while this thread does nothing else.
        let said = spawn_blocking(move || said.recv_timeout(PATIENCE));
        said.await.unwrap().expect("a task could be spawned");
    }

    async fn check_abort() {
        let (goodbye, said) = mpsc::channel();
        let builder = App::builder().resources::<Aborted>().supply(Aborted(goodbye));
        check(builder, said, "`Aborted` could not be released").await;
    }

    async fn check_drop() {
        let (goodbye, said) = mpsc::channel();
        let builder = App::builder().resources::<Dropped>().supply(Dropped(goodbye));
        check(builder, said, "`Dropped` could not be released").await;
    }

    /// D7.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn an_abort_may_spawn_on_a_runtime_of_many_threads() {
        check_abort().await;
    }

    /// D7.
    #[tokio::test]
    async fn an_abort_may_spawn_on_a_runtime_of_one_thread() {
        check_abort().await;
    }

    /// D7: also at the cut-off.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn an_abort_at_the_cut_off_may_spawn() {
        let (goodbye, said) = mpsc::channel();
        let builder = App::builder().resources::<Hung>().supply(Hung(goodbye)).shutdown_timeout(secs(2));
        check(builder, said, "`Hung` could not be released").await;
    }

    /// D7.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_drop_after_an_abort_may_spawn_on_a_runtime_of_many_threads() {
        check_drop().await;
    }

    /// D7.
    #[tokio::test]
    async fn the_drop_after_an_abort_may_spawn_on_a_runtime_of_one_thread() {
        check_drop().await;
    }
}

/// R1, E3: a failure is counted in every interleaving, also one that is about to be told while the turn of its resource
/// ends without it.
mod crossing {
    use super::*;

    const TASKS: usize = 8;

    /// At their turn, one of its tasks fails and the others end, in the same moment.
    #[resource]
    struct One;

    impl Resource for One {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            for task in 0..TASKS {
                cx.spawn(task.to_string(), async move |stopping| {
                    stopping.await;
                    if task == 0 { Err("out of connections") } else { Ok(()) }
                });
            }
            Ok(Self)
        }
    }

    /// At their turn, all of its tasks fail in the same moment.
    #[resource]
    struct All;

    impl Resource for All {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            for task in 0..TASKS {
                cx.spawn(task.to_string(), async |stopping| {
                    stopping.await;
                    Err("out of connections")
                });
            }
            Ok(Self)
        }
    }

    /// The same, and each takes a while to say how. These failures are tolerated.
    #[resource(optional)]
    struct Crowd;

    impl Resource for Crowd {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            for task in 0..TASKS {
                cx.spawn(task.to_string(), async |stopping| {
                    stopping.await;
                    Err(Verbose)
                });
            }
            Ok(Self)
        }
    }

    #[derive(Debug)]
    struct Verbose;

    impl fmt::Display for Verbose {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            thread::sleep(Duration::from_micros(50));
            f.write_str("out of connections")
        }
    }

    impl Error for Verbose {}

    /// Starts `R` and stops it, until `time` is over.
    async fn check<R: Resources>(time: Duration, failures: usize) {
        let began = Instant::now();
        let (mut applications, mut lost, mut ended_with_0) = (0, 0, 0);
        while began.elapsed() < time {
            capture::begin();
            let app = App::builder().resources::<R>().start().await.unwrap();
            app.shutdown("the test is over");
            let report = app.run().await;
            applications += 1;
            lost += usize::from(report.failures.len() < failures);
            ended_with_0 += usize::from(report.exit_code == 0);
        }
        assert_eq!(
            (lost, ended_with_0),
            (0, 0),
            "of {applications} applications, so many lost a failure, and so many ended with 0"
        );
    }

    /// R1, E1: or else the application ends with 0.
    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn the_failure_of_one_task_is_not_lost_while_the_others_end_its_turn() {
        check::<(One, Crowd)>(secs(3), 1 + TASKS).await;
        check::<One>(secs(3), 1).await;
    }

    /// E3.
    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn of_many_tasks_that_fail_at_once_every_failure_is_told() {
        check::<(All, Crowd)>(secs(2), 2 * TASKS).await;
        check::<All>(secs(2), TASKS).await;
    }
}
