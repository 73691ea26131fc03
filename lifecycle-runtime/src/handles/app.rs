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

/// What a handle is to the application.
#[derive(Clone)]
enum Role {
    /// It belongs to this handle and its clones.
    Owner(Arc<Owner>),
    /// The body of `main`: a notice that it asks for is its own.
    Body,
    /// A resource, or whoever it gave the handle to.
    Visitor,
}

impl App {
    /// Asks the application to shut down, and says why (rule R4). Only the first request counts; it returns at once.
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.driver.call(Event::Shutdown(reason.into()));
    }

    /// Says that the application has failed, in a part that is not supervised: it shuts down, the error is in the report,
    /// and the exit code is 1.
    ///
    /// For what runs outside of resources and of the body: a server of the application's own, say. It returns at once.
    pub fn fail(&self, error: impl Into<BoxError>) {
        let cause = self.driver.cause(error.into());
        self.driver.call(Event::Failed(cause));
    }

    /// Does what a second Ctrl-C does: the delay and the draining end now, and no more time is left than the
    /// releases have set aside (rule D8). If the application was not stopping, it does now.
    pub fn insist(&self) {
        self.driver.call(Event::Insist);
    }

    /// The phase that the application is in, now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.driver.phase().borrow()
    }

    /// The phase, to be watched.
    #[must_use]
    pub fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.driver.phase()
    }

    /// The notice of the turn of `main`, which comes before that of every resource. A body that asked for it, or for
    /// [`draining`](Self::draining), is waited for at its turn; one that did not is dropped (rule R5).
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.listen();
        Stopping::new(self.driver.main_seat().stopping())
    }

    /// The earlier notice: shutdown has begun.
    #[must_use]
    pub fn draining(&self) -> Stopping {
        self.listen();
        Stopping::new(self.driver.milestones().draining.clone())
    }

    /// Delivers a signal, as if the process had received it.
    #[cfg(feature = "testing")]
    pub fn deliver(&self, signal: crate::Signal) {
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

    /// The application around us has nothing to do any more but wait, if this is its handle.
    pub(crate) fn end_body(&self) {
        match &self.role {
            Role::Owner(owner) => owner.end_body(),
            Role::Body | Role::Visitor => {}
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
