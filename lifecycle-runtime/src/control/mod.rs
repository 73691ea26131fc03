//! Brings signals and time to the engine, from a thread with a small runtime of its own: cut-offs happen and
//! signals count even while every thread of the application's runtime is blocked. It never calls tracing or the
//! standard streams, which may block.

mod clock;
pub(crate) mod endpoint;
#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
pub(crate) mod heartbeat;
pub(crate) mod last_mile;
mod waiting;

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, timeout};

use self::endpoint::Endpoints;
use crate::driver::{BoxFuture, Driver};
use crate::engine::event::Event;
use crate::engine::notice::Notice;
use crate::engine::settings::Ending;
use crate::model::first_of::first_of;
use crate::model::phase::Phase;
use crate::model::signal::Taken;
use crate::process::signals::{self, Signals};
use crate::process::stderr::PATIENCE;
use crate::process::{block_on, headroom, lock, thread};

/// Who handles the process's signals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    Ours,
    Theirs,
}

/// A control thread that waits for its application. If it is dropped before it gets one, the thread ends.
pub(crate) struct Control {
    application: oneshot::Sender<Application>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// What a control thread is given.
enum Application {
    /// One that is about to start.
    Lives(Arc<Driver>, Endpoints),
    /// One that has ended, and its process with it.
    Ends(Arc<Driver>),
}

impl Control {
    /// Starts the thread. Signals are caught when this returns (rule S1), if they are to be.
    pub(crate) fn start(handling: Handling) -> io::Result<Self> {
        if handling == Handling::Theirs {
            return Self::start_thread(handling);
        }
        // What comes meanwhile waits: until every handler is complete, on the new thread; and then here as well. The
        // threads that are started from here inherit it that nothing is blocked.
        signals::block();
        let control = Self::start_thread(handling);
        signals::unblock();
        control
    }

    fn start_thread(handling: Handling) -> io::Result<Self> {
        let (application, arrives) = oneshot::channel();
        let never = || Err(io::Error::other("the control thread ended before it was ready"));
        let is_prepared = Arc::new(Mutex::new(never()));
        let result = Arc::clone(&is_prepared);
        let (at_work, is_done) = thread::work();
        thread::start("lifecycle-control", move || match prepare(handling) {
            Ok((runtime, mut signals)) => {
                *lock(&result) = Ok(());
                drop(at_work);
                let life = pin!(async move {
                    match waiting::wait_for(arrives, &mut signals).await {
                        Ok(Application::Lives(driver, endpoints)) => {
                            let _heeding = signals.heed();
                            control_life(driver, signals, endpoints).await;
                        }
                        Ok(Application::Ends(driver)) => {
                            let _heeding = signals.heed();
                            control_end(&driver, signals).await;
                        }
                        Err(never) => never.end(signals),
                    }
                });
                block_on(&runtime, life);
            }
            Err(error) => {
                *lock(&result) = Err(error);
                drop(at_work);
            }
        })?;
        is_done.wait(Duration::MAX);
        std::mem::replace(&mut *lock(&is_prepared), Ok(()))?;
        Ok(Self { application })
    }

    /// Takes control of an application.
    pub(crate) fn take(self, driver: &Arc<Driver>, endpoints: Endpoints) {
        // The thread waits for nothing else.
        let _ = self.application.send(Application::Lives(Arc::clone(driver), endpoints));
    }

    /// Takes control of the end of the process, after that of the application.
    fn take_to_the_end(self, driver: &Arc<Driver>) {
        let _ = self.application.send(Application::Ends(Arc::clone(driver)));
    }
}

/// What the control thread runs on, and what it hears.
fn prepare(handling: Handling) -> io::Result<(Runtime, Signals)> {
    headroom::descriptors_of_a_runtime()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    let signals = match handling {
        Handling::Ours => Signals::catch()?,
        Handling::Theirs => Signals::none(),
    };
    drop(context);
    Ok((runtime, signals))
}

async fn control_life(driver: Arc<Driver>, mut signals: Signals, endpoints: Endpoints) {
    let told = endpoints.serve(&driver);
    control(&driver, &mut signals).await;
    let _ = timeout(PATIENCE, told).await;
    match driver.ending() {
        Ending::Application => {
            // Code that sees the end can rely on signals having their default effect again.
            drop(signals);
            driver.conclude();
        }
        Ending::Process => {
            driver.conclude();
            control_end(&driver, signals).await;
        }
    }
}

/// Everything is released, and the process is still here: signals count to its very end (rule D8).
async fn control_end(driver: &Arc<Driver>, mut signals: Signals) {
    loop {
        driver.send(Event::Signal(signals.next().await));
    }
}

/// Controls an application that neither signals nor endpoints concern.
pub(crate) fn control_time(driver: &Arc<Driver>) -> io::Result<()> {
    clock::start(driver)
}

/// Controls an application from a task of its own runtime, whose clock a test may pause: there are no signals then.
pub(crate) fn control_from_its_runtime(driver: &Arc<Driver>) {
    let driver = Arc::clone(driver);
    let control: BoxFuture<()> = Box::pin(async move {
        control(&driver, &mut Signals::none()).await;
        driver.conclude();
    });
    tokio::spawn(control);
}

/// Brings signals and time to the engine until the application has ended, and everything is said that can be.
pub(crate) async fn control(driver: &Arc<Driver>, signals: &mut Signals) {
    let mut wake = driver.wake();
    let mut ended = pin!(driver.milestones().ended.raised());
    let mut taken = pin!(signals.are_caught().then(|| signals_are_taken(driver)));
    loop {
        let at = *wake.borrow_and_update();
        let has_ended = first_of(&mut [
            pin!(async {
                ended.as_mut().await;
                true
            }),
            pin!(async {
                driver.send(Event::Signal(signals.next().await));
                false
            }),
            pin!(async {
                sleep_for(driver, at).await;
                driver.send(Event::Tick);
                false
            }),
            pin!(async {
                let _ = wake.changed().await;
                false
            }),
            pin!(async {
                let taken_by = some(taken.as_mut().as_pin_mut()).await;
                driver.say(Notice::SignalsTaken(taken_by));
                taken.set(None);
                false
            }),
        ])
        .await;
        if has_ended {
            break;
        }
    }
    let _ = timeout(PATIENCE, driver.milestones().spoken.raised()).await;
}

/// Ready if signals were taken by the time when everything is acquired. It looks again a little later: a thread that has
/// just been started has no name yet.
async fn signals_are_taken(driver: &Driver) -> Taken {
    // It always comes to an end, and the sender is the driver's.
    let _ = driver.phase().wait_for(|phase| *phase != Phase::Starting).await;
    for seconds in 0..2 {
        sleep(Duration::from_secs(seconds)).await;
        if let Some(taken) = signals::taken() {
            return taken;
        }
    }
    pending().await
}

/// A future that may not be there, and then is never ready.
async fn some<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn sleep_for(driver: &Driver, at: Option<Duration>) {
    match at {
        Some(at) => sleep_until(driver.origin() + at).await,
        None => pending().await,
    }
}
