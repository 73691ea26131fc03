//! The handle to an application.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::owner::Owner;
use super::stopping::Stopping;
use crate::driver::Driver;
use crate::engine::event::Event;
use crate::model::failure::BoxError;
use crate::model::phase::Phase;
use crate::model::report::Report;
#[cfg(feature = "testing")]
use crate::model::signal::Signal;

/// A handle to an application.
///
/// The body of `#[lifecycle::main]` may take one, [`Builder::start`](crate::Builder::start) gives one, and [`Acquire::app`] gives one to a
/// resource. Clone it freely.
///
/// An application that was started with [`Builder::start`](crate::Builder::start) belongs to the handle that `start` gave and to its
/// clones: when the last of them is dropped before the end, nobody is left to wait for it. It then shuts down at
/// once, in a hurry, and warns.
///
/// [`Acquire::app`]: crate::Acquire::app
#[derive(Clone)]
pub struct App {
    driver: Arc<Driver>,
    role: Role,
}

/// How a handle relates to the application.
#[derive(Clone)]
enum Role {
    /// This handle and its clones own it.
    Owner(Arc<Owner>),
    /// The handle of the body of `main`: asking it for a notice makes the body listen (rule R5).
    Body,
    /// A handle given to a resource, which owns nothing.
    Visitor,
}

impl App {
    /// Requests a graceful stop, and gives a reason for the log and the report (rule R4).
    ///
    /// It returns at once. Only the first request counts. Use [`fail`](Self::fail) if the application stops because
    /// something went wrong, and [`insist`](Self::insist) to hurry.
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.driver.call(Event::Shutdown(reason.into()));
    }

    /// Reports a failure, and stops the application because of it: the error is in the report, and the exit code is 1.
    ///
    /// Use it for failures outside of resources and of the body, such as in a server that the host runs itself. A
    /// supervised task returns its error instead. It returns at once.
    pub fn fail(&self, error: impl Into<BoxError>) {
        let cause = self.driver.cause(error.into());
        self.driver.call(Event::Failed(cause));
    }

    /// Does what a second Ctrl-C does: the drain delay and the draining end now, and only the reserves of the releases
    /// are left (rule D8). If the application is not stopping yet, it stops now. It returns at once.
    pub fn insist(&self) {
        self.driver.call(Event::Insist);
    }

    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.driver.phase().borrow()
    }

    /// A receiver that sees every change of the phase.
    #[must_use]
    pub fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.driver.phase()
    }

    /// The notice of the turn of `main`, which comes before the turns of all resources.
    ///
    /// A body that asked for this notice, or for [`draining`](Self::draining), is waited for at its turn. A body that
    /// did not is dropped (rule R5). In a resource, use [`Acquire::stopping`](crate::Acquire::stopping): the notice of
    /// its own turn.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.listen();
        Stopping::of_turn(&self.driver.main_seat())
    }

    /// The notice that the stop has begun. It comes before every turn, and before the drain delay.
    #[must_use]
    pub fn draining(&self) -> Stopping {
        self.listen();
        Stopping::of_stop(&self.driver.main_seat())
    }

    /// Simulates the arrival of a signal (feature `testing`).
    #[cfg(feature = "testing")]
    pub fn deliver(&self, signal: Signal) {
        self.driver.call(Event::Signal(signal));
    }

    pub(crate) fn owner(driver: &Arc<Driver>, owner: Owner) -> Self {
        Self { driver: Arc::clone(driver), role: Role::Owner(Arc::new(owner)) }
    }

    pub(crate) fn body(driver: &Arc<Driver>) -> Self {
        Self { driver: Arc::clone(driver), role: Role::Body }
    }

    pub(crate) fn visitor(driver: &Arc<Driver>) -> Self {
        Self { driver: Arc::clone(driver), role: Role::Visitor }
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Waits for the end, and tells what happened.
    pub(crate) async fn end(&self) -> Report {
        match &self.role {
            Role::Owner(owner) => owner.end().await,
            Role::Body | Role::Visitor => {
                self.driver.end().await;
                self.driver.report()
            }
        }
    }

    fn listen(&self) {
        match self.role {
            Role::Owner(_) | Role::Body => self.driver.body_listens(),
            Role::Visitor => {}
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("phase", &self.phase()).finish_non_exhaustive()
    }
}
