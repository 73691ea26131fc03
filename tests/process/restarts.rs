//! The Go-equivalent is killed and restarted again and again under clients that do not give up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::http::{Connection, answered, connect};
use crate::machine;
use crate::program::{PATIENCE, Process, Program};
use crate::scratch::Scratch;

const ROUNDS: u32 = 40;
const CLIENTS: u64 = 3;

#[test]
fn no_acknowledged_payment_is_lost_and_none_is_charged_twice() {
    let _machine = machine::shared();
    let mut random = Random::new();
    let scratch = Scratch::new();
    let url = format!("sqlite://{}", scratch.path().join("payments.db").display());
    let start = || {
        let program = Program::example("go_equivalent").env("PORT", "0").env("PAYMENT_MS", "10");
        program.env("DATABASE_URL", &url).spawn()
    };
    let site = &Site::default();

    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || pay_until_closed(site, client))).collect();
        let closing = Closing(site);
        for round in 0..ROUNDS {
            let server = start();
            let signal = random.signal();
            if random.below(4) > 0 {
                site.open_at(server.address());
                server.wait_for_line("running:");
                thread::sleep(Duration::from_millis(random.below(100)));
            } else {
                // In the midst of its start.
                thread::sleep(Duration::from_millis(random.below(40)));
            }
            end(server, signal, round);
        }
        let server = start();
        site.open_at(server.address());
        drop(closing);
        let acknowledged =
            clients.into_iter().flat_map(|client| client.join().expect("the client is content"));
        let acknowledged: HashMap<String, i64> = acknowledged.collect();
        println!("{} payments were acknowledged", acknowledged.len());
        assert!(acknowledged.len() > 20, "too few to prove anything: {}", acknowledged.len());

        check(&server, &acknowledged);
        end(server, Signal::TERM, ROUNDS);
    });
}

/// Sends the signal and judges the end.
fn end(server: Process, signal: Signal, round: u32) {
    // S1: the handlers are there before the first resource is, which is the log.
    let has_handlers = server.has_printed("");
    server.signal(signal);
    let exit = server.wait_for_exit();
    let is_clean = exit.code() == Some(0);
    let was_killed = exit.killed_by() == Some(signal.as_raw());
    let is_right = match signal {
        Signal::KILL => was_killed,
        // E1 and S5: an empty body is not interrupted, not even during start-up.
        _ if has_handlers => is_clean,
        _ => is_clean || was_killed,
    };
    let how = (exit.code(), exit.killed_by());
    assert!(is_right, "round {round}: {signal:?} ended the process with {how:?}; handlers: {has_handlers}");
}

/// Asserts that the database holds what was acknowledged: no less, no more.
fn check(server: &Process, acknowledged: &HashMap<String, i64>) {
    let mut connection = connect(server.address());
    let total: i64 = acknowledged.values().sum();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let totals = answered(connection.get("/payments")).json();
        assert_eq!(totals["count"], acknowledged.len());
        assert_eq!(totals["total_cents"], total);
        if totals["receipts"] == totals["count"] {
            break;
        }
        assert!(Instant::now() < deadline, "receipts are missing: {totals}");
        thread::sleep(Duration::from_millis(5));
    }
    for (id, amount_cents) in acknowledged {
        let again = answered(connection.post_json("/payments", &payment(id, 1).to_string()));
        assert_eq!((again.status, again.json()), (200, payment(id, *amount_cents)));
    }
    assert_eq!(answered(connection.get("/payments")).json()["total_cents"], total);
}

fn payment(id: &str, amount_cents: i64) -> Value {
    json!({"id": id, "amount_cents": amount_cents})
}

/// Pays and pays until the site is closed. The payments that were acknowledged: all that were begun.
fn pay_until_closed(site: &Site, client: u64) -> Vec<(String, i64)> {
    let mut customer = Customer { site, place: site.place_after(0), connection: None };
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if site.is_closed() {
            break;
        }
        let (id, amount_cents) = (format!("{client}-{number}"), 100 + number);
        customer.pay(&payment(&id, amount_cents), &payment(&id, amount_cents), 201);
        // Some ask again, with an error in the amount: they are told what was charged.
        if number % 3 == 0 {
            customer.pay(&payment(&id, 1), &payment(&id, amount_cents), 200);
        }
        acknowledged.push((id, amount_cents));
    }
    acknowledged
}

/// A client with at most one connection.
struct Customer<'a> {
    site: &'a Site,
    place: Place,
    connection: Option<Connection>,
}

impl Customer<'_> {
    /// Asks until it is answered. The first attempt has to be answered with `status`; a further one may find that
    /// one before it has been charged.
    fn pay(&mut self, payment: &Value, expected: &Value, status: u16) {
        let mut is_first = true;
        loop {
            if let Some(connection) = &mut self.connection {
                if let Ok(response) = connection.post_json("/payments", &payment.to_string()) {
                    let is_right = response.status == status || (!is_first && response.status == 200);
                    assert!(is_right, "{payment} was answered with {response:?}");
                    assert_eq!(&response.json(), expected);
                    return;
                }
                is_first = false;
            }
            self.connection = Connection::open(self.place.address).ok();
            if self.connection.is_none() {
                self.place = self.site.place_after(self.place.number);
            }
        }
    }
}

/// Where the server is to be found, while it moves from port to port.
#[derive(Default)]
struct Site {
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
    fn open_at(&self, address: SocketAddr) {
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

    fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the site when it is dropped: no new payments, also if a round has failed.
struct Closing<'a>(&'a Site);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

/// SplitMix64, so that a run can be repeated: the moments of the signals follow from the seed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let seed = env::var("RESTARTS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock);
        println!("to repeat this: RESTARTS_SEED={seed}");
        Self(seed)
    }

    fn signal(&mut self) -> Signal {
        match self.below(3) {
            0 => Signal::KILL,
            1 => Signal::TERM,
            _ => Signal::INT,
        }
    }

    /// A number less than `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
