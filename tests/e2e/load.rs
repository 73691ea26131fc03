//! Clients that send requests all the time, and notice every one that is not answered as it should be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::http::{Connection, Response};
use crate::servers::wait_until;

/// From one request of a client to the next.
const PACE: Duration = Duration::from_millis(25);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    KeepAlive,
    /// One for each request.
    Fresh,
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
    lost: AtomicU64,
    /// How many responses each server gave, if they say so.
    served_by: Mutex<HashMap<String, u64>>,
}

/// What the clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    /// What became of those that were not answered as they should be.
    pub(crate) lost: Vec<String>,
    /// The amount of each payment that was said to be charged.
    pub(crate) charged: BTreeMap<String, i64>,
    /// Payments without an answer: they may be charged or not.
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) took: Duration,
}

impl Load {
    /// Starts this many clients of each kind, which share the addresses out among them.
    pub(crate) fn start(addresses: &[SocketAddr], clients: &[(Connections, usize)]) -> Self {
        let shared = Arc::new(Shared::default());
        let kinds = clients.iter().flat_map(|&(connections, count)| (0..count).map(move |_| connections));
        let clients = kinds.enumerate().map(|(name, connections)| {
            let address = addresses[name % addresses.len()];
            let client = Client { name, address, connections, shared: Arc::clone(&shared) };
            thread::spawn(move || client.run())
        });
        Self { clients: clients.collect(), shared, began: Instant::now() }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
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
            let Tally { answered, lost, charged, unknown, took: _ } =
                client.join().expect("no client has panicked");
            all.answered += answered;
            all.lost.extend(lost);
            all.charged.extend(charged);
            all.unknown.extend(unknown);
        }
        all.took = began.elapsed();
        all
    }
}

impl Tally {
    /// A line of figures.
    pub(crate) fn figures(&self) -> String {
        let Self { answered, lost, charged, took, .. } = self;
        let seconds = took.as_secs_f64();
        let rate = *answered as f64 / seconds;
        format!(
            "{answered} requests answered, {} of them payments, {rate:.0} a second; {} lost; {seconds:.1} s",
            charged.len(),
            lost.len()
        )
    }
}

struct Client {
    name: usize,
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
            // The pace is the load that the test is about. What could not be sent in time is not sent all at once.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due = Instant::now().max(due + PACE);
            self.send(number, &mut connection, &mut tally);
        }
        tally
    }

    /// One request: a payment, one that takes a while, or a quick one.
    fn send(&self, number: u64, kept: &mut Option<Connection>, tally: &mut Tally) {
        let payment =
            number.is_multiple_of(4).then(|| (format!("{}-{number}", self.name), 1 + number as i64 % 1_000));
        let path = if number % 4 == 1 { "/slow?ms=20" } else { "/" };
        let asked = self.connection(kept).and_then(|mut connection| {
            let response = match &payment {
                Some((id, amount)) => {
                    let headers = format!("Content-Type: application/json\r\n{}", self.connection_header());
                    let body = format!(r#"{{"id":"{id}","amount_cents":{amount}}}"#);
                    connection.post("/payments", &headers, &body)?
                }
                None => {
                    let close = self.connection_header();
                    connection.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n"))?;
                    connection.read_response()?
                }
            };
            Ok((connection, response))
        });
        let why = match asked {
            Ok((connection, response)) if is_expected(&response, payment.is_some()) => {
                self.note_server(&response);
                tally.answered += 1;
                tally.charged.extend(payment);
                // A server may close after a response, if it says so.
                let closes = response.header("Connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
                *kept = (!closes && self.connections == Connections::KeepAlive).then_some(connection);
                return;
            }
            Ok((_, response)) => format!("{response:?}"),
            Err(error) => error.to_string(),
        };
        let what = if payment.is_some() { "a payment" } else { path };
        tally.lost.push(format!("{what}, {:?}: {why}", self.connections));
        tally.unknown.extend(payment.map(|(id, _)| id));
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection that was kept, or a new one. One that the server has closed while it was idle is of no use, as
    /// every client knows that keeps connections.
    fn connection(&self, kept: &mut Option<Connection>) -> io::Result<Connection> {
        match kept.take().filter(Connection::is_silent) {
            Some(connection) => Ok(connection),
            None => Connection::open(self.address),
        }
    }

    fn connection_header(&self) -> &'static str {
        match self.connections {
            Connections::KeepAlive => "",
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

/// No client asks twice for a payment: where it was charged before, somebody else has repeated the request.
fn is_expected(response: &Response, is_payment: bool) -> bool {
    response.status == if is_payment { 201 } else { 200 }
}
