//! A virtual clock that waits for the rest of the world.

use std::future::Future;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::Notify;

use super::threads::{self, Owner};
use crate::driver::lock;

/// How often it is looked whether anything happens.
const LOOK: Duration = Duration::from_micros(500);

/// So many looks in a row at which nothing has happened: the application waits for time, or for another thread.
const CALM: u32 = 2;

/// So many looks in a row are enough even if another thread is at work: it may be that of another test.
const LONG_CALM: u32 = 60;

/// While tokio's clock is held, the runtime wakes in vain when the next timer would be due in real time. It waits for as
/// long as that, or longer, and goes back to waiting within this time.
const IN_VAIN: (Duration, Duration) = (Duration::from_micros(200), Duration::from_micros(50));

/// When nothing has happened for so long, although time may pass, nothing ever will.
const STUCK: Duration = Duration::from_secs(5);

/// In this time, a clock that is not paused has moved.
const MOVES: Duration = Duration::from_micros(20);

/// How long blocking work may go on after the end.
const REST: Duration = Duration::from_secs(1);

/// Runs a test on a runtime of its own, with a virtual clock.
///
/// As under `#[tokio::test(start_paused = true)]`, waiting takes no time: when everything waits, the clock moves to the
/// next timer. But a paused clock of tokio also moves while the answer of another thread, a socket or a database is
/// on its way, and every time-out fires at once. This one moves only when nothing has happened for about a millisecond, and (on
/// Linux, for 30 ms at most) no thread that the test may have started is at work, so that real servers, files and pools can take part in the test.
///
/// ```
/// use std::time::Duration;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::{TcpListener, TcpStream};
/// use tokio::time::{sleep, timeout};
///
/// lifecycle::testing::block_on(async {
///     sleep(Duration::from_secs(3_600)).await; // takes no time
///     let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
///     let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
///     let (mut server, _) = listener.accept().await.unwrap();
///     client.write_all(b"x").await.unwrap();
///     let byte = timeout(Duration::from_secs(1), server.read_u8()).await;
///     assert_eq!(byte.unwrap().unwrap(), b'x');
/// });
/// ```
///
/// # Panics
///
/// If the future panics; if nothing has happened for 5 s of real time, and no timer is left either; and if it is called
/// on a runtime.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    block_on_with(Pace::Waits, future)
}

/// When a virtual clock moves, once the runtime waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once, as tokio's does.
    Runs,
    /// When nothing happens elsewhere either.
    Waits,
}

#[track_caller]
pub(super) fn block_on_with<F: Future>(pace: Pace, future: F) -> F::Output {
    outside_of_runtimes("block_on");
    let clock = Arc::new(Clock::new());
    let owner = clock.owner;
    owner.take();
    // The clock holds the runtime's handle, which holds these.
    let (parks, unparks) = (Arc::downgrade(&clock), Arc::downgrade(&clock));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || {
            if let Some(clock) = parks.upgrade() {
                clock.parks();
            }
        })
        .on_thread_unpark(move || {
            if let Some(clock) = unparks.upgrade() {
                clock.unparks();
            }
        })
        .on_thread_start(move || owner.take())
        .on_thread_stop(threads::leave)
        .build()
        .unwrap_or_else(|error| panic!("the runtime of a test cannot be made: {error}"));
    if pace == Pace::Waits {
        let _ = clock.runtime.set(runtime.handle().clone());
    }
    let watch = Arc::clone(&clock);
    let watch = thread::Builder::new().name("lifecycle-clock".to_owned()).spawn(move || watch.watch());
    watch.unwrap_or_else(|error| panic!("the clock of a test cannot be started: {error}"));
    // Dropped in this order, also if the future panics.
    let mut runtime = Runtime { runtime: Some(runtime), clock };
    let clock = Arc::clone(&runtime.clock);
    runtime.runtime.as_mut().expect("it is taken at the end").block_on(async {
        clock.hold(&mut clock.state());
        tokio::select! {
            biased;
            output = future => output,
            () = clock.is_stuck.notified() => {
                panic!("nothing happens any more, and no timer is left: something is waited for that never comes")
            }
        }
    })
}

/// Both kinds of tests have a runtime: one is enough.
#[track_caller]
pub(super) fn outside_of_runtimes(function: &str) {
    assert!(
        Handle::try_current().is_err(),
        "`{function}` makes a runtime, and is called on one: call it in a plain `#[test]` function that is not `async`"
    );
}

/// Pauses the clock of this runtime, if it is not paused.
pub(super) fn pause() {
    const HOW: &str = "write `#[tokio::test(start_paused = true)]`, or use `lifecycle::testing::block_on`";
    let runtime = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    assert!(runtime.is_ok(), "a `World` runs on a runtime of tokio, and there is none here: {HOW}");
    let has_one_thread = runtime.is_ok_and(|flavor| flavor == RuntimeFlavor::CurrentThread);
    assert!(has_one_thread, "the clock of a runtime with several threads cannot be paused: {HOW}");
    // Without timers this panics, and says so.
    drop(tokio::time::sleep(Duration::ZERO));
    // Tokio does not say whether its clock is paused: one that is not moves.
    let (before, began) = (tokio::time::Instant::now(), Instant::now());
    while began.elapsed() < MOVES {
        std::hint::spin_loop();
    }
    if tokio::time::Instant::now() != before {
        tokio::time::pause();
    }
}

struct Runtime {
    runtime: Option<tokio::runtime::Runtime>,
    clock: Arc<Clock>,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let mut state = self.clock.state();
        state.is_over = true;
        state.hold = None;
        drop(state);
        self.clock.looks.notify_all();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(REST);
        }
        threads::leave();
    }
}

struct Clock {
    /// Whose threads are waited for.
    owner: Owner,
    runtime: OnceLock<Handle>,
    state: Mutex<State>,
    looks: Condvar,
    is_stuck: Notify,
}

#[derive(Default)]
struct State {
    /// Changes when the runtime has something to do.
    activity: u64,
    is_parked: bool,
    /// When the runtime began to wait, and when it woke last, and whether it had waited for long then.
    parked_at: Option<Instant>,
    woke_at: Option<(Instant, bool)>,
    /// While there is one, a blocking task waits for it, and tokio's clock stands still.
    hold: Option<Sender<()>>,
    /// How often the runtime has been about to wait since the clock was let go.
    parks: u32,
    is_over: bool,
}

impl Clock {
    fn new() -> Self {
        Self {
            owner: Owner::new(),
            runtime: OnceLock::new(),
            state: Mutex::default(),
            looks: Condvar::new(),
            is_stuck: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn hold(&self, state: &mut State) {
        let Some(runtime) = self.runtime.get() else { return };
        let (hold, held) = mpsc::channel();
        state.hold = Some(hold);
        state.parks = 0;
        runtime.spawn_blocking(move || {
            let _ = held.recv();
        });
    }

    /// The runtime is about to wait for something. When the clock was let go, tokio only notices that the first time, and
    /// moves the clock the second time. After that it is held again.
    fn parks(&self) {
        let mut state = self.state();
        if state.hold.is_none() && !state.is_over {
            state.parks += 1;
            if state.parks > 2 {
                self.hold(&mut state);
            }
        }
        let woke_in_vain = state.woke_at.is_some_and(|(at, waited)| waited && at.elapsed() < IN_VAIN.1);
        if !woke_in_vain {
            state.activity += 1;
        }
        state.parked_at = Some(Instant::now());
        state.is_parked = true;
    }

    fn unparks(&self) {
        let mut state = self.state();
        let waited = state.parked_at.is_some_and(|at| at.elapsed() > IN_VAIN.0);
        state.woke_at = Some((Instant::now(), waited));
        state.is_parked = false;
    }

    /// Lets the clock go whenever nothing happens.
    fn watch(&self) {
        threads::WATCH.take();
        let (mut state, mut seen, mut calm) = (self.state(), 0, 0);
        let mut last_activity = Instant::now();
        while !state.is_over {
            (state, _) = self.looks.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            if state.activity != seen || !state.is_parked {
                (seen, calm, last_activity) = (state.activity, 0, Instant::now());
                continue;
            }
            calm += 1;
            if calm >= CALM && state.hold.is_some() {
                drop(state);
                let is_waited_for = calm < LONG_CALM && self.owner.is_at_work();
                state = self.state();
                if !is_waited_for && state.activity == seen {
                    state.hold = None;
                }
            }
            if last_activity.elapsed() > STUCK && !self.owner.is_at_work() {
                self.is_stuck.notify_one();
            }
        }
        drop(state);
        threads::leave();
    }
}
