//! Room for so many connections and no more. When it is taken, the oldest makes room: first of those that have asked
//! nothing, so that slow clients keep nobody out, then of those that wait for an answer, so that a check that hangs
//! does not either.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::driver::lock;

/// The places of all connections.
pub(super) struct Room {
    free: Arc<Semaphore>,
    guests: Arc<Mutex<Guests>>,
    arrived: u64,
}

/// Who can be asked to leave, in the order of their arrival.
#[derive(Debug, Default)]
struct Guests {
    /// Their request is not complete.
    unasked: BTreeMap<u64, Eviction>,
    /// They wait for the answer.
    asked: BTreeMap<u64, Eviction>,
}

impl Guests {
    fn pop_first(&mut self) -> Option<Eviction> {
        self.unasked.pop_first().or_else(|| self.asked.pop_first()).map(|(_, eviction)| eviction)
    }

    fn remove(&mut self, number: u64) {
        self.unasked.remove(&number);
        self.asked.remove(&number);
    }
}

/// Asks one connection to leave. Closed once it has left, or stays because its request came just in time.
type Eviction = mpsc::Sender<()>;

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    guests: Arc<Mutex<Guests>>,
    /// Given back before `eviction` closes: whoever waits for the end of the eviction finds the place free.
    _permit: OwnedSemaphorePermit,
    eviction: mpsc::Receiver<()>,
    has_asked: bool,
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), guests: Arc::default(), arrived: 0 }
    }

    /// A place for a connection that has arrived. Waits only for those that were asked to leave.
    pub(super) async fn enter(&mut self) -> Option<Place> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                break permit;
            }
            let Some(oldest) = lock(&self.guests).pop_first() else {
                break Arc::clone(&self.free).acquire_owned().await.ok()?;
            };
            let _ = oldest.try_send(());
            oldest.closed().await;
        };
        let (evict, eviction) = mpsc::channel(1);
        self.arrived += 1;
        lock(&self.guests).unasked.insert(self.arrived, evict);
        let guests = Arc::clone(&self.guests);
        Some(Place { number: self.arrived, guests, _permit: permit, eviction, has_asked: false })
    }
}

impl Place {
    /// Until the place is needed for another connection.
    pub(super) async fn is_needed(&mut self) {
        self.eviction.recv().await;
    }

    /// The request is complete: the place is kept until the answer was given, unless no other can be had. If somebody
    /// has just asked for it, they ask the next.
    pub(super) fn keep(&mut self) {
        if std::mem::replace(&mut self.has_asked, true) {
            return;
        }
        let (evict, eviction) = mpsc::channel(1);
        let mut guests = lock(&self.guests);
        guests.remove(self.number);
        guests.asked.insert(self.number, evict);
        self.eviction = eviction;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.guests).remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    /// Whether a future is still waiting after everything that it could wait for has had a chance.
    async fn waits<T>(future: impl Future<Output = T>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = async { for _ in 0..10 { tokio::task::yield_now().await } } => true,
        }
    }

    #[tokio::test]
    async fn the_oldest_without_a_request_makes_room() {
        let mut room = Room::new(3);
        let mut asked = room.enter().await.unwrap();
        asked.keep();
        let mut oldest = room.enter().await.unwrap();
        let mut younger = room.enter().await.unwrap();
        let leaves = async {
            oldest.is_needed().await;
            drop(oldest);
        };
        let (mut newest, ()) = tokio::join!(room.enter(), leaves);
        assert!(waits(asked.is_needed()).await && waits(younger.is_needed()).await);
        assert!(waits(newest.as_mut().unwrap().is_needed()).await);
    }

    #[tokio::test]
    async fn a_request_that_comes_just_in_time_keeps_its_place() {
        let mut room = Room::new(2);
        let mut just_in_time = room.enter().await.unwrap();
        let mut slow = room.enter().await.unwrap();
        let refuses = async {
            just_in_time.is_needed().await;
            just_in_time.keep();
        };
        let leaves = async {
            slow.is_needed().await;
            drop(slow);
        };
        let (newest, (), ()) = tokio::join!(room.enter(), refuses, leaves);
        assert!(newest.is_some());
    }

    #[tokio::test]
    async fn when_all_have_asked_the_oldest_of_them_makes_room() {
        let mut room = Room::new(2);
        let mut oldest = room.enter().await.unwrap();
        let mut younger = room.enter().await.unwrap();
        younger.keep();
        oldest.keep();
        let leaves = async {
            oldest.is_needed().await;
            drop(oldest);
        };
        let (newest, ()) = tokio::join!(room.enter(), leaves);
        assert!(newest.is_some() && waits(younger.is_needed()).await);
        assert!(waits(room.enter()).await, "it waits for the one that was asked to leave");
    }
}
