//! Clients that do not give up while the server is killed and restarted.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::http::{Connection, Response};
use crate::harness::number_from_environment;
use crate::harness::program::PATIENCE;

/// A client with at most one connection.
pub struct Customer<'a> {
    site: &'a Site,
    place: Place,
    connection: Option<Connection>,
}

impl<'a> Customer<'a> {
    /// Waits until the site is open.
    pub fn of(site: &'a Site) -> Self {
        Self { site, place: site.place_after(0), connection: None }
    }

    /// Asks until it is answered, and not put off with a 503. Says as well whether the first attempt was answered:
    /// one that was not may have been charged all the same.
    pub fn pay(&mut self, payment: &Value) -> (Response, bool) {
        let mut is_first = true;
        loop {
            if let Some(connection) = &mut self.connection {
                match connection.post_json("/payments", &payment.to_string()) {
                    // Not to synchronise: that is what a client does that is asked to come again.
                    Ok(response) if response.status == 503 => thread::sleep(Duration::from_millis(10)),
                    Ok(response) => return (response, is_first),
                    Err(_) => self.connection = None,
                }
                is_first = false;
            }
            if self.connection.is_none() {
                self.connection = Connection::open(self.place.address).ok();
            }
            if self.connection.is_none() {
                self.place = self.site.place_after(self.place.number);
            }
        }
    }
}

/// A payment as it is asked for, and acknowledged.
pub fn payment(id: &str, amount_cents: i64) -> Value {
    json!({ "id": id, "amount_cents": amount_cents })
}

/// Pays and pays until the site is closed. The payments that were acknowledged: all that were begun.
pub fn pay_until_closed(site: &Site, client: u64) -> Vec<(String, i64)> {
    let mut customer = Customer::of(site);
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if site.is_closed() {
            break;
        }
        let (id, amount_cents) = (format!("{client}-{number}"), 100 + number);
        let payment = payment(&id, amount_cents);
        let (response, is_first) = customer.pay(&payment);
        let is_right = response.status == 201 || (!is_first && response.status == 200);
        assert!(is_right, "{payment} was answered with {response:?}");
        assert_eq!(response.json(), payment);
        // Some ask again, although they were answered.
        if number % 3 == 0 {
            let (response, _) = customer.pay(&payment);
            assert_eq!((response.status, response.json()), (200, payment));
        }
        acknowledged.push((id, amount_cents));
    }
    acknowledged
}

/// Where the server is to be found, while it moves from port to port.
#[derive(Default)]
pub struct Site {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    place: Option<Place>,
    is_closed: bool,
}

#[derive(Clone, Copy)]
struct Place {
    number: u64,
    address: SocketAddr,
}

impl Site {
    pub fn open_at(&self, address: SocketAddr) {
        let mut state = self.lock();
        let number = state.place.map_or(1, |place| place.number + 1);
        state.place = Some(Place { number, address });
        self.changed.notify_all();
    }

    /// Waits for a place with a higher number.
    fn place_after(&self, number: u64) -> Place {
        let next = |state: &State| state.place.filter(|place| place.number > number);
        let is_early = |state: &mut State| next(state).is_none() && !state.is_closed;
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, is_early);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        next(&state).expect("the server comes back, in time and before the site is closed")
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the site when it is dropped: no new payments, also if a round has failed.
pub struct Closing<'a>(pub &'a Site);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

/// SplitMix64, so that a run can be repeated: the moments of the signals follow from the seed.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let seed = number_from_environment("LIFECYCLE_TEST_SEED", clock);
        println!("to repeat this: LIFECYCLE_TEST_SEED={seed}");
        Self(seed)
    }

    pub fn signal(&mut self) -> Signal {
        match self.below(3) {
            0 => Signal::KILL,
            1 => Signal::TERM,
            _ => Signal::INT,
        }
    }

    /// A number less than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
