//! Room for so many connections and no more. When it is taken, whoever has waited longest without asking anything makes
//! room, so that slow clients keep nobody out.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::driver::lock;

/// The places of all connections.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    /// Who has not sent a complete request, in the order of their arrival.
    unasked: Arc<Mutex<BTreeMap<u64, Eviction>>>,
    arrived: u64,
}

/// Asks one connection to leave. Closed once it has left, or stays because its request came just in time.
type Eviction = mpsc::Sender<()>;

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    unasked: Arc<Mutex<BTreeMap<u64, Eviction>>>,
    /// Given back before `eviction` closes: whoever waits for the end of the eviction finds the place free.
    _permit: OwnedSemaphorePermit,
    /// Gone once the request is complete.
    eviction: Option<mpsc::Receiver<()>>,
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), unasked: Arc::default(), arrived: 0 }
    }

    /// A place for a connection that has arrived. Waits only if every place is taken by a connection that has asked.
    pub(super) async fn enter(&mut self) -> Option<Place> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                break permit;
            }
            let Some((_, oldest)) = lock(&self.unasked).pop_first() else {
                break Arc::clone(&self.free).acquire_owned().await.ok()?;
            };
            let _ = oldest.try_send(());
            oldest.closed().await;
        };
        let (evict, eviction) = mpsc::channel(1);
        self.arrived += 1;
        lock(&self.unasked).insert(self.arrived, evict);
        let unasked = Arc::clone(&self.unasked);
        Some(Place { number: self.arrived, unasked, _permit: permit, eviction: Some(eviction) })
    }
}

impl Place {
    /// Until the place is needed for another connection; never once it is to be kept.
    pub(super) async fn is_needed(&mut self) {
        match &mut self.eviction {
            // As long as the place is not kept, there is somebody who can ask for it.
            Some(eviction) => drop(eviction.recv().await),
            None => pending().await,
        }
    }

    /// The request is complete: the place is kept until the answer was given.
    pub(super) fn keep(&mut self) {
        lock(&self.unasked).remove(&self.number);
        self.eviction = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.unasked).remove(&self.number);
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
    async fn whoever_has_asked_is_waited_for() {
        let mut room = Room::new(1);
        let mut asked = room.enter().await.unwrap();
        asked.keep();
        assert!(waits(room.enter()).await);
        drop(asked);
        assert!(!waits(room.enter()).await);
    }
}
