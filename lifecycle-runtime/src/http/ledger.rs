//! What is known of one connection, and what it owes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;

use super::framing::Framing;
use super::notices::Notices;
use super::retirement;
use super::streams::{Pace, Streams};
use crate::driver::counter::Standing;
use crate::driver::{KnownUnit, Panic, Unit, lock};
use crate::model::units::Units;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One connection, a unit in flight of its resource for as long as anything of it is left: its task, the tasks of its
/// HTTP/2 streams, its socket, and the bodies of its responses.
#[derive(Debug)]
pub(super) struct Connection {
    ledger: Mutex<Ledger>,
    pub(super) notices: Arc<Notices>,
    /// When it is old, and its client is asked to leave.
    pub(super) old: Option<Instant>,
    /// One of the debts is that something complete was not flushed yet. It changes under the lock.
    owes_flush: AtomicBool,
    /// Its task is about to look: nobody need wake it. Just a hint, hence `Relaxed`: the lock decides who comes first.
    will_look: AtomicBool,
}

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
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) stage: Stage,
    /// How many requests it has had: one may come and go between two looks.
    pub(super) requests: u64,
    /// It is sending a response of HTTP/1 that has no known end.
    pub(super) is_streaming: bool,
    /// What its streams of HTTP/2 are at, and after how many steps.
    pub(super) pace: (Pace, u64),
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

#[derive(Debug)]
pub(super) struct Ledger {
    unit: KnownUnit,
    standing: Standing,
    pub(super) stage: Stage,
    /// How much of the preface of HTTP/2 was read; `None` once it is known not to be one.
    preface: Option<usize>,
    /// Whether the head of another request of HTTP/1 has begun.
    framing: Framing,
    /// Requests so far.
    requests: u64,
    /// Requests whose response is not complete, endless ones included.
    pub(super) active: usize,
    /// How many of these owe nothing any more: endless responses, and what has been upgraded.
    pub(super) endless: usize,
    /// How many of these are endless responses.
    pub(super) streams: usize,
    /// A connection of HTTP/1 was upgraded, and its socket is still there.
    pub(super) is_upgraded: bool,
    /// The handlers of upgraded connections that have not ended. There may be many on one connection of HTTP/2.
    handlers: usize,
    /// What keeps the connection from being excused: a request without a response, or with a response that has not
    /// been written out. An endless response owes nothing.
    pub(super) debts: usize,
    /// Responses that have begun and whose end is not known.
    pub(super) streaming: usize,
    pub(super) http2: Streams,
}

impl Connection {
    pub(super) fn new(unit: Unit, notices: &Arc<Notices>, max_age: Option<Duration>) -> Arc<Self> {
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
            http2: Streams::default(),
        };
        ledger.balance();
        Arc::new(Self {
            ledger: Mutex::new(ledger),
            notices: Arc::clone(notices),
            old: max_age.and_then(retirement::end_of),
            owes_flush: AtomicBool::new(false),
            will_look: AtomicBool::new(false),
        })
    }

    /// Its task goes on, and will look then: it need not be woken before.
    pub(super) fn will_look(&self) {
        self.will_look.store(true, Ordering::Relaxed);
    }

    /// The task that looks is woken when a limit of streams of HTTP/2 begins.
    pub(super) fn look(&self, cx: &Context<'_>) -> Look {
        let mut ledger = self.lock();
        let mut pace = (Pace::Idle, 0);
        if ledger.stage == Stage::Http2 {
            self.will_look.store(false, Ordering::Relaxed);
            pace = ledger.http2.ask(cx);
        }
        let Ledger { stage, requests, streaming, .. } = *ledger;
        Look { stage, requests, is_streaming: stage == Stage::Busy && streaming > 0, pace }
    }

    /// Its client is asked to leave with the next response of HTTP/1.
    pub(super) fn is_to_leave(&self) -> bool {
        self.notices.leaving.is_raised() || self.old.is_some_and(|old| old <= Instant::now())
    }

    /// How many requests it has had.
    pub(super) fn requests(&self) -> u64 {
        self.lock().requests
    }

    /// What it speaks, by its first bytes; `None` as long as these may still become the preface of HTTP/2.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        self.lock().protocol()
    }

    /// Whether nothing is being answered, and everything was written out.
    pub(super) fn is_at_rest(&self) -> bool {
        let ledger = self.lock();
        ledger.active == 0 && ledger.debts == 0
    }

    /// These bytes came from the peer. Returns what it speaks, if that is known by now. With HTTP/2, it need not know of
    /// more bytes.
    pub(super) fn has_read(&self, bytes: &[u8]) -> Option<Protocol> {
        let mut ledger = self.lock();
        if ledger.stage == Stage::Http2 {
            return Some(Protocol::Http2);
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
        ledger.protocol()
    }

    /// Everything that was to be written was written. hyper flushes far more often than anything is owed: what is handed
    /// on is handed on by the task that flushes it, or before that task is woken, so it is seen here without the lock.
    #[inline]
    pub(super) fn has_flushed(&self) {
        if self.owes_flush.load(Ordering::Relaxed) {
            self.settle();
        }
    }

    fn settle(&self) {
        let mut ledger = self.lock();
        if self.owes_flush.load(Ordering::Relaxed) {
            self.owes_flush.store(false, Ordering::Relaxed);
            ledger.debts -= 1;
            // With other debts, it is what it was.
            if ledger.debts == 0 {
                ledger.balance();
            }
        }
    }

    /// A request begins, whose head announces a body of this length. Returns whether it is one of HTTP/2.
    pub(super) fn begin(&self, body: Option<u64>) -> bool {
        let mut ledger = self.lock();
        ledger.framing.begin(body);
        ledger.requests += 1;
        ledger.active += 1;
        ledger.debts += 1;
        let is_http2 = ledger.stage == Stage::Http2;
        if !is_http2 {
            ledger.stage = Stage::Busy;
        }
        ledger.balance();
        is_http2
    }

    /// The task of a stream of HTTP/2 begins.
    pub(super) fn stream_begins(&self) {
        self.step(|ledger| ledger.http2.open += 1);
    }

    pub(super) fn stream_has_ended(&self) {
        self.step(|ledger| ledger.http2.open -= 1);
    }

    /// Something happens to a stream of HTTP/2.
    pub(super) fn step(&self, change: impl FnOnce(&mut Ledger)) {
        let waker = {
            let mut ledger = self.lock();
            let before = ledger.http2.pace();
            change(&mut ledger);
            ledger.http2.step(before)
        };
        if let Some(waker) = waker.filter(|_| !self.will_look.load(Ordering::Relaxed)) {
            waker.wake();
        }
    }

    pub(super) fn warn_of_panic(&self, panic: Panic) {
        let seat = self.lock().unit.seat();
        if let Some(seat) = seat {
            seat.warn_of_panic(panic);
        }
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

    /// Something was handed on, and has to be flushed. One flush is enough for all. It was a debt, and one is left.
    pub(super) fn hand_on(&self, ledger: &mut Ledger) {
        if self.owes_flush.load(Ordering::Relaxed) {
            ledger.debts -= 1;
        }
        self.owes_flush.store(true, Ordering::Relaxed);
    }

    /// Nobody panics while holding the lock, and what is behind it is whole between any two statements.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

impl Ledger {
    pub(super) fn balance(&mut self) {
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

    fn protocol(&self) -> Option<Protocol> {
        match self.preface {
            None => Some(Protocol::Http1),
            Some(read) => (read == PREFACE.len()).then_some(Protocol::Http2),
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
}
