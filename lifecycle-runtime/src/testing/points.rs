//! Crash points: an application is stopped wherever it can be.

use std::env;
use std::fmt::Write;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::clock::{Pace, block_on_with, outside_of_runtimes};
use super::director::{Director, Waits};
use super::ended::text;
use super::point::Point;
use super::world::World;
use crate::driver::{Panic, catch};

/// The variable that selects one point.
const VARIABLE: &str = "LIFECYCLE_TEST_POINT";

/// The most awaits of one hook or task that are tried: a loop repeats itself.
const MOST_AWAITS: usize = 64;

/// How many runs more without a crash, and how many attempts at a point, where runs differ.
const UNDISTURBED: usize = 3;
const ATTEMPTS: usize = 3;

/// How many runs are under way for each core, where several are: most of the time, a run waits.
const AT_A_TIME: usize = 2;

/// How many failures are shown in full.
const SHOWN: usize = 3;

/// What [`for_every_point`] has tried.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Points {
    /// The points at which the application was stopped.
    pub tried: Vec<Point>,
    /// The points that were planned and not reached: another run came to other awaits, as real I/O may.
    pub unreached: Vec<Point>,
    /// The hooks and tasks that came to more than 64 awaits, of which the first 64 were tried, in words.
    pub capped: Vec<String>,
}

/// Runs a test again and again, and stops its application at another point each time: at every await of every hook and
/// every task with a signal, an error, a panic, a hang and a drop. It finds what is not cancel safe.
///
/// `test` makes an application with everything that it needs, runs it in the world that it is given (see
/// [`World::run`]), and then asserts what has to hold wherever the application was stopped: that a job is either done or
/// still in the queue, say. The script does what the application is there for, and puts up with being refused.
/// The first run is not disturbed, and tells which awaits there are. Each run has a runtime of its own and the virtual
/// clock of [`block_on`](super::block_on), or that of tokio, which is quicker, if the application does the same under both.
///
/// An await counts where it has to wait; one that is ready at once is not seen. What happens at one:
///
/// | | |
/// |---|---|
/// | signal | SIGTERM arrives, and the await goes on |
/// | error | what is awaited fails, as if the `?` behind it had returned; not for tasks of [`Tasks`](crate::Tasks), which have no error |
/// | panic | what is awaited panics |
/// | hang | what is awaited is never ready; the application goes on, and cuts it off when it stops |
/// | drop | SIGTERM arrives, and the hook or task is dropped there, as at its cut-off |
///
/// After each run the rules of the library are checked, too: everything that was acquired was released or aborted, in
/// order and in time, the failure is in the report, and the exit code is right.
///
/// One point is tried after another: [`for_every_point_in_parallel`] tries several at a time.
///
/// The requests of a server are not points of their own; what a handler spawns with `cx.tasks()` is. Work on other
/// threads has no awaits.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use lifecycle::testing::{for_every_point, World};
/// use lifecycle::{Acquire, App, Resource, Result, Stopping, Supplied, resource};
/// use tokio::time::{Duration, sleep};
///
/// #[resource(supplied)]
/// #[derive(Clone, Default)]
/// struct Queue { waiting: Arc<Mutex<Vec<u32>>>, done: Arc<Mutex<Vec<u32>>> }
///
/// impl Supplied for Queue {}
///
/// #[resource(after = Queue)]
/// struct Worker;
///
/// impl Resource for Worker {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         let queue = cx.get::<Queue>();
///         cx.spawn("work", |stopping| work(queue, stopping));
///         Ok(Worker)
///     }
/// }
///
/// async fn work(queue: Arc<Queue>, stopping: Stopping) {
///     while stopping.run_until(sleep(Duration::from_millis(10))).await.is_some() {
///         let next = queue.waiting.lock().unwrap().last().copied(); // taken out only when it is done
///         let Some(job) = next else { continue };
///         sleep(Duration::from_secs(1)).await; // the work
///         queue.done.lock().unwrap().push(job);
///         queue.waiting.lock().unwrap().pop();
///     }
/// }
///
/// // #[test]
/// fn no_job_is_lost() {
///     for_every_point(async |world: World| {
///         let queue = Queue::default();
///         queue.waiting.lock().unwrap().extend([1, 2]);
///         let app = App::builder().resources::<Worker>().supply(queue.clone());
///         let _ = world.run(app, async |_| sleep(Duration::from_secs(5)).await).await;
///         let jobs = queue.waiting.lock().unwrap().len() + queue.done.lock().unwrap().len();
///         assert_eq!(jobs, 2, "a job is waiting or done");
///     });
/// }
/// # no_job_is_lost();
/// ```
///
/// # Panics
///
/// If `test` panics at any point, or a rule of the library is broken: after all points have been tried, with each failing
/// point in words, and what to set to run it alone: `LIFECYCLE_TEST_POINT="Worker/task-work@2:drop"`.
///
/// If `test` panics without being disturbed, runs nothing in its world, or if no hook or task ever waits; and if this is
/// called on a runtime.
#[track_caller]
pub fn for_every_point(test: impl AsyncFn(World)) -> Points {
    let plan = Plan::of(&test);
    let tried = plan.points.iter().map(|point| plan.crash(&test, point)).collect();
    plan.outcome(tried)
}

/// As [`for_every_point`], and tries several points at a time. A test with real servers, files or databases waits for them
/// most of the time, and is done in a fraction of it.
///
/// The runs must not disturb one another: what an application takes outside of the process (a port, a directory, a
/// database) has to be another one in each run, and so has what is static in the process.
///
/// # Panics
///
/// As [`for_every_point`].
#[track_caller]
pub fn for_every_point_in_parallel(test: impl AsyncFn(World) + Sync) -> Points {
    let plan = Plan::of(&test);
    let next = AtomicUsize::new(0);
    let tried: Vec<OnceLock<Tried>> = plan.points.iter().map(|_| OnceLock::new()).collect();
    let try_one_after_another = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = plan.points.get(number) else { break };
            let _ = tried[number].set(plan.crash(&test, point));
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..cores * AT_A_TIME {
            scope.spawn(try_one_after_another);
        }
    });
    plan.outcome(tried.into_iter().filter_map(OnceLock::into_inner).collect())
}

/// What is to be tried.
struct Plan {
    points: Vec<Point>,
    pace: Pace,
    capped: Vec<String>,
}

/// What became of it at one point.
struct Tried {
    is_reached: bool,
    failure: Option<String>,
}

impl Plan {
    #[track_caller]
    fn of(test: &impl AsyncFn(World)) -> Self {
        outside_of_runtimes("for_every_point");
        let (places, pace) = undisturbed(test);
        let capped = places.iter().filter(|(_, awaits)| *awaits > MOST_AWAITS);
        let capped =
            capped.map(|(place, awaits)| format!("{place}: the first {MOST_AWAITS} of {awaits} awaits"));
        let points = places
            .iter()
            .flat_map(|(place, awaits)| (1..=(*awaits).min(MOST_AWAITS)).flat_map(|at| place.points(at)));
        let points = selected(points.collect(), env::var(VARIABLE).ok().as_deref());
        Self { points, pace, capped: capped.collect() }
    }

    /// Runs the test with a crash: again, if that has not come to its point.
    fn crash(&self, test: &impl AsyncFn(World), point: &Point) -> Tried {
        let mut attempts = if self.pace == Pace::Waits { ATTEMPTS } else { 1 };
        loop {
            let director = Director::default();
            director.stop_at(point.clone());
            let failure = run(test, &director, self.pace).err().map(|panic| panic.what_happened(&director));
            let is_reached = director.is_point_reached();
            attempts -= 1;
            if failure.is_some() || is_reached || attempts == 0 {
                return Tried { is_reached, failure };
            }
        }
    }

    #[track_caller]
    fn outcome(self, tried: Vec<Tried>) -> Points {
        let mut points = Points { tried: Vec::new(), unreached: Vec::new(), capped: self.capped };
        let mut failing = Vec::new();
        for (point, Tried { is_reached, failure }) in self.points.into_iter().zip(tried) {
            failing.extend(failure.map(|failure| (point.clone(), failure)));
            let reached = if is_reached { &mut points.tried } else { &mut points.unreached };
            reached.push(point);
        }
        if !failing.is_empty() {
            panic!("{}", told(&failing, &points));
        }
        let missed = points.unreached.len();
        assert!(
            !points.tried.is_empty(),
            "none of the {missed} crash points was reached: the test differs from run to run"
        );
        points
    }
}

/// The points that are to be tried.
#[track_caller]
fn selected(planned: Vec<Point>, only: Option<&str>) -> Vec<Point> {
    assert!(
        !planned.is_empty(),
        "no hook and no task ever waits for anything: there is no await at which the application could be stopped"
    );
    let Some(only) = only else { return planned };
    let chosen: Vec<Point> = planned.iter().filter(|point| point.id() == only).cloned().collect();
    let ids = || planned.iter().map(Point::id).collect::<Vec<_>>().join("\n  ");
    assert!(!chosen.is_empty(), "{VARIABLE}={only:?}: there is no such point here, but these:\n  {}", ids());
    chosen
}

/// Runs the test without a crash. Says how often each hook and each task waits, and how the clock of all runs is to move:
/// it need not wait for other threads if that changes nothing.
#[track_caller]
fn undisturbed(test: &impl AsyncFn(World)) -> (Waits, Pace) {
    let waited = Director::default();
    if let Err(panic) = run(test, &waited, Pace::Waits) {
        panic!("without a crash, already:\n{}", panic.what_happened(&waited));
    }
    assert!(
        waited.has_begun(),
        "no application has run in the world that the test is given: `world.run(app, script).await`"
    );
    let quick = Director::default();
    if run(test, &quick, Pace::Runs).is_ok() && quick.what_and_when() == waited.what_and_when() {
        return (waited.places(), Pace::Runs);
    }
    // Where other threads take part, the same await has to wait in one run, and not in another.
    let mut places = waited.places();
    for _ in 0..UNDISTURBED {
        let again = Director::default();
        if let Err(panic) = run(test, &again, Pace::Waits) {
            panic!("without a crash, already:\n{}", panic.what_happened(&again));
        }
        for (place, awaits) in again.places() {
            match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, most)) => *most = awaits.max(*most),
                None => places.push((place, awaits)),
            }
        }
    }
    (places, Pace::Waits)
}

fn run(test: &impl AsyncFn(World), director: &Director, pace: Pace) -> Result<(), Panic> {
    let world = World::of(director.clone());
    catch(|| block_on_with(pace, test(world)))
}

impl Panic {
    fn what_happened(&self, director: &Director) -> String {
        let Self(words) = self;
        format!("  {}\n{}", words.replace('\n', "\n  "), text(&director.log()))
    }
}

fn told(failing: &[(Point, String)], Points { tried, unreached, .. }: &Points) -> String {
    let mut text = format!("{} of {} crash points fail\n", failing.len(), tried.len() + unreached.len());
    for (number, (point, why)) in failing.iter().enumerate() {
        let _ = writeln!(text, "\n{point}:");
        if number < SHOWN {
            text.push_str(why);
        } else if let Some(words) = why.lines().next() {
            let _ = writeln!(text, "{words}");
        }
        let _ = writeln!(text, "  to run it alone: {VARIABLE}={:?}", point.id());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::kit::Work;
    use crate::testing::point::Place;

    #[test]
    fn one_point_is_selected_by_its_name() {
        let planned: Vec<Point> = Place::next("Db", Work::Release, &[]).points(2).collect();
        let ids = |only| selected(planned.clone(), only).iter().map(Point::id).collect::<Vec<_>>();
        assert_eq!(ids(None).len(), 5);
        assert_eq!(ids(Some("Db/release@2:panic")), ["Db/release@2:panic"]);
        let Err(Panic(words)) = catch(|| ids(Some("Db/release@3:panic"))) else { panic!("it is not there") };
        assert!(
            words.contains("there is no such point here, but these:\n  Db/release@2:signal\n"),
            "{words}"
        );
    }
}
