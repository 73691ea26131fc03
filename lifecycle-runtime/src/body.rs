//! The body of `main`: what it may return, and how it is run.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use crate::BoxError;
use crate::app::{App, Owner};
use crate::catch::{CatchPanic, Witness, Witnessed};
use crate::driver::Driver;
use crate::engine::BodyKind;
use crate::engine::event::{BodyEnd, Event};
use crate::error::{Cause, Panic};
use crate::never::Never;
use crate::tasks::Unit;

/// What a `main` may return: `()`, an `ExitCode`, or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "it returns `{Self}`",
    note = "it returns `()`, `ExitCode` or a `Result` of these, with an error that converts to `lifecycle::BoxError` \
            (`Box<dyn Error>` does not: it is not `Send + Sync`)"
)]
pub trait Output {
    #[doc(hidden)]
    fn end(self) -> End;
}

/// How a body ended, without naming the engine's types in public.
#[derive(Debug)]
pub struct End(BodyEnd);

impl Output for () {
    fn end(self) -> End {
        End(BodyEnd::Done)
    }
}

/// A body that never ends by itself: an endless loop.
impl Output for Never {
    fn end(self) -> End {
        self
    }
}

impl Output for ExitCode {
    fn end(self) -> End {
        // An exit code does not tell its number; it tells whether it equals another.
        let code = (0..=u8::MAX).find(|&code| Self::from(code) == self);
        End(BodyEnd::Code(code.unwrap_or(1)))
    }
}

impl<T: Output, E: Into<BoxError>> Output for Result<T, E> {
    fn end(self) -> End {
        match self {
            Ok(output) => output.end(),
            Err(error) => End(BodyEnd::Failed(Cause::Error(error.into()))),
        }
    }
}

/// The body of `main` in flight.
pub(crate) struct Guard {
    end: BodyEnd,
    unit: Unit,
}

impl Guard {
    pub(crate) fn new(driver: &Arc<Driver>) -> Option<Self> {
        let unit = Unit::enter(driver, driver.main())?;
        Some(Self { end: BodyEnd::Dropped, unit })
    }

    pub(crate) fn end(&mut self, end: BodyEnd) {
        self.end = end;
    }
}

impl<T: Output> Witness<Option<Result<T, Panic>>> for Guard {
    fn saw(&mut self, output: Option<Result<T, Panic>>) {
        self.end(match output {
            None => BodyEnd::Dropped,
            Some(Ok(output)) => output.end().0,
            Some(Err(panic)) => BodyEnd::Failed(Cause::Panic(panic)),
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, BodyEnd::Dropped);
        let rest = self.unit.leave();
        self.unit.driver().send(Event::BodyEnded(end, rest));
    }
}

/// Starts the application, runs its body when everything is acquired, and returns when the application has ended.
pub(crate) async fn live<F, Fut>(driver: &Arc<Driver>, kind: BodyKind, body: F)
where
    F: FnOnce(App) -> Fut,
    Fut: Future<Output: Output>,
{
    let _owner = Owner::new(driver, None);
    let guard = (kind != BodyKind::Empty).then(|| Guard::new(driver)).flatten();
    driver.send(Event::Start);
    let Some(guard) = guard else { return driver.ended().cancelled().await };
    let app = App::body(driver);
    let body = async {
        driver.run_main().cancelled().await;
        body(app).await
    };
    let abort = driver.main_cell().abort.clone();
    let body = Witnessed::new(abort.run_until_cancelled_owned(CatchPanic::new(body)), guard);
    tokio::select! {
        biased;
        () = driver.ended().cancelled() => {}
        () = body => driver.ended().cancelled().await,
    }
}
