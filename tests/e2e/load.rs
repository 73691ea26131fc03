//! Clients that ask at a steady pace, while something is done to the server.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::{Connection, Response};
use crate::servers::wait_until;

/// How many clients there are of each kind.
const CLIENTS: usize = 4;
/// Requests per second that each client sends.
const PACE: u64 = 50;
/// A connection that was not used for so long is not used again. Every client that keeps connections has such a limit.
const IDLE: Duration = Duration::from_millis(200);

/// What clients of one kind have seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: usize,
    /// Requests on a kept connection that was closed under them without a word, sent again and answered.
    pub(crate) repeated: usize,
    pub(crate) slowest: Duration,
    /// What was refused, reset or cut off.
    pub(crate) lost: Vec<String>,
}

impl Tally {
    fn add(mut self, other: Self) -> Self {
        self.answered += other.answered;
        self.repeated += other.repeated;
        self.slowest = self.slowest.max(other.slowest);
        self.lost.extend(other.lost);
        self
    }

    fn count(&mut self, answer: io::Result<Response>, status: u16, began: Instant) {
        match answer {
            Ok(response) if response.status == status => self.answered += 1,
            Ok(response) => self.lost.push(format!("{response:?}")),
            Err(error) => self.lost.push(format!("after {:?}: {error}", began.elapsed())),
        }
        self.slowest = self.slowest.max(began.elapsed());
    }
}

/// What became of everything that was asked.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Each payment on a connection of its own.
    pub(crate) fresh: Tally,
    /// On connections that are kept.
    pub(crate) kept: Tally,
}

/// What is going on, for whoever does something to the server.
#[derive(Default)]
pub(crate) struct Load {
    sent: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Waits until so many more requests have been sent.
    #[track_caller]
    pub(crate) fn wait_for(&self, requests: usize) {
        let goal = self.sent.load(Ordering::Relaxed) + requests;
        wait_until("clients go on asking", || self.sent.load(Ordering::Relaxed) >= goal);
    }
}

/// Asks the service at `address` for as long as `act` takes.
pub(crate) fn during(address: SocketAddr, act: impl FnOnce(&Load)) -> Outcome {
    let load = Load::default();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let load = &load;
                let fresh = scope.spawn(move || ask_afresh(address, client, load));
                (fresh, scope.spawn(move || ask_again(address, load)))
            })
            .collect();
        let ending = Ending(&load);
        act(&load);
        drop(ending);
        let mut outcome = Outcome { fresh: Tally::default(), kept: Tally::default() };
        for (fresh, kept) in clients {
            outcome.fresh = outcome.fresh.add(fresh.join().expect("the client does not panic"));
            outcome.kept = outcome.kept.add(kept.join().expect("the client does not panic"));
        }
        outcome
    })
}

/// Ends the load when it is dropped, also if what was done has failed.
struct Ending<'a>(&'a Load);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// The numbers of the requests, each when it is due. The pace is the load that the tests are about.
fn paced(load: &Load) -> impl Iterator<Item = u64> {
    let began = Instant::now();
    (0..).take_while(move |number| {
        thread::sleep(Duration::from_millis(number * 1_000 / PACE).saturating_sub(began.elapsed()));
        load.sent.fetch_add(1, Ordering::Relaxed);
        !load.is_over.load(Ordering::Relaxed)
    })
}

fn ask_afresh(address: SocketAddr, client: usize, load: &Load) -> Tally {
    let mut tally = Tally::default();
    for number in paced(load) {
        let began = Instant::now();
        let payment = json!({ "id": format!("{client}-{number}"), "amount_cents": 1 }).to_string();
        let pay = |mut connection: Connection| connection.post_json("/payments", &payment);
        tally.count(Connection::open(address).and_then(pay), 201, began);
    }
    tally
}

fn ask_again(address: SocketAddr, load: &Load) -> Tally {
    let mut tally = Tally::default();
    let mut kept: Option<(Connection, Instant)> = None;
    for _ in paced(load) {
        let began = Instant::now();
        // One that was closed meanwhile, or is kept for long already, is of no use.
        kept = kept.filter(|(connection, last)| last.elapsed() < IDLE && connection.is_silent());
        if let Some((mut connection, _)) = kept.take() {
            let answer = connection.get("/");
            if !answer.as_ref().is_err_and(was_closed) {
                let is_kept = answer.as_ref().is_ok_and(|response| !response.says_close);
                kept = is_kept.then(|| (connection, Instant::now()));
                tally.count(answer, 200, began);
                continue;
            }
            tally.repeated += 1;
        }
        let answer = Connection::open(address).and_then(|mut connection| {
            let response = connection.get("/")?;
            kept = (!response.says_close).then(|| (connection, Instant::now()));
            Ok(response)
        });
        tally.count(answer, 200, began);
    }
    tally
}

/// Whether the server has closed the connection before it said a word.
fn was_closed(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}
