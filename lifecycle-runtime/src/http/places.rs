//! The places of a server: how many connections there may be at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::driver::Seat;
use crate::engine::notice::Notice;

/// The places of one server.
pub(super) struct Places {
    seat: Seat,
    free: Arc<Semaphore>,
    max: usize,
    /// The log says that all are taken.
    is_told: bool,
}

/// A place that one connection has.
#[derive(Debug)]
pub(super) struct Place {
    seat: Seat,
    /// Nothing for a connection beyond the maximum.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(seat: &Seat, max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        seat.connections().serve(Some(max).filter(|max| *max < Semaphore::MAX_PERMITS));
        Self { seat: seat.clone(), free: Arc::new(Semaphore::new(max)), max, is_told: false }
    }

    /// Waits until a place is free. If all are taken the log says so, once until the server has recovered.
    pub(super) async fn free(&mut self) -> OwnedSemaphorePermit {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return permit;
        }
        if !self.is_told {
            self.is_told = true;
            self.seat.driver.say(Notice::AllPlacesTaken { name: self.seat.name(), places: self.max });
        }
        let free = Arc::clone(&self.free).acquire_owned().await;
        free.expect("the semaphore is never closed")
    }

    /// The place for a connection that has come.
    pub(super) fn take(&mut self, permit: OwnedSemaphorePermit) -> Place {
        // A server that is nearly full has not recovered.
        let enough = (self.max / 10).max(2).min(self.max);
        self.is_told &= self.free.available_permits() + 1 < enough;
        self.place(Some(permit))
    }

    /// A place beyond the maximum.
    pub(super) fn beyond(&self) -> Place {
        self.place(None)
    }

    fn place(&self, permit: Option<OwnedSemaphorePermit>) -> Place {
        self.seat.connections().enter();
        Place { seat: self.seat.clone(), _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.seat.connections().leave();
    }
}
