//! What of an engine decides about its future, for the exploration of all schedules: see `simulation::explore`.
//!
//! Two engines with one fingerprint answer the same events with the same commands. Times are hashed as they are seen
//! from now, and those that no limit can depend on any more are left out, as is what is only ever said or reported.
//! Everything is destructured, so that a new field has to be thought of here.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::Engine;
use super::event::Event;
use super::slot::{Slot, State, Times};
use super::timers::Timers;
use crate::model::failure::Failure;

impl Engine {
    pub(crate) fn fingerprint(&self, hasher: &mut impl Hasher) {
        let Self {
            plan,
            // It never changes, and neither do the settings.
            budget: _,
            settings: _,
            now,
            has_begun,
            early,
            phase,
            // For the report.
            phases: _,
            slots,
            timers,
            to_look,
            left,
            has_spawned,
            body_is_alive,
            body_listens,
            body_code,
            interrupted_by,
            // For the report.
            signals: _,
            serves,
            shutdown,
            pre_stop,
            was_cut,
            failures,
            reloading,
            // How many came since is for the report.
            reported,
            is_over,
            has_audience,
            outputs,
        } = self;
        let now = *now;
        for event in early {
            // The words of a request are for the log.
            std::mem::discriminant(event).hash(hasher);
            if let Event::Signal(signal) = event {
                signal.hash(hasher);
            }
        }
        (has_begun, early.len(), phase, left, has_spawned, body_is_alive, body_listens, body_code)
            .hash(hasher);
        (interrupted_by, serves, was_cut, is_over, has_audience, reported.is_some()).hash(hasher);
        for (id, slot) in slots.iter().enumerate() {
            let has_own_limit = shutdown.is_none() || plan.step(id).drain_timeout.is_some();
            slot.fingerprint(now, has_own_limit, hasher);
        }
        timers.fingerprint(now, hasher);
        reloading.fingerprint(hasher);
        if let Some(shutdown) = shutdown {
            shutdown.fingerprint(now, hasher);
        }
        pre_stop.map(|since| now - since).hash(hasher);
        let counts = |failure: &Failure| !failure.is_tolerated();
        (failures.is_empty(), failures.iter().any(counts)).hash(hasher);
        assert!(to_look.is_empty() && outputs.is_empty(), "between two events nothing is left to do");
    }

    /// What went wrong so far, in order.
    pub(crate) fn failures(&self) -> &[Failure] {
        &self.failures
    }
}

impl Slot {
    /// With a limit of its own, its draining ends in a time that is counted from the beginning of its turn.
    fn fingerprint(&self, now: Duration, has_own_limit: bool, hasher: &mut impl Hasher) {
        let Self {
            state,
            missing,
            above,
            acquisition_is_alive,
            is_cancelled,
            has_instance,
            is_drained,
            is_settled,
            waits_for_units,
            reload_began,
            tasks,
            // For the report.
            trouble: _,
            times,
            // For the report.
            in_flight: _,
            units: _,
            cut_units: _,
            cut,
            // For the report, and for the last words.
            aborted_tasks: _,
            stuck_tasks: _,
        } = self;
        std::mem::discriminant(state).hash(hasher);
        match state {
            State::Joining { since } | State::Cutting { since } => (now - *since).hash(hasher),
            State::Waiting
            | State::Acquiring
            | State::Ready
            | State::Draining
            | State::Releasing
            | State::Aborting
            | State::Gone => {}
        }
        (missing, above, acquisition_is_alive, is_cancelled, has_instance).hash(hasher);
        (is_drained, is_settled, waits_for_units, reload_began.is_some(), cut).hash(hasher);
        for (number, task) in tasks.in_order() {
            (number, task.kind).hash(hasher);
        }
        let Times { acquiring, acquired, turn, drained: _, releasing, released: _, gone } = times;
        // The limit of an acquisition is in the timers. That of a turn is set again when the deadline changes.
        let turn_began = turn.filter(|_| has_own_limit && *state == State::Draining).map(|since| now - since);
        (acquiring.is_some(), acquired.is_some(), turn.is_some(), turn_began).hash(hasher);
        (releasing.is_some(), gone.is_some()).hash(hasher);
    }
}

impl Timers {
    fn fingerprint(&self, now: Duration, hasher: &mut impl Hasher) {
        for due in self.all() {
            due.map(|due| due.saturating_sub(now)).hash(hasher);
        }
    }
}
