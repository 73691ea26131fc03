//! One unit of work in flight.

use std::sync::{Arc, Weak};

use super::census::Census;
#[cfg(feature = "http")]
use super::census::Kinds;
#[cfg(feature = "http")]
use super::counter::Standing;
use super::counter::{Entrance, Place};
use super::{Driver, Seat};
use crate::engine::event::{Event, Rest};
use crate::model::graph::Id;
#[cfg(feature = "http")]
use crate::model::units::Units;

/// One unit in flight of a resource. It counts for as long as it lives.
#[derive(Debug)]
pub(crate) struct Unit(
    /// `None` once it has left.
    Option<Place<Home>>,
);

/// The way to units of a resource: see [`Seat::entrance`].
#[derive(Clone, Debug)]
pub(crate) struct UnitEntrance(Entrance<Home>);

/// Where the units of a resource belong. They do not hold the driver: the control thread does, until the end, and
/// after that there is nobody to tell of anything.
#[derive(Debug)]
pub(crate) struct Home {
    driver: Weak<Driver>,
    id: Id,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only servers say what their units are"))]
    census: Arc<Census>,
}

/// A unit that says what it is, in place of a task. A connection may be many requests at a time.
#[cfg(feature = "http")]
#[derive(Debug)]
pub(crate) struct KnownUnit {
    unit: Unit,
    kinds: Kinds,
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
    pub(super) fn stand(&mut self, standing: Standing) {
        self.0 = self.0.take().map(|place| place.stand(standing));
    }

    /// The same unit, which says what it is.
    #[cfg(feature = "http")]
    pub(crate) fn known_as(self, units: Units) -> KnownUnit {
        let kinds = Kinds::of(units);
        if let Some(census) = self.census() {
            census.begin(kinds);
        }
        KnownUnit { unit: self, kinds }
    }

    #[cfg(feature = "http")]
    fn census(&self) -> Option<&Census> {
        Some(&self.0.as_ref()?.home().census)
    }
}

impl UnitEntrance {
    pub(super) fn of(seat: &Seat) -> Self {
        Self(seat.cell().counter.entrance(|| Home::of(seat)))
    }

    /// See [`Seat::enter`].
    #[inline]
    pub(crate) fn enter(&self) -> Option<Unit> {
        self.0.enter().map(Unit::new)
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

#[cfg(feature = "http")]
impl KnownUnit {
    /// Sets whether the unit counts if it is cut off (rule E1).
    pub(crate) fn stand(&mut self, standing: Standing) {
        self.unit.stand(standing);
    }

    /// The resource that it belongs to, until the application has ended.
    pub(crate) fn seat(&self) -> Option<Seat> {
        self.unit.0.as_ref()?.home().seat()
    }

    /// Says what the unit is from now on.
    #[inline]
    pub(crate) fn is(&mut self, units: Units) {
        let kinds = Kinds::of(units);
        if self.kinds != kinds {
            if let Some(census) = self.unit.census() {
                census.change(self.kinds, kinds);
            }
            self.kinds = kinds;
        }
    }
}

#[cfg(feature = "http")]
impl Drop for KnownUnit {
    fn drop(&mut self) {
        if let Some(census) = self.unit.census() {
            census.end(self.kinds);
        }
    }
}

impl Home {
    pub(super) fn of(seat: &Seat) -> Self {
        let Seat { driver, id } = seat;
        Self { driver: Arc::downgrade(driver), id: *id, census: Arc::clone(&seat.cell().census) }
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
