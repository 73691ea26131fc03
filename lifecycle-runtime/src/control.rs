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
use crate::engine::event::Event;
use crate::signals::Signals;

/// Whether the process's signals are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    Ours,
    Theirs,
}

/// A control thread that waits for its application. If it is dropped before it gets one, the thread ends.
#[derive(Debug)]
pub(crate) struct Control {
    application: oneshot::Sender<Arc<Driver>>,
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
                        if let Ok(driver) = arrives.await {
                            let driver: Arc<Driver> = driver;
                            driver.is_controlled_here();
                            control(driver, signals).await;
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

    /// Takes control of an application until its end.
    pub(crate) fn take(self, driver: &Arc<Driver>) {
        // The thread waits for this, and for nothing else.
        let _ = self.application.send(Arc::clone(driver));
    }
}

/// How long the end waits for what is still to be said: a log that blocks must not keep the process.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Brings signals and time to the engine until the application has ended.
pub(crate) async fn control(driver: Arc<Driver>, mut signals: Signals) {
    let mut wake = driver.wake();
    let ended = driver.ended().clone();
    let mut ended = pin!(ended.cancelled());
    loop {
        let at = *wake.borrow_and_update();
        tokio::select! {
            biased;
            () = &mut ended => break,
            signal = signals.next() => driver.send(Event::Signal(signal)),
            () = sleep_for(&driver, at) => driver.send(Event::Tick),
            _ = wake.changed() => {}
        }
    }
    let _ = timeout(LAST_WORDS, driver.spoken().cancelled()).await;
    driver.finished().cancel();
}

async fn sleep_for(driver: &Driver, at: Option<Duration>) {
    match at {
        Some(at) => sleep_until(driver.origin() + at).await,
        None => std::future::pending().await,
    }
}
