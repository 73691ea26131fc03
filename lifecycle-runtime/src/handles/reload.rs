//! Reloading: the context of the hook, and the end of a reload that the program asked for.

use std::error::Error;
use std::fmt;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::task::{self, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::app::App;
use crate::driver::Context;
use crate::model::failure::Failure;
use crate::model::first_of::first_of;
use crate::model::phase::Phase;
use crate::model::reload::{EndedReload, ReloadReason};

/// The context passed to [`Resource::reload`](crate::Resource::reload): why it happens, and how much time there is.
///
/// It has no `get`. What a reload needs of another resource, `acquire` keeps in the struct, as for
/// [`Release`](crate::Release).
#[derive(Debug)]
pub struct Reload {
    context: Context,
    reason: ReloadReason,
}

impl Reload {
    pub(crate) fn new(context: Context) -> Self {
        let reason = context.seat.driver.reload_reason().unwrap_or(ReloadReason::Requested);
        Self { context, reason }
    }

    /// What asked for the reload.
    #[must_use]
    pub fn reason(&self) -> ReloadReason {
        self.reason
    }

    /// When this reload is dropped: after the `acquire_timeout` of the resource, or else after `startup_timeout`. `None`
    /// if there is neither, or if the reload is being dropped already.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.context.seat.driver.reload_deadline(self.context.seat.id)
    }

    /// The time left until the [`deadline`](Self::deadline), if there is one.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.deadline()?.saturating_duration_since(Instant::now()))
    }
}

/// A context that does not exist. The resource is not declared `reload`: an `impl` that has the hook is told so, since
/// the hook takes the context of the declaration.
#[derive(Debug)]
pub enum NotDeclaredReload {}

/// The context that the hook of a resource takes: one that exists only if the resource is declared `reload`.
pub trait ReloadContext: Send + Sync + Sized + 'static {
    #[doc(hidden)]
    const IS_DECLARED: bool;

    #[doc(hidden)]
    fn of(reload: Reload) -> Option<Self>;
}

/// Evaluated where the hook is not written: that is an error if the resource is declared `reload`.
pub(crate) const fn a_hook_may_be_missing<C: ReloadContext>() {
    assert!(
        !C::IS_DECLARED,
        "a resource that is declared `reload` has the hook: write `async fn reload(&self, cx: &Reload) -> Result` in its \
         `impl`"
    );
}

impl ReloadContext for Reload {
    const IS_DECLARED: bool = true;

    fn of(reload: Reload) -> Option<Self> {
        Some(reload)
    }
}

impl ReloadContext for NotDeclaredReload {
    const IS_DECLARED: bool = false;

    fn of(_: Reload) -> Option<Self> {
        None
    }
}

impl App {
    /// Asks for a reload of every resource that is declared `reload`, as SIGHUP does: see [`reload`](crate::reload).
    ///
    /// The request is made by the call itself. What it returns need not be awaited: it waits for the end, and says what
    /// became of it. During the start, the reload waits until everything is acquired; during another reload, it makes one
    /// more, however many ask meanwhile.
    ///
    /// ```
    /// # async fn renewed(app: lifecycle::App) {
    /// if let Err(error) = app.reload().await {
    ///     tracing::warn!("{error}");
    /// }
    /// # }
    /// ```
    ///
    /// Do not await it in a `reload` hook: the reload would wait for itself, until its time is over.
    pub fn reload(&self) -> Reloading {
        let (ended, mut phase) = (self.driver().ask_to_reload(), self.driver().phase());
        Reloading(Box::pin(async move {
            // Both senders are the driver's. Without them, nothing is ever reloaded again.
            let ended = async {
                match ended.await {
                    Ok(ended) => outcome(ended),
                    Err(_) => pending().await,
                }
            };
            let stops = async {
                let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
                Err(ReloadError(Why::Stopping))
            };
            first_of(&mut [pin!(ended), pin!(stops)]).await
        }))
    }
}

fn outcome(ended: EndedReload) -> Result<(), ReloadError> {
    if ended.failures.is_empty() { Ok(()) } else { Err(ReloadError(Why::Failed(ended.failures))) }
}

/// The end of a reload that [`App::reload`] asked for: `Ok` if everything was reloaded.
///
/// It is the first reload that began after the request, whenever this is awaited.
///
/// # Cancel safety
///
/// Dropping it changes nothing: the reload happens all the same.
pub struct Reloading(Pin<Box<dyn Future<Output = Result<(), ReloadError>> + Send>>);

impl Future for Reloading {
    type Output = Result<(), ReloadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").finish_non_exhaustive()
    }
}

/// Why not everything was reloaded.
#[derive(Clone, Debug)]
pub struct ReloadError(Why);

#[derive(Clone, Debug)]
enum Why {
    Failed(Vec<Failure>),
    Stopping,
}

impl ReloadError {
    /// What failed, in order. Each of these resources keeps what it had; the others are reloaded. Nothing failed if the
    /// application [is stopping](Self::is_stopping).
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        match &self.0 {
            Why::Failed(failures) => failures,
            Why::Stopping => &[],
        }
    }

    /// Whether the application began to stop, which wins over a reload.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self.0, Why::Stopping)
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Stopping => f.write_str("not reloaded: the application is stopping"),
            Why::Failed(failures) => {
                for (position, failure) in failures.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "; " };
                    write!(f, "{separator}{failure}: {}", failure.cause())?;
                }
                Ok(())
            }
        }
    }
}

impl Error for ReloadError {}
