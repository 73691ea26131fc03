//! The place of a resource in its application.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

#[cfg(feature = "http")]
use super::Timing;
#[cfg(feature = "probe")]
use super::connections::Connected;
#[cfg(feature = "http")]
use super::connections::Connections;
use super::token::{RunUntil, Token};
use super::unit::Home;
use super::{Cell, Driver, Panic, Unit, UnitEntrance};
use crate::engine::event::Event;
use crate::engine::notice::Notice;
use crate::model::Name;
use crate::model::graph::Id;
use crate::model::units::Units;

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
    #[inline]
    pub(crate) fn enter(&self) -> Option<Unit> {
        self.cell().counter.enter(|| Home::of(self)).map(Unit::new)
    }

    /// The way to [`enter`](Self::enter) for those who do so often.
    pub(crate) fn entrance(&self) -> UnitEntrance {
        UnitEntrance::of(self)
    }

    /// As [`enter`](Self::enter), but `None` also once tasks are aborted: nothing that begins then could be waited for.
    pub(super) fn enter_in_time(&self) -> Option<Unit> {
        if self.cell().abort.is_raised() { None } else { self.enter() }
    }

    /// What is in flight, by kind.
    pub(crate) fn units(&self) -> Units {
        self.cell().units()
    }

    /// How many connections its servers have; nothing if it has no server.
    #[cfg(feature = "probe")]
    pub(crate) fn connected(&self) -> Option<Connected> {
        self.cell().connections.now()
    }

    /// The connections of its servers, to count them.
    #[cfg(feature = "http")]
    pub(crate) fn connections(&self) -> &Connections {
        &self.cell().connections
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
    #[cfg(feature = "http")]
    pub(crate) fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.driver.spawn(future);
    }

    /// The same for what is spawned for each connection or request, at the price of more code: it is not boxed.
    #[cfg(feature = "http")]
    pub(crate) fn spawn_unboxed<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.driver.runtime.spawn(future);
    }

    /// Whether time passes by itself, and is not a test's.
    #[cfg(feature = "http")]
    pub(crate) fn has_real_time(&self) -> bool {
        self.driver.timing == Timing::Thread
    }

    /// The notice of the turn.
    pub(crate) fn stopping(&self) -> SeatToken {
        self.cell().expect_stopping();
        SeatToken::new(self, Which::Stopping)
    }

    /// Tasks are dropped.
    pub(crate) fn abort(&self) -> SeatToken {
        SeatToken::new(self, Which::Abort)
    }

    /// The process-wide notice.
    pub(crate) fn draining(&self) -> SeatToken {
        SeatToken::new(self, Which::Draining)
    }

    /// The drain delay has begun.
    #[cfg(feature = "http")]
    pub(crate) fn leaving(&self) -> SeatToken {
        SeatToken::new(self, Which::Leaving)
    }

    pub(crate) fn warn_of_late_task(&self) {
        self.driver.say(Notice::LateTask(self.name()));
    }

    pub(crate) fn warn_of_panic(&self, Panic(words): Panic) {
        self.driver.say(Notice::TaskPanicked { name: self.name(), words });
    }

    #[inline]
    pub(super) fn cell(&self) -> &Cell {
        self.driver.cell(self.id)
    }
}

/// A token of a seat, for as long as anybody needs it. Many tasks hold one: it takes no more room than a seat.
#[derive(Clone, Debug)]
pub(crate) struct SeatToken {
    driver: Arc<Driver>,
    id: u32,
    which: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The turn has begun.
    Stopping,
    /// Tasks are dropped.
    Abort,
    /// Shutdown has begun.
    Draining,
    /// The drain delay has begun.
    #[cfg(feature = "http")]
    Leaving,
}

impl SeatToken {
    fn new(seat: &Seat, which: Which) -> Self {
        let id = u32::try_from(seat.id).expect("so many resources do not fit into memory");
        Self { driver: Arc::clone(&seat.driver), id, which }
    }

    /// Until when work may go on once the token is raised: see [`Driver::drain_limit`] and [`Driver::deadline`].
    pub(crate) fn limit(&self) -> Option<Instant> {
        match self.which {
            Which::Draining => self.driver.deadline(),
            #[cfg(feature = "http")]
            Which::Leaving => self.driver.deadline(),
            Which::Stopping | Which::Abort => self.driver.drain_limit(self.id as Id),
        }
    }

    /// Whether it is the notice of the turn of this resource.
    #[cfg(feature = "http")]
    pub(crate) fn is_of_turn(&self, seat: &Seat) -> bool {
        let is_here = Arc::ptr_eq(&self.driver, &seat.driver) && self.id as Id == seat.id;
        is_here && self.which == Which::Stopping
    }

    #[cfg(feature = "http")]
    #[inline]
    pub(crate) fn is_raised(&self) -> bool {
        self.as_ref().is_raised()
    }

    /// See [`RunUntil`].
    pub(crate) fn run_until<F: Future>(&self, future: F) -> RunUntil<&Self, F> {
        RunUntil::new(self, future)
    }

    /// The same, for a future that outlives the handle.
    pub(crate) fn run_until_owned<F: Future>(self, future: F) -> RunUntil<Self, F> {
        RunUntil::new(self, future)
    }

    /// The same, for a future that only one task polls, with its own waker.
    #[cfg(feature = "http")]
    pub(crate) fn run_until_in_task<F: Future>(self, future: F) -> RunUntil<Self, F> {
        RunUntil::task(self, future)
    }
}

impl AsRef<Token> for SeatToken {
    #[inline]
    fn as_ref(&self) -> &Token {
        let cell = || self.driver.cell(self.id as Id);
        match self.which {
            Which::Stopping => &cell().stopping,
            Which::Abort => &cell().abort,
            Which::Draining => &self.driver.milestones.draining,
            #[cfg(feature = "http")]
            Which::Leaving => &self.driver.milestones.leaving,
        }
    }
}
