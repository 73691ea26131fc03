//! The body of `main`: what it may return, and how its end is told.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use super::never::Never;
use crate::driver::{Driver, Panic, Seat, Unit, Witness};
use crate::engine::event::{BodyEnd, Event};
use crate::model::failure::{BoxError, Cause};

/// The return types of a `main`: `()`, an `ExitCode`, or a `Result` of one of these.
///
/// A supervised task has fewer: see [`TaskOutput`](crate::TaskOutput).
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "`main` returns `()`, `ExitCode` or a `Result` of these",
    note = "the error of a `Result` must convert to `lifecycle::BoxError`; `Box<dyn Error>` does not, as it is not \
            `Send + Sync`: return `lifecycle::Result`"
)]
pub trait Output {
    #[doc(hidden)]
    fn end(self) -> End;
}

/// The error by which the body of `main` says that it gave up its work because the application stops:
/// `return Err(lifecycle::Interrupted.into())`.
///
/// It is for a batch that heeds its notice and leaves something undone. If a signal requested the stop, the process exits
/// with 128+n, just as if the body had been dropped (rule E1); after a request or a failure, the exit code is that of the
/// stop. It is not a failure, unless nothing has asked the application to stop. A body that returns `Ok` has finished, and
/// the exit code is 0.
///
/// ```no_run
/// use lifecycle::{App, Interrupted, Result};
/// # async fn copy(_: &str) -> Result { Ok(()) }
///
/// #[lifecycle::main]
/// async fn main(app: App) -> Result {
///     let stopping = app.stopping();
///     for table in ["customers", "orders", "payments"] {
///         if stopping.is_stopping() {
///             println!("continue with {table}");
///             return Err(Interrupted.into());
///         }
///         copy(table).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// For an exit code of your own, return an `ExitCode`; [`Signal::exit_code`](crate::Signal::exit_code) is that of a
/// signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Error for Interrupted {}

/// How a body ended, without naming it in public.
#[derive(Debug)]
pub struct End(Ended);

#[derive(Debug)]
enum Ended {
    Done,
    /// With an exit code of its own.
    Code(u8),
    Failed(BoxError),
}

impl Output for () {
    fn end(self) -> End {
        End(Ended::Done)
    }
}

/// A body that never returns: an endless loop.
#[diagnostic::do_not_recommend]
impl Output for Never {
    fn end(self) -> End {
        self
    }
}

impl Output for ExitCode {
    fn end(self) -> End {
        // `ExitCode` does not reveal its number, but can be compared.
        let code = (0..=u8::MAX).find(|&code| Self::from(code) == self);
        End(Ended::Code(code.unwrap_or(1)))
    }
}

// Errors then name the type that `main` returns, and not what is missing for this implementation.
#[diagnostic::do_not_recommend]
impl<T: Output, E: Into<BoxError>> Output for Result<T, E> {
    fn end(self) -> End {
        match self {
            Ok(output) => output.end(),
            Err(error) => End(Ended::Failed(error.into())),
        }
    }
}

/// The body of `main` in flight: tells how it ended, however it did.
pub(crate) struct Body {
    seat: Seat,
    end: BodyEnd,
    unit: Unit,
}

impl Body {
    pub(crate) fn enter(driver: &Arc<Driver>) -> Option<Self> {
        let seat = driver.main_seat();
        let unit = seat.enter()?;
        Some(Self { seat, end: BodyEnd::Dropped, unit })
    }

    /// It has come to its end.
    pub(crate) fn complete(mut self) {
        self.end = BodyEnd::Done;
    }
}

impl<T: Output> Witness<Option<Result<T, Panic>>> for Body {
    fn saw(&mut self, output: Option<Result<T, Panic>>) {
        self.end = match output {
            None => BodyEnd::Dropped,
            Some(Ok(output)) => match output.end().0 {
                Ended::Done => BodyEnd::Done,
                Ended::Code(code) => BodyEnd::Code(code),
                Ended::Failed(error) if error.is::<Interrupted>() => BodyEnd::Interrupted,
                Ended::Failed(error) => BodyEnd::Failed(self.seat.driver.cause(error)),
            },
            Some(Err(Panic(words))) => BodyEnd::Failed(Cause::Panic(words)),
        };
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, BodyEnd::Dropped);
        let rest = self.unit.leave();
        self.seat.send(Event::BodyEnded(end, rest));
    }
}
