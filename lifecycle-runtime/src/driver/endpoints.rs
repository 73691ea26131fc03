//! What endpoints and servers ask of an application.

#[cfg(feature = "probe")]
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
#[cfg(feature = "http")]
use tokio::time::Instant;

use super::Driver;
#[cfg(feature = "probe")]
use crate::engine::event::Event;
use crate::engine::standing::Standing;
use crate::engine::status::Status;
#[cfg(feature = "probe")]
use crate::model::phase::Phase;
use crate::model::report::Report;

impl Driver {
    #[cfg_attr(
        not(any(feature = "probe", all(feature = "systemd", target_os = "linux"))),
        allow(dead_code, reason = "endpoints ask, and all of them stand behind features")
    )]
    pub(crate) fn status(&self) -> Status {
        self.core().engine.status(self.origin.elapsed())
    }

    /// Where the application stands, and when that is, counted from its start.
    pub(crate) fn standing(&self) -> (Duration, Standing) {
        let core = self.core();
        (self.origin.elapsed(), core.engine.standing(&self.cells))
    }

    /// Heard each time that something happens while the application starts or stops, if there is a [`Keeper`](super::Keeper).
    /// What is in flight comes and goes unheard.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// What happened so far, without the errors themselves.
    pub(crate) fn plain_report(&self) -> Report {
        self.core().engine.report()
    }

    #[cfg(feature = "probe")]
    pub(crate) fn is_ready(&self) -> bool {
        self.core().engine.is_ready()
    }

    /// The phase, and whether traffic that comes in it is served.
    #[cfg(feature = "probe")]
    pub(crate) fn serving(&self) -> (Phase, bool) {
        let core = self.core();
        (core.engine.phase(), core.engine.is_serving())
    }

    #[cfg(feature = "probe")]
    pub(crate) fn has_started(&self) -> bool {
        self.core().engine.has_started()
    }

    /// The phase as the engine knows it. The one that is watched follows a moment later.
    #[cfg(feature = "probe")]
    pub(crate) fn current_phase(&self) -> Phase {
        self.core().engine.phase()
    }

    /// Withdraws readiness, because a stop is coming. Returns how long the caller should wait before it requests the
    /// stop.
    #[cfg(feature = "probe")]
    pub(crate) fn pre_stop(self: &Arc<Self>) -> Duration {
        self.send(Event::PreStop);
        let (is_leaving, left) = {
            let core = self.core();
            (core.engine.middle_of_delay().is_some(), core.engine.pre_stop_left())
        };
        if is_leaving {
            self.milestones.leaving.raise();
        }
        left
    }

    #[cfg(feature = "http")]
    pub(crate) fn middle_of_delay(&self) -> Option<Instant> {
        let middle = self.core().engine.middle_of_delay();
        middle.map(|middle| self.origin + middle)
    }

    /// Whether the stop is due to a Ctrl-C at a terminal.
    #[cfg(feature = "http")]
    pub(crate) fn was_interrupted_at_terminal(&self) -> bool {
        self.core().engine.was_interrupted_at_terminal()
    }
}
