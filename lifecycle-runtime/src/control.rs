//! Brings signals and time to the engine, from a thread with a small runtime of its own: cut-offs happen and
//! signals count also while every thread of the application's runtime is blocked. It never calls tracing or the
//! standard streams, which may block.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout};

use crate::driver::Driver;
use crate::endpoints::Endpoints;
use crate::engine::event::Event;
use crate::signals::Signals;

/// Whether the process's signals are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    Ours,
    Theirs,
}

/// For how long an application is controlled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Its end: the program around it goes on.
    TheEnd,
    /// The process is gone: it ends with the application.
    Exit,
}

/// A control thread that waits for its application. If it is dropped before it gets one, the thread ends.
#[derive(Debug)]
pub(crate) struct Control {
    application: oneshot::Sender<(Arc<Driver>, Until, Endpoints)>,
}

impl Control {
    /// Starts the thread. With [`Handling::Ours`], signals are caught when this returns (rule S1).
    pub(crate) fn start(handling: Handling) -> io::Result<Self> {
        let (application, arrives) = oneshot::channel();
        let (ready, is_ready) = mpsc::sync_channel(1);
        thread::Builder::new().name("lifecycle-control".to_owned()).spawn(move || {
            let prepared =
                tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
                    let context = runtime.enter();
                    let signals = match handling {
                        Handling::Ours => Signals::catch(),
                        Handling::Theirs => Ok(Signals::none()),
                    };
                    drop(context);
                    Ok((runtime, signals?))
                });
            match prepared {
                Ok((runtime, signals)) => {
                    let _ = ready.send(Ok(()));
                    runtime.block_on(async move {
                        if let Ok((driver, until, endpoints)) = arrives.await {
                            control_here(driver, signals, until, endpoints).await;
                        }
                    });
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })?;
        is_ready
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the control thread ended before it began")))?;
        Ok(Self { application })
    }

    /// Takes control of an application.
    pub(crate) fn take(self, driver: &Arc<Driver>, until: Until, endpoints: Endpoints) {
        // The thread waits for this, and for nothing else.
        let _ = self.application.send((Arc::clone(driver), until, endpoints));
    }
}

async fn control_here(driver: Arc<Driver>, mut signals: Signals, until: Until, endpoints: Endpoints) {
    driver.is_controlled_here();
    let served = endpoints.serve(&driver);
    control(&driver, &mut signals).await;
    let _ = timeout(LAST_WORDS, served.end()).await;
    match until {
        Until::TheEnd => {
            // Whoever sees the end may count on signals being the program's own again.
            drop(signals);
            driver.finish();
        }
        Until::Exit => {
            driver.finish();
            end_process_if_insisted(&driver, &mut signals).await;
        }
    }
}

/// Everything is released, and the process is still here. Supervisors may repeat SIGTERM (rule D8); a person who
/// insists does not want to wait for whatever holds it.
async fn end_process_if_insisted(driver: &Driver, signals: &mut Signals) {
    loop {
        let signal = signals.next().await;
        if signal.insists() {
            driver.exit(signal);
        }
    }
}

/// How long the end waits for what is still to be said: a log that blocks must not keep the process.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(250);

/// Brings signals and time to the engine until the application has ended, and all is said that can be.
pub(crate) async fn control(driver: &Arc<Driver>, signals: &mut Signals) {
    let mut wake = driver.wake();
    let ended = driver.ended().clone();
    let mut ended = pin!(ended.cancelled());
    loop {
        let at = *wake.borrow_and_update();
        tokio::select! {
            biased;
            () = &mut ended => break,
            signal = signals.next() => driver.send(Event::Signal(signal)),
            () = sleep_for(driver, at) => driver.send(Event::Tick),
            _ = wake.changed() => {}
        }
    }
    let _ = timeout(LAST_WORDS, driver.spoken().cancelled()).await;
}

async fn sleep_for(driver: &Driver, at: Option<Duration>) {
    match at {
        Some(at) => sleep_until(driver.origin() + at).await,
        None => std::future::pending().await,
    }
}
