//! One unit of work in flight.

use std::sync::{Arc, Weak};

use super::counter::Place;
#[cfg(feature = "http")]
use super::counter::Standing;
use super::{Driver, Seat};
use crate::engine::event::{Event, Rest};
use crate::model::plan::Id;

/// One unit in flight of a resource. It counts for as long as it lives.
#[derive(Debug)]
pub(crate) struct Unit(
    /// `None` once it has left.
    Option<Place<Home>>,
);

/// Where the units of a resource belong. They do not hold the driver: the control thread does, until the end, and
/// after that there is nobody to tell of anything.
#[derive(Debug)]
pub(crate) struct Home {
    driver: Weak<Driver>,
    id: Id,
}

impl Unit {
    #[inline]
    pub(super) fn new(place: Place<Home>) -> Self {
        Self(Some(place))
    }

    /// Leaves, and says what that leaves behind, for a caller that has more to tell and tells both in one event.
    pub(crate) fn leave(&mut self) -> Rest {
        let closed = self.0.take().and_then(Place::leave);
        if closed.is_some() { Rest::Drained } else { Rest::Unknown }
    }

    /// Sets whether the unit counts if it is cut off (rule E1).
    #[cfg(feature = "http")]
    pub(crate) fn stand(&mut self, standing: Standing) {
        self.0 = self.0.take().map(|place| place.stand(standing));
    }
}

impl Drop for Unit {
    #[inline]
    fn drop(&mut self) {
        if let Some(home) = self.0.take().and_then(Place::leave) {
            home.tell_drained();
        }
    }
}

impl Home {
    pub(super) fn of(seat: &Seat) -> Self {
        let Seat { driver, id } = seat;
        Self { driver: Arc::downgrade(driver), id: *id }
    }

    fn seat(&self) -> Option<Seat> {
        Some(Seat { driver: self.driver.upgrade()?, id: self.id })
    }

    #[cold]
    fn tell_drained(&self) {
        if let Some(seat) = self.seat() {
            seat.call(Event::Drained(seat.id));
        }
    }
}
