//! Clients that send requests all the time, and notice every one that is not answered as it should be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::http::{Connection, Response};
use crate::http2;
use crate::program::wait_until;

/// What clients ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Payments, and other requests, some of which take a while.
    Mixed,
    /// As many small requests as one machine can be asked for, where everything runs on it.
    Quick,
}

impl Work {
    /// From one request of a client to the next.
    fn pace(self) -> Duration {
        match self {
            Self::Mixed => Duration::from_millis(25),
            Self::Quick => Duration::from_micros(6_200),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    KeepAlive,
    /// One for each request.
    Fresh,
    /// Over HTTP/2, kept for as long as the server likes.
    Http2,
}

/// A connection that may be kept.
enum Kept {
    Http1(Connection),
    Http2(http2::Connection),
}

/// A load on some addresses, until it is ended.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Tally>>,
    shared: Arc<Shared>,
    began: Instant,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    answered: AtomicU64,
    lost: AtomicU64,
    /// How many responses each server gave, if they say so.
    served_by: Mutex<HashMap<String, u64>>,
}

/// What the clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    /// Those among them that were sent twice: on a connection that was kept and closed under them without a word, and
    /// then on another. HTTP/1 has no remedy but this one.
    pub(crate) repeated: u64,
    /// What became of those that were not answered as they should be.
    pub(crate) lost: Vec<String>,
    /// The amount of each payment that was said to be charged.
    pub(crate) charged: BTreeMap<String, i64>,
    /// Payments without an answer: they may be charged or not.
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) slowest: Duration,
    pub(crate) took: Duration,
}

impl Load {
    /// Starts this many clients of each kind, which share the addresses out among them.
    pub(crate) fn start(addresses: &[SocketAddr], clients: &[(Connections, usize)]) -> Self {
        Self::of(Work::Mixed, addresses, clients)
    }

    /// The same for clients that ask for something else.
    pub(crate) fn of(work: Work, addresses: &[SocketAddr], clients: &[(Connections, usize)]) -> Self {
        let shared = Arc::new(Shared::default());
        let kinds = clients.iter().flat_map(|&(connections, count)| (0..count).map(move |_| connections));
        let clients = kinds.enumerate().map(|(name, connections)| {
            let address = addresses[name % addresses.len()];
            let client = Client { name, work, address, connections, shared: Arc::clone(&shared) };
            thread::spawn(move || client.run())
        });
        Self { clients: clients.collect(), shared, began: Instant::now() }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until so many more requests have been answered.
    #[track_caller]
    pub(crate) fn wait_for(&self, requests: u64) {
        let answered = || self.shared.answered.load(Ordering::Relaxed);
        let goal = answered() + requests;
        wait_until(&format!("{requests} more requests are answered"), || answered() >= goal);
    }

    /// Waits until this server gives a response.
    #[track_caller]
    pub(crate) fn wait_until_served_by(&self, server: SocketAddr) {
        let server = server.to_string();
        let count = || {
            let served_by = self.shared.served_by.lock().unwrap_or_else(PoisonError::into_inner);
            served_by.get(&server).copied()
        };
        let before = count();
        wait_until(&format!("{server} gives a response"), || count() > before);
    }

    /// Ends the load, and gives what all clients have seen.
    #[track_caller]
    pub(crate) fn end(self) -> Tally {
        let Self { clients, shared, began } = self;
        shared.is_over.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in clients {
            let Tally { answered, repeated, lost, charged, unknown, slowest, took: _ } =
                client.join().expect("no client has panicked");
            all.answered += answered;
            all.repeated += repeated;
            all.slowest = all.slowest.max(slowest);
            all.lost.extend(lost);
            all.charged.extend(charged);
            all.unknown.extend(unknown);
        }
        all.took = began.elapsed();
        all
    }
}

impl Tally {
    /// Requests answered per second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }

    /// A line of figures.
    pub(crate) fn figures(&self) -> String {
        let Self { answered, repeated, lost, charged, unknown: _, slowest, took } = self;
        let rate = self.rate();
        format!(
            "{answered} requests answered, {} of them payments, {rate:.0} a second, the slowest in {slowest:.1?}; \
             {repeated} sent twice; {} lost; {took:.1?}",
            charged.len(),
            lost.len()
        )
    }
}

struct Client {
    name: usize,
    work: Work,
    address: SocketAddr,
    connections: Connections,
    shared: Arc<Shared>,
}

impl Client {
    fn run(self) -> Tally {
        let mut tally = Tally::default();
        let mut connection = None;
        let mut due = Instant::now();
        for number in 0.. {
            if self.shared.is_over.load(Ordering::Relaxed) {
                break;
            }
            // The pace is the load that the test is about.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due = match self.work {
                // What could not be sent in time is not sent all at once.
                Work::Mixed => Instant::now().max(due + self.work.pace()),
                // The rate is what counts: what could not be sent in time is sent as soon as possible.
                Work::Quick => due + self.work.pace(),
            };
            self.send(number, &mut connection, &mut tally);
        }
        tally
    }

    /// One request: a payment, one that takes a while, or a quick one.
    fn send(&self, number: u64, kept: &mut Option<Kept>, tally: &mut Tally) {
        let (payment, path) = match (self.work, number % 4) {
            (Work::Mixed, 0) => {
                (Some((format!("{}-{number}", self.name), 1 + number as i64 % 1_000)), "/payments")
            }
            (Work::Mixed, 1) => (None, "/slow?ms=20"),
            _ => (None, "/"),
        };
        let began = Instant::now();
        let (asked, was_repeated) = match self
            .kept(kept)
            .map(|connection| self.ask(connection, path, &payment))
        {
            Some(Err(error)) if was_closed_without_a_word(&error) => (self.ask_anew(path, &payment), true),
            Some(asked) => (asked, false),
            None => (self.ask_anew(path, &payment), false),
        };
        tally.slowest = tally.slowest.max(began.elapsed());
        let why = match asked {
            Ok((connection, response)) if is_expected(&response, payment.is_some(), was_repeated) => {
                self.note_server(&response);
                tally.answered += 1;
                tally.repeated += u64::from(was_repeated);
                self.shared.answered.fetch_add(1, Ordering::Relaxed);
                tally.charged.extend(payment);
                // A server may close after a response, if it says so.
                let is_kept = !response.says_close() && self.connections != Connections::Fresh;
                *kept = is_kept.then_some(connection);
                return;
            }
            Ok((_, response)) => format!("{response:?}"),
            Err(error) => error.to_string(),
        };
        tally.lost.push(format!("{path}, {:?}: {why}", self.connections));
        tally.unknown.extend(payment.map(|(id, _)| id));
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection that was kept. One that the server has closed while it was idle is of no use, as every client
    /// knows that keeps connections.
    fn kept(&self, kept: &mut Option<Kept>) -> Option<Kept> {
        kept.take().filter(|kept| match kept {
            Kept::Http1(connection) => connection.is_silent(),
            Kept::Http2(connection) => connection.is_open(),
        })
    }

    fn ask_anew(&self, path: &str, payment: &Option<(String, i64)>) -> io::Result<(Kept, Response)> {
        let connection = match self.connections {
            Connections::KeepAlive | Connections::Fresh => Kept::Http1(Connection::open(self.address)?),
            Connections::Http2 => Kept::Http2(http2::Connection::open(self.address)?),
        };
        self.ask(connection, path, payment)
    }

    fn ask(
        &self,
        mut connection: Kept,
        path: &str,
        payment: &Option<(String, i64)>,
    ) -> io::Result<(Kept, Response)> {
        let close = self.connection_header();
        let body = payment.as_ref().map(|(id, amount)| format!(r#"{{"id":"{id}","amount_cents":{amount}}}"#));
        let response = match (&mut connection, body) {
            (Kept::Http1(connection), Some(body)) => {
                let headers = format!("Content-Type: application/json\r\n{close}");
                connection.post(path, &headers, &body)?
            }
            (Kept::Http1(connection), None) => {
                connection.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n"))?;
                connection.read_response()?
            }
            (Kept::Http2(connection), body) => connection.ask(path, body)?,
        };
        Ok((connection, response))
    }

    fn connection_header(&self) -> &'static str {
        match self.connections {
            Connections::KeepAlive | Connections::Http2 => "",
            Connections::Fresh => "Connection: close\r\n",
        }
    }

    fn note_server(&self, response: &Response) {
        if let Some(servers) = response.header("X-Served-By") {
            // Of those that were tried, it is the last one.
            let server = servers.rsplit(", ").next().unwrap_or(servers).to_owned();
            let mut served_by = self.shared.served_by.lock().unwrap_or_else(PoisonError::into_inner);
            *served_by.entry(server).or_default() += 1;
        }
    }
}

/// A payment that was charged before was sent twice: by this client, or by somebody else, which nobody may do.
fn is_expected(response: &Response, is_payment: bool, was_repeated: bool) -> bool {
    match response.status {
        201 => is_payment,
        200 => !is_payment || was_repeated,
        _ => false,
    }
}

fn was_closed_without_a_word(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}
