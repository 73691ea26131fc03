//! The test kit, feature `testing`: an application in a world that a test makes, and what is asserted of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::testing::{Event, Fault, Hook, Notes, World, block_on};
use lifecycle::{Acquire, App, Builder, Outcome, Phase, Reason, Release, Resource, Result, Signal, resource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::stage::{ms, secs};

/// What tests put in place of a mail server.
trait Post: Send + Sync {
    fn send(&self, letter: &str);
}

#[derive(Clone, Default)]
struct Pigeonhole(Arc<Mutex<Vec<String>>>);

impl Post for Pigeonhole {
    fn send(&self, letter: &str) {
        self.0.lock().unwrap().push(letter.to_owned());
    }
}

struct Smtp;

impl Post for Smtp {
    fn send(&self, _: &str) {
        panic!("no test sends mail");
    }
}

/// A trait object behind a newtype.
#[resource]
struct Mail(Box<dyn Post>);

impl Resource for Mail {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(Box::new(Smtp)))
    }
}

#[resource(name = "db")]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        sleep(ms(100)).await;
        Ok(Self)
    }

    async fn release(&self, _: &Release) -> Result {
        sleep(ms(50)).await;
        Ok(())
    }
}

#[resource(after = [Db, Mail])]
struct Newsletter;

impl Resource for Newsletter {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let mail = cx.get::<Mail>();
        cx.spawn("issue", |stopping| async move {
            stopping.await;
            sleep(ms(10)).await;
            mail.0.send("the last issue");
        });
        Ok(Self)
    }
}

fn newsletter() -> Builder {
    App::builder().resources::<Newsletter>().supply(Mail(Box::<Pigeonhole>::default()))
}

/// What an assertion says when it fails.
#[track_caller]
fn words_of(assertion: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion does not hold");
    *payload.downcast::<String>().expect("the words were put together")
}

#[tokio::test(start_paused = true)]
async fn a_fake_behind_a_trait_object_takes_the_place_of_a_resource() {
    let sent = Pigeonhole::default();
    let app = App::builder().resources::<Newsletter>().supply(Mail(Box::new(sent.clone())));
    let ended = World::new().run(app, async |_| {}).await;
    ended.assert_clean();
    assert_eq!(*sent.0.lock().unwrap(), ["the last issue"]);
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_in_an_ordered_log() {
    let ended = World::new().run(newsletter(), async |_| {}).await;
    ended.assert_log([
        "acquiring db",
        "acquired db",
        "acquiring Newsletter",
        "acquired Newsletter",
        "phase running",
        "shutdown: the script of the test has ended",
        "phase draining",
        "phase stopping",
        "stopping Newsletter",
        "task issue of Newsletter ended",
        "releasing Newsletter",
        "released Newsletter",
        "stopping Mail",
        "releasing Mail",
        "stopping db",
        "releasing db",
        "released Mail",
        "released db",
        "phase stopped",
    ]);
    ended.assert_in_order([Event::acquired::<Db>(), Event::phase(Phase::Running), Event::released::<Db>()]);
    assert!(ended.timed_log().contains(&"160 released db".to_owned()), "{:?}", ended.timed_log());
    ended.assert_released_before::<Newsletter, Db>();
    ended.assert_outcome::<Db>(Outcome::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_script_uses_the_application_while_it_runs() {
    let mut answer = None;
    let ended = World::new()
        .run(newsletter(), async |app| {
            answer = Some((app.phase(), app.try_get::<Db>().is_some()));
            sleep(secs(3_600)).await;
        })
        .await;
    assert_eq!(answer, Some((Phase::Running, true)));
    assert!(ended.began(Phase::Draining).unwrap() >= secs(3_600));
    ended.assert_exit_code(0);
}

#[tokio::test(start_paused = true)]
async fn signals_and_requests_come_at_moments() {
    let ended = World::new()
        .at(secs(7), |app| app.deliver(Signal::Terminate))
        .run(newsletter(), async |app| app.stopping().await)
        .await;
    assert_eq!(ended.began(Phase::Draining), Some(secs(7)));
    assert_eq!(ended.reason, Reason::Signal(Signal::Terminate));
    ended.assert_clean();

    // In the middle of the start.
    let ended =
        World::new().at(ms(60), |app| app.shutdown("never mind")).run(newsletter(), async |_| {}).await;
    assert!(!ended.has_started());
    ended.assert_in_order([Event::acquiring::<Db>(), Event::phase(Phase::Draining)]);
    assert!(ended.log().contains(&"acquire of db cancelled".to_owned()), "{:?}", ended.log());
}

#[tokio::test(start_paused = true)]
async fn signals_and_requests_come_at_events() {
    let ended = World::new()
        .when(Event::phase(Phase::Running), |app| app.deliver(Signal::Terminate))
        .when(Event::stopping::<Newsletter>(), |app| app.deliver(Signal::Interrupt))
        .when(Event::releasing::<Db>(), |app| app.deliver(Signal::Hangup))
        .run(newsletter(), async |app| app.stopping().await)
        .await;
    let log = ended.log();
    let place =
        |line: &str| log.iter().position(|it| it == line).unwrap_or_else(|| panic!("{line}: {log:?}"));
    assert_eq!(place("SIGTERM"), place("phase running") + 1);
    assert_eq!(place("SIGINT"), place("stopping Newsletter") + 1);
    assert_eq!(place("SIGHUP"), place("releasing db") + 1);
    ended.assert_in_order([Event::task_ended::<Newsletter>("issue"), Event::releasing::<Db>()]);
}

#[tokio::test(start_paused = true)]
async fn every_fault_happens_in_the_hook_that_it_is_meant_for() {
    let run = async |hook: Hook, fault: Fault| {
        World::new().fault::<Db>(hook, fault).run(newsletter(), async |_| {}).await
    };
    run(Hook::Acquire, Fault::error("no route"))
        .await
        .assert_failures(["`db` could not be acquired: no route"]);
    run(Hook::Acquire, Fault::panic("bug"))
        .await
        .assert_failures(["`db` could not be acquired: panicked: bug"]);
    let ended = run(Hook::Acquire, Fault::Hang).await;
    ended.assert_failures(["`db` could not be acquired: timed out: startup_timeout is 1 min 0 s"]);
    ended.assert_exit_code(1);
    let ended = run(Hook::Acquire, Fault::Slow(secs(30))).await;
    ended.assert_clean();
    assert_eq!(ended.began(Phase::Running), Some(ms(30_100)));

    let ended = run(Hook::Release, Fault::error("disk full")).await;
    ended.assert_failures(["`db` could not be released: disk full"]);
    ended.assert_in_order([Event::releasing::<Db>(), Event::aborting::<Db>()]);
    ended.assert_outcome::<Db>(Outcome::Failed);
    run(Hook::Release, Fault::panic("bug")).await.assert_outcome::<Db>(Outcome::Panicked);
    let ended = run(Hook::Release, Fault::Hang).await;
    ended.assert_exit_code(124);
    assert!(ended.log().contains(&"release of db cut off".to_owned()), "{:?}", ended.log());
}

#[tokio::test(start_paused = true)]
async fn a_fault_may_be_in_a_task() {
    let ended = World::new()
        .fault::<Newsletter>(Hook::task("issue"), Fault::panic("bug"))
        .run(newsletter(), async |app| app.stopping().await)
        .await;
    ended.assert_failures(["task `issue` of `Newsletter` failed: panicked: bug"]);
    assert!(ended.log().contains(&"task issue of Newsletter failed".to_owned()), "{:?}", ended.log());
}

#[tokio::test(start_paused = true)]
async fn a_failed_assertion_shows_the_difference() {
    let ended = World::new()
        .fault::<Db>(Hook::Release, Fault::error("disk full"))
        .run(newsletter(), async |_| {})
        .await;
    let clean = words_of(|| ended.assert_clean());
    assert!(clean.starts_with("it should have ended cleanly, with exit code 0\n"), "{clean}");
    assert!(clean.contains("\n  failed: `db` could not be released: disk full\n"), "{clean}");
    let code = words_of(|| ended.assert_exit_code(124));
    assert!(code.starts_with("the exit code is 1, and should be 124\n"), "{code}");
    let failures = words_of(|| ended.assert_failures(["`db` could not be released: disk is full"]));
    assert_eq!(
        failures,
        "the failures are not as expected (- expected, + happened):\n  \
         - `db` could not be released: disk is full\n  \
         + `db` could not be released: disk full\n"
    );
    let log = words_of(|| ended.assert_log(["acquiring db", "released db"]));
    assert!(log.contains("\n    acquiring db\n"), "{log}");
    assert!(log.contains("\n  - released db\n  + acquired db\n"), "{log}");
    let order = words_of(|| ended.assert_released_before::<Db, Newsletter>());
    assert!(order.starts_with("db was not released before the turn of Newsletter began:\n"), "{order}");
    assert!(order.contains(" ms  releasing db\n"), "{order}");
    let order = words_of(|| ended.assert_in_order([Event::aborting::<Db>(), Event::acquired::<Db>()]));
    assert!(order.starts_with("\"acquired db\" did not happen after \"aborting db\":\n"), "{order}");
    let outcome = words_of(|| ended.assert_outcome::<Db>(Outcome::Clean));
    assert!(outcome.starts_with("db ended as \"failed\", and should have as \"clean\"\n"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_fault_may_come_later_or_be_a_skip() {
    #[resource(skippable)]
    struct Cache;

    impl Resource for Cache {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Self)
        }
    }

    let ended = World::new()
        .fault::<Cache>(Hook::Acquire, Fault::Skip)
        .fault::<Db>(Hook::Release, Fault::error("disk full").after(secs(2)).after(secs(1)))
        .run(newsletter().resources::<Cache>(), async |_| {})
        .await;
    ended.assert_outcome::<Cache>(Outcome::Skipped);
    ended.assert_failures(["`db` could not be released: disk full"]);
    assert_eq!(ended.stop_took, Some(ms(3_010)));
}

/// Notes what it does within its release, and what becomes of that.
#[resource]
struct Buffer(Notes, Fault);

impl Resource for Buffer {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("a test supplies it".into())
    }

    async fn release(&self, _: &Release) -> Result {
        let Self(notes, fault) = self;
        notes.add("writing");
        let gone = notes.on_drop("gone");
        fault.clone().happen().await?;
        gone.dismiss();
        notes.add("written");
        Ok(())
    }
}

fn buffer(world: &World, fault: Fault) -> Builder {
    App::builder().resources::<Buffer>().supply(Buffer(world.notes(), fault))
}

#[tokio::test(start_paused = true)]
async fn what_a_test_notes_is_in_the_log_between_the_lines_of_the_library() {
    let world = World::new();
    let notes = world.notes();
    notes.add("before the start");
    let app = buffer(&world, Fault::Slow(secs(2)));
    let ended = world
        .when(Event::noted("writing"), |app| app.deliver(Signal::Terminate))
        .run(app, async |_| sleep(secs(1)).await)
        .await;
    ended.assert_clean();
    ended.assert_in_order([
        Event::noted("before the start"),
        Event::phase(Phase::Running),
        Event::releasing::<Buffer>(),
        Event::noted("writing"),
        Event::noted("written"),
        Event::released::<Buffer>(),
    ]);
    assert_eq!(notes.timed_lines(), ["0 before the start", "1000 writing", "3000 written"]);
    notes.assert_in_order(["before the start", "written"]);
    let order = words_of(|| notes.assert_in_order(["written", "writing"]));
    assert_eq!(
        order,
        "the notes are not in order (- expected, + noted):\n  - written\n  + before the start\n    writing\n  + written\n"
    );
    notes.clear();
    assert_eq!(notes.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_is_noted_when_it_is_dropped() {
    let world = World::new();
    let ended = world.clone().run(buffer(&world, Fault::Hang), async |_| {}).await;
    ended.assert_outcome::<Buffer>(Outcome::TimedOut);
    assert!(world.notes().has("gone") && !world.notes().has("written"), "{:?}", ended.log());
}

/// As a program does that embeds it: without a body, and without a script.
#[tokio::test(start_paused = true)]
async fn a_test_may_start_an_application_by_itself() {
    let world = World::new().at(secs(7), |app| app.deliver(Signal::Terminate));
    let app = world.around(newsletter()).start().await.unwrap();
    assert_eq!(app.phase(), Phase::Running);
    let ended = world.ended(app.run().await);
    ended.assert_clean();
    assert_eq!(ended.began(Phase::Draining), Some(secs(7)));
    ended.assert_released_before::<Newsletter, Db>();
    let unmet = World::new().fault::<Mail>(Hook::Acquire, Fault::Hang);
    let report = unmet.around(newsletter()).run(async |app: App| app.shutdown("enough")).await;
    let words = words_of(|| drop(unmet.ended(report)));
    assert!(words.contains("a fault in `acquire` of Mail: it was not called"), "{words}");
}

/// A test that does not do what it says would pass for ever.
#[test]
fn what_was_planned_and_did_not_come_about_fails_the_test() {
    let run =
        |world: World| words_of(|| block_on(async { drop(world.run(newsletter(), async |_| {}).await) }));
    let words = run(World::new().fault::<Mail>(Hook::Acquire, Fault::Hang));
    assert!(words.contains("a fault in `acquire` of Mail: it was not called"), "{words}");
    let words = run(World::new().at(secs(60), |_| {}));
    assert!(words.contains("something after 1 min 0 s: the application had ended before"), "{words}");
    let words = run(World::new().when(Event::aborting::<Db>(), |_| {}));
    assert!(words.contains("something at \"aborting db\": that did not happen"), "{words}");
}

#[test]
fn a_script_that_waits_in_vain_fails_the_test() {
    let words = words_of(|| {
        block_on(async {
            let script = async |app: App| {
                app.shutdown("enough");
                std::future::pending::<()>().await;
            };
            drop(World::new().run(newsletter(), script).await);
        });
    });
    assert!(words.starts_with("the application has ended, and the script still waits"), "{words}");
}

/// The clock of `block_on` does not run ahead of another thread, as a paused clock of tokio does.
#[test]
fn the_clock_waits_for_sockets_and_threads_and_for_nothing_else() {
    let began = std::time::Instant::now();
    block_on(async {
        let start = Instant::now();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        // A timer that would fire at once under a clock that does not wait.
        let answer = tokio::spawn(timeout(secs(1), async move {
            let asked = server.read_u8().await?;
            server.write_u8(asked + 1).await
        }));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(41).unwrap());
        let number = timeout(secs(1), receiver).await.expect("the thread is waited for").unwrap();
        client.write_u8(number).await.unwrap();
        let number = timeout(secs(1), client.read_u8()).await.expect("the server is waited for").unwrap();
        assert_eq!(number, 42);
        answer.await.unwrap().unwrap().unwrap();
        assert!(start.elapsed() < secs(1), "{:?}", start.elapsed());
        sleep(secs(86_400)).await;
        assert!(start.elapsed() >= secs(86_400));
    });
    assert!(began.elapsed() < Duration::from_secs(60), "virtual time takes no time");
}

#[test]
fn a_test_in_which_nothing_happens_any_more_ends() {
    let words = catch_unwind(|| block_on(std::future::pending::<()>())).expect_err("it ends");
    let words = words.downcast_ref::<&str>().expect("the words are constant");
    assert!(words.starts_with("nothing happens any more, and no timer is left"), "{words}");
}
