//! One unit of work in flight.

use super::Seat;
use super::counter::{Counter, Standing};
use crate::engine::event::{Event, Rest};
use crate::model::units::Units;

/// One unit in flight of a resource. It counts for as long as it lives.
#[derive(Debug)]
pub(crate) struct Unit {
    seat: Seat,
    has_left: bool,
    standing: Standing,
    /// What it is, if it says so.
    units: Option<Units>,
}

impl Unit {
    pub(super) fn enter(seat: Seat) -> Option<Self> {
        let has_entered = seat.cell().counter.enter();
        has_entered.then(|| Self { seat, has_left: false, standing: Standing::default(), units: None })
    }

    /// Leaves, and says what that leaves behind, for a caller that has more to tell and tells both in one event.
    pub(crate) fn leave(&mut self) -> Rest {
        let is_last = !std::mem::replace(&mut self.has_left, true) && self.counter().leave(self.standing);
        if let Some(units) = self.units.take() {
            self.seat.cell().census.change(Some(units), None);
        }
        if is_last { Rest::Drained } else { Rest::Unknown }
    }

    /// Sets whether the unit counts if it is cut off (rule E1).
    #[cfg(feature = "http")]
    pub(crate) fn stand(&mut self, standing: Standing) {
        match (self.standing, standing) {
            (Standing::Counts, Standing::Excused) => self.counter().excuse(),
            (Standing::Excused, Standing::Counts) => self.counter().oblige(),
            (Standing::Counts, Standing::Counts) | (Standing::Excused, Standing::Excused) => {}
        }
        self.standing = standing;
    }

    /// What it has said that it is.
    #[cfg(feature = "http")]
    pub(crate) fn units(&self) -> Units {
        self.units.unwrap_or_default()
    }

    /// Says what the unit is, in place of a task. A connection may be many requests at a time.
    #[cfg(feature = "http")]
    pub(crate) fn is(&mut self, units: Units) {
        if self.units != Some(units) {
            let before = self.units.replace(units);
            self.seat.cell().census.change(before, Some(units));
        }
    }

    fn counter(&self) -> &Counter {
        &self.seat.cell().counter
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if self.leave() == Rest::Drained {
            self.seat.call(Event::Drained(self.seat.id));
        }
    }
}
