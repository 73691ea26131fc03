//! The place of a resource in its application.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use super::token::Token;
use super::{Cell, Driver, Panic, Unit};
use crate::engine::event::Event;
#[cfg(feature = "probe")]
use crate::engine::notice::Cut;
use crate::engine::notice::Notice;
use crate::model::Name;
use crate::model::graph::Id;

/// A resource of an application, or the body of its `main`: what handles, tasks and servers work with.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) driver: Arc<Driver>,
    pub(crate) id: Id,
}

impl Seat {
    pub(crate) fn name(&self) -> Name {
        self.driver.plan.name(self.id)
    }

    /// One unit in flight more. `None` once a turn has begun and nothing is in flight any more.
    pub(crate) fn enter(&self) -> Option<Unit> {
        Unit::enter(self.clone())
    }

    /// The same, but `None` also once tasks are aborted: nothing that begins then could be waited for.
    pub(super) fn enter_in_time(&self) -> Option<Unit> {
        if self.cell().abort.is_up() { None } else { self.enter() }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.cell().counter.in_flight()
    }

    /// How many units are in flight, and how many of these are excused.
    #[cfg(feature = "probe")]
    pub(crate) fn cut(&self) -> Cut {
        self.cell().counter.cut()
    }

    /// See [`Driver::send`].
    pub(crate) fn send(&self, event: Event) {
        self.driver.send(event);
    }

    /// See [`Driver::call`].
    pub(crate) fn call(&self, event: Event) {
        self.driver.call(event);
    }

    /// Spawns a future on the application's runtime, without telling anybody how it ends.
    pub(crate) fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.driver.runtime.spawn(future);
    }

    /// The notice of the turn.
    pub(crate) fn stopping(&self) -> Token {
        self.cell().stopping.token()
    }

    /// See [`Driver::drain_limit`].
    pub(crate) fn drain_limit(&self) -> Option<Instant> {
        self.driver.drain_limit(self.id)
    }

    /// Tasks are dropped.
    pub(crate) fn abort(&self) -> Token {
        self.cell().abort.token()
    }

    /// The process-wide notice.
    pub(crate) fn draining(&self) -> &Token {
        &self.driver.milestones.draining
    }

    pub(crate) fn warn_of_late_task(&self) {
        self.driver.say(Notice::LateTask(self.name()));
    }

    pub(crate) fn warn_of_panic(&self, Panic(words): Panic) {
        self.driver.say(Notice::TaskPanicked { name: self.name(), words });
    }

    pub(super) fn cell(&self) -> &Cell {
        self.driver.cell(self.id)
    }
}
