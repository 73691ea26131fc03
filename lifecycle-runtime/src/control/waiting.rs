//! Signals while there is nobody yet to act on them (rule S1): between `handle_signals` and an application that has been
//! given to the control thread lies whatever the program does there, and it may hang.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::Application;
use crate::engine::shutdown::SAME_SIGNAL;
use crate::model::first_of::first_of;
use crate::model::signal::Signal;
use crate::process::signals::{self, Signals};
use crate::process::stderr;

/// An application that is about to come gets the signal. One that has not come by then is not waited for.
const ABOUT_TO_COME: Duration = Duration::from_secs(1);

/// There will be no application.
pub(super) struct Never {
    /// The signal that was kept for it.
    asked: Option<Signal>,
}

impl Never {
    /// Lets go of the signals. One that was kept does what it would have done without us.
    pub(super) fn end(self, signals: Signals) {
        drop(signals);
        if let Some(signal) = self.asked {
            signals::raise(signal);
        }
    }
}

/// Waits for the application. The first signal is kept for it; a SIGINT or SIGQUIT, or any other that comes after
/// that, ends the process, except for SIGHUP, unless another application in the process acts on it.
pub(super) async fn wait_for(
    mut arrives: oneshot::Receiver<Application>,
    signals: &mut Signals,
) -> Result<Application, Never> {
    let mut kept: Option<Kept> = None;
    loop {
        let event = first_of(&mut [
            pin!(async { Awaited::Application((&mut arrives).await) }),
            pin!(async { Awaited::Signal(signals.next().await) }),
            pin!(async {
                due(kept.as_ref()).await;
                Awaited::Answer
            }),
        ])
        .await;
        match event {
            Awaited::Application(application) => {
                signals.give_back(kept.as_ref().map(|kept| kept.signal));
                let unheeded = kept.filter(|kept| !kept.is_heeded).map(|kept| kept.signal);
                return application.map_err(|_| Never { asked: unheeded });
            }
            Awaited::Signal(signal) => match &kept {
                None => kept = Some(Kept::new(signal)),
                // What may only reload never stands in for a stop.
                Some(first) if first.is_overtaken_by(signal) => kept = Some(Kept::new(signal)),
                Some(first) if first.at.elapsed() < SAME_SIGNAL || signals::are_heeded() => {}
                // It may be meant to reload, and ends nothing then.
                Some(_) if signal == Signal::Hangup => {}
                Some(_) => end(signal),
            },
            Awaited::Answer => kept = kept.map(Kept::answer),
        }
    }
}

/// What comes while there is no application.
enum Awaited {
    Application(Result<Application, RecvError>),
    Signal(Signal),
    /// It is time to answer the signal that is kept.
    Answer,
}

/// A signal that waits for the application.
#[derive(Debug)]
struct Kept {
    signal: Signal,
    at: Instant,
    /// Another application in the process acts on it.
    is_heeded: bool,
    is_answered: bool,
}

impl Kept {
    fn new(signal: Signal) -> Self {
        let is_heeded = signals::are_heeded();
        Self { signal, at: Instant::now(), is_heeded, is_answered: is_heeded }
    }

    /// Whether it may be meant to reload, and the other asks to stop. One that insists, and is not the same Ctrl-C or the
    /// same stop in other words, ends the process.
    fn is_overtaken_by(&self, signal: Signal) -> bool {
        let is_other = self.signal == Signal::Hangup && signal != Signal::Hangup;
        let is_same_stop = self.at.elapsed() < SAME_SIGNAL || signals::are_heeded();
        is_other && (!signal.insists() || is_same_stop)
    }

    fn answer(self) -> Self {
        let signal = self.signal;
        if signal.insists() {
            end(signal);
        }
        stderr::write(match signal {
            Signal::Hangup => format!(
                "lifecycle: {signal}: the application has not been started yet, and reloads or stops as soon as it is; \
                 SIGINT ends the process\n"
            ),
            _ => format!(
                "lifecycle: {signal}: the application has not been started yet, and stops as soon as it is; \
                 one more signal ends the process\n"
            ),
        });
        Self { is_answered: true, ..self }
    }
}

/// When a signal that was kept is to be answered.
async fn due(kept: Option<&Kept>) {
    match kept {
        Some(kept) if !kept.is_answered => sleep_until(kept.at + ABOUT_TO_COME).await,
        _ => pending().await,
    }
}

fn end(signal: Signal) -> ! {
    let code = signal.exit_code();
    stderr::write(format!(
        "lifecycle: {signal}: the application has not been started: ending the process now\n  exit code: {code}\n"
    ));
    signal_hook::low_level::exit(code.into())
}
