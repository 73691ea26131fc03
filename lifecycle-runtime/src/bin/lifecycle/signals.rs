//! Signals that ask this program to end.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::FAILED;
use crate::Outcome;
use crate::output::complain;

/// How long what was interrupted may take to kill its groups.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs `work` on another thread, so that a signal ends this program while that is blocked too, by a reader of stdout who
/// does not read, for one.
pub(crate) fn heard_during(work: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(what) => {
            complain(what);
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(async {
        let interrupted = interrupted()?;
        let mut work = tokio::task::spawn_blocking(work);
        tokio::select! {
            ended = &mut work => Ok(ended.unwrap_or(ExitCode::from(FAILED))),
            code = interrupted => {
                // It has heard the signal, too.
                let _ = timeout(PATIENCE, work).await;
                Ok(ExitCode::from(code))
            }
        }
    });
    runtime.shutdown_background();
    code.unwrap_or_else(|what: String| {
        complain(what);
        ExitCode::from(FAILED)
    })
}

fn runtime() -> Result<Runtime, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("there are no means to wait for a program: {error}"))
}

/// Runs `work`. A signal that asks this program to end drops it, with the groups that it holds.
pub(crate) fn interruptible(work: impl Future<Output = Outcome>) -> Outcome {
    until_interrupted(work)?.unwrap_or_else(|code| Ok(code.into()))
}

/// What comes of `work`, or the exit code when a signal has come before.
pub(crate) fn until_interrupted<T>(work: impl Future<Output = T>) -> Result<Result<T, u8>, String> {
    runtime()?.block_on(async {
        let interrupted = interrupted()?;
        Ok(tokio::select! {
            outcome = work => Ok(outcome),
            code = interrupted => Err(code),
        })
    })
}

/// The exit code, when a signal has arrived. The handlers are there when this returns.
#[cfg(unix)]
fn interrupted() -> Result<impl Future<Output = u8>, String> {
    use tokio::signal::unix::{self, SignalKind};

    let signal = |kind| unix::signal(kind).map_err(|error| format!("signals cannot be caught: {error}"));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
            _ = hangup.recv() => 129,
            _ = quit.recv() => 131,
        }
    })
}

#[cfg(not(unix))]
fn interrupted() -> Result<impl Future<Output = u8>, String> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            Err(_) => std::future::pending().await,
        }
    })
}
