//! The life of an application: from its start to its end, and the report.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::builder::Builder;
use crate::driver::{CatchPanic, Driver, Witnessed};
use crate::engine::event::Event;
use crate::engine::settings::{BodyKind, Ending};
use crate::handles::app::App;
use crate::handles::body::{Body, Output};
use crate::handles::owner::Owner;
use crate::model::first_of::first_of;
use crate::model::report::Report;

impl App {
    /// Waits for the end of an application that was started with [`Builder::start`], and returns the report.
    ///
    /// The application ends after a signal, a request to stop or a failure, or when the last supervised task has ended.
    /// On a handle that does not own the application, this only waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: see [`App`].
    pub async fn run(self) -> Report {
        self.end().await
    }
}

impl Builder {
    /// Acquires the resources on the current runtime, and returns a handle that owns the application.
    ///
    /// Use it when the program goes on with its own work; then call [`App::run`] at the end. [`run`](Self::run) does
    /// both around a function.
    ///
    /// If a stop is requested just when everything is acquired, the handle is returned nevertheless, and
    /// [`App::stopping`] is ready.
    ///
    /// # Errors
    ///
    /// The report of a start that failed or was interrupted. Everything that was acquired has been released, and a
    /// failure is already on stderr.
    ///
    /// `?` takes it in a function that returns `Result<_, Report>`. In a `main` that returns a `Report`, write the `match`
    /// of [`App::builder`].
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the application stops at once, in a hurry, and nothing waits for its end.
    pub async fn start(self) -> Result<App, Report> {
        let driver = self.build(BodyKind::Host, Ending::Application)?;
        let app = App::owner(&driver, Owner::new(&driver, Body::enter(&driver)));
        driver.send(Event::Start);
        let milestones = driver.milestones();
        let is_acquired = first_of(&mut [
            pin!(async {
                milestones.run_main.raised().await;
                true
            }),
            pin!(async {
                milestones.finished.raised().await;
                false
            }),
        ])
        .await;
        if is_acquired { Ok(app) } else { Err(app.run().await) }
    }

    /// Acquires the resources, runs `body` with a handle to the application, and waits for the end. This is what
    /// `#[lifecycle::main]` does, on the current runtime.
    ///
    /// The application ends after a signal, a request to stop or a failure, or when the body has returned and no
    /// supervised task is running. In the body, `?` takes any error.
    ///
    /// ```no_run
    /// #[tokio::main]
    /// async fn main() -> lifecycle::Report {
    ///     lifecycle::App::builder()
    ///         .handle_signals()
    ///         .run(work)
    ///         .await
    /// }
    ///
    /// async fn work(app: lifecycle::App) -> lifecycle::Result {
    ///     let answer: i32 = "42".parse()?;
    ///     println!("{answer}");
    ///     app.stopping().await;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// The body may borrow, and so hand back a value beside the report. There is none if the body failed or was dropped:
    ///
    /// ```no_run
    /// use lifecycle::{App, Result};
    /// # async fn count(_: App) -> Result<u64> { Ok(0) }
    ///
    /// # async fn run() -> std::process::ExitCode {
    /// let mut counted = None;
    /// let report = App::builder()
    ///     .run(async |app| {
    ///         counted = Some(count(app).await?);
    ///         Result::<()>::Ok(())
    ///     })
    ///     .await;
    /// println!("counted {counted:?}, {}", report.reason);
    /// report.into()
    /// # }
    /// ```
    ///
    /// What happens to the runtime afterwards is the caller's: see [`App::builder`] for blocking work that never returns.
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the application stops at once, in a hurry, and nothing waits for its end.
    pub async fn run<F, Fut>(self, body: F) -> Report
    where
        F: FnOnce(App) -> Fut,
        Fut: Future<Output: Output>,
    {
        self.live(BodyKind::Written, Ending::Application, body).await
    }

    pub(super) async fn live<F, Fut>(self, kind: BodyKind, ending: Ending, body: F) -> Report
    where
        F: FnOnce(App) -> Fut,
        Fut: Future<Output: Output>,
    {
        match self.build(kind, ending) {
            Ok(driver) => live(&driver, kind, body).await,
            Err(report) => report,
        }
    }
}

/// Starts the application, runs the body once everything is acquired, and returns when the application has ended.
pub(crate) async fn live<F, Fut>(driver: &Arc<Driver>, kind: BodyKind, body: F) -> Report
where
    F: FnOnce(App) -> Fut,
    Fut: Future<Output: Output>,
{
    let milestones = driver.milestones();
    let guard = if kind == BodyKind::Empty { None } else { Body::enter(driver) };
    let witnessed = guard.map(|guard| {
        let app = App::body(driver);
        let body = async move {
            milestones.run_main.raised().await;
            body(app).await
        };
        let abort = driver.main_seat().abort();
        Witnessed::new(abort.run_until_owned(CatchPanic::new(body)), guard)
    });
    // Declared before the owner, and so dropped after it: a body that is dropped with its application has not failed.
    let mut living = pin!(async {
        if let Some(body) = witnessed {
            body.await;
        }
    });
    let owner = Owner::new(driver, None);
    driver.send(Event::Start);
    let mut ended = pin!(milestones.ended.raised());
    poll_fn(|cx| match ended.as_mut().poll(cx) {
        Poll::Pending => living.as_mut().poll(cx),
        Poll::Ready(()) => Poll::Ready(()),
    })
    .await;
    owner.end().await
}
