//! What is known of one connection, and what it owes.

use std::sync::{Arc, Mutex, MutexGuard};

use super::framing::Framing;
use crate::driver::counter::Standing;
use crate::driver::{KnownUnit, Unit, lock};
use crate::model::units::Units;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One connection, a unit in flight of its resource for as long as anything of it is left: its task, the tasks of its
/// HTTP/2 streams, its socket, and the bodies of its responses.
#[derive(Debug)]
pub(super) struct Connection(Mutex<Ledger>);

/// What a connection is at. It decides which limit holds for it, and what happens at the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was read yet.
    New,
    /// A head of HTTP/1 is being read, or what may become HTTP/2.
    Head,
    /// A request of HTTP/1 is being answered.
    Busy,
    /// It waits for the next request of HTTP/1.
    Idle,
    /// It talks HTTP/2, whose pings tell whether the peer is there.
    Http2,
}

/// How a connection looks from outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) stage: Stage,
    /// How many requests it has had: one may come and go between two looks.
    pub(super) requests: u64,
    /// It is sending a response of HTTP/1 that has no known end.
    pub(super) is_streaming: bool,
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

#[derive(Debug)]
struct Ledger {
    unit: KnownUnit,
    standing: Standing,
    stage: Stage,
    /// How much of the preface of HTTP/2 was read; `None` once it is known not to be one.
    preface: Option<usize>,
    /// Whether the head of another request of HTTP/1 has begun.
    framing: Framing,
    /// Requests so far.
    requests: u64,
    /// Requests whose response is not complete, endless ones included.
    active: usize,
    /// How many of these owe nothing any more: endless responses, and what has been upgraded.
    endless: usize,
    /// How many of these are endless responses.
    streams: usize,
    /// A connection of HTTP/1 was upgraded, and its socket is still there.
    is_upgraded: bool,
    /// The handlers of upgraded connections that have not ended. There may be many on one connection of HTTP/2.
    handlers: usize,
    /// What keeps the connection from being excused: a request without a response, or with a response that has not
    /// been written out. An endless response owes nothing.
    debts: usize,
    /// Responses that have begun and whose end is not known.
    streaming: usize,
    /// One of the debts is that something complete was not flushed yet.
    owes_flush: bool,
}

impl Connection {
    pub(super) fn new(unit: Unit) -> Arc<Self> {
        let mut ledger = Ledger {
            unit: unit.known_as(Units { idle: 1, ..Units::default() }),
            standing: Standing::Counts,
            stage: Stage::New,
            preface: Some(0),
            framing: Framing::default(),
            requests: 0,
            active: 0,
            endless: 0,
            streams: 0,
            is_upgraded: false,
            handlers: 0,
            debts: 0,
            streaming: 0,
            owes_flush: false,
        };
        ledger.balance();
        Arc::new(Self(Mutex::new(ledger)))
    }

    pub(super) fn look(&self) -> Look {
        let Ledger { stage, requests, streaming, .. } = *self.lock();
        Look { stage, requests, is_streaming: stage == Stage::Busy && streaming > 0 }
    }

    /// What it speaks, by its first bytes; `None` as long as these may still become the preface of HTTP/2.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        match self.lock().preface {
            None => Some(Protocol::Http1),
            Some(read) => (read == PREFACE.len()).then_some(Protocol::Http2),
        }
    }

    /// Whether nothing is being answered, and everything was written out.
    pub(super) fn is_at_rest(&self) -> bool {
        let ledger = self.lock();
        ledger.active == 0 && ledger.debts == 0
    }

    /// These bytes came from the peer.
    pub(super) fn has_read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut ledger = self.lock();
        if ledger.stage == Stage::Http2 {
            return;
        }
        let is_empty = ledger.framing.read(bytes);
        ledger.preface = ledger.preface.and_then(|read| {
            let expected = &PREFACE[read..];
            let length = expected.len().min(bytes.len());
            (expected[..length] == bytes[..length]).then_some(read + length)
        });
        ledger.stage = match (ledger.stage, ledger.preface) {
            (Stage::New | Stage::Head, Some(read)) if read == PREFACE.len() => Stage::Http2,
            // Empty lines before a head are not its beginning.
            (stage @ (Stage::New | Stage::Idle), _) if is_empty => stage,
            (Stage::New | Stage::Head | Stage::Idle, _) => Stage::Head,
            (stage @ (Stage::Busy | Stage::Http2), _) => stage,
        };
    }

    /// Everything that was to be written was written.
    pub(super) fn has_flushed(&self) {
        let mut ledger = self.lock();
        if ledger.owes_flush {
            ledger.owes_flush = false;
            ledger.debts -= 1;
            ledger.balance();
        }
    }

    /// A request begins, whose head announces a body of this length.
    pub(super) fn begin(self: &Arc<Self>, body: Option<u64>) -> Exchange {
        let mut ledger = self.lock();
        ledger.framing.begin(body);
        ledger.requests += 1;
        ledger.active += 1;
        ledger.debts += 1;
        if ledger.stage != Stage::Http2 {
            ledger.stage = Stage::Busy;
        }
        ledger.balance();
        Exchange { connection: Arc::clone(self), kind: Kind::Request, is_streaming: false }
    }

    /// The handler of an upgraded connection is there from now on.
    pub(super) fn has_handler(&self) {
        let mut ledger = self.lock();
        ledger.handlers += 1;
        ledger.balance();
    }

    pub(super) fn handler_has_ended(&self) {
        let mut ledger = self.lock();
        ledger.handlers -= 1;
        ledger.balance();
    }

    /// Nothing holds the socket any more.
    pub(super) fn socket_is_gone(&self) {
        let mut ledger = self.lock();
        ledger.is_upgraded = false;
        ledger.balance();
    }

    /// Nobody panics while holding the lock, and what is behind it is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.0)
    }
}

impl Ledger {
    fn balance(&mut self) {
        let standing = if self.debts == 0 { Standing::Excused } else { Standing::Counts };
        if std::mem::replace(&mut self.standing, standing) != standing {
            self.unit.stand(standing);
        }
        self.unit.is(self.units());
        if self.stage == Stage::Busy && self.active == 0 && self.debts == 0 {
            // hyper may have read the beginning of the next head together with this request.
            self.stage = if self.framing.rest() { Stage::Head } else { Stage::Idle };
        }
    }

    /// What the connection is, for people.
    fn units(&self) -> Units {
        // What is left of complete responses is not told apart by request.
        let requests = (self.active - self.endless).max(usize::from(self.debts > 0));
        let upgraded = self.handlers.max(usize::from(self.is_upgraded));
        let is_idle = requests + self.streams + upgraded == 0;
        Units { requests, streams: self.streams, upgraded, idle: usize::from(is_idle), ..Units::default() }
    }

    /// Something was handed on, and has to be flushed. One flush is enough for all.
    fn hand_on(&mut self) {
        if std::mem::replace(&mut self.owes_flush, true) {
            self.debts -= 1;
        }
    }
}

/// A request, until its response is complete. While it is neither endless nor upgraded, it is a debt.
#[derive(Debug)]
pub(super) struct Exchange {
    connection: Arc<Connection>,
    kind: Kind,
    is_streaming: bool,
}

/// What a request has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    /// Its response is endless.
    Stream,
    /// The connection, or the stream of HTTP/2, is the handler's.
    Upgrade,
}

impl Exchange {
    /// The response has begun, and its end is not known.
    pub(super) fn has_no_known_end(&mut self) {
        self.connection.lock().streaming += usize::from(!std::mem::replace(&mut self.is_streaming, true));
    }

    /// The response is endless: it owes nothing any more, not even to be flushed.
    pub(super) fn is_endless(&mut self) {
        self.forgive(Kind::Stream);
    }

    /// The connection is the handler's.
    pub(super) fn is_upgrade(&mut self) {
        self.forgive(Kind::Upgrade);
    }

    fn forgive(&mut self, kind: Kind) {
        if self.kind != Kind::Request {
            return;
        }
        self.kind = kind;
        let mut ledger = self.connection.lock();
        ledger.debts -= 1;
        ledger.endless += 1;
        ledger.streams += usize::from(kind == Kind::Stream);
        ledger.is_upgraded |= kind == Kind::Upgrade && ledger.stage != Stage::Http2;
        ledger.balance();
    }

    /// What a part of the response owes: to be written out. Nothing if it is endless.
    pub(super) fn debt(&self) -> Option<Debt> {
        (self.kind == Kind::Request).then(|| {
            self.connection.lock().debts += 1;
            Debt(Arc::clone(&self.connection))
        })
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Whether the end of the response is known from its beginning.
    pub(super) fn has_known_end(&self) -> bool {
        !self.is_streaming
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut ledger = self.connection.lock();
        ledger.active -= 1;
        ledger.streaming -= usize::from(self.is_streaming);
        ledger.streams -= usize::from(self.kind == Kind::Stream);
        match self.kind {
            Kind::Request => ledger.hand_on(),
            Kind::Stream | Kind::Upgrade => ledger.endless -= 1,
        }
        ledger.balance();
    }
}

/// A part of a response, which has to be written out. When it is dropped it was handed on.
#[derive(Debug)]
pub(super) struct Debt(Arc<Connection>);

impl Drop for Debt {
    fn drop(&mut self) {
        let mut ledger = self.0.lock();
        ledger.hand_on();
        ledger.balance();
    }
}
