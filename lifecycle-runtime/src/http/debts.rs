//! The debts of a connection: its requests, until their responses are complete, and the pieces of these.

use std::sync::Arc;

use super::ledger::{Connection, Ledger, Stage};
use super::streams::WaitsFor;

/// A request, until its response is complete. While it is neither endless nor upgraded, it is a debt.
pub(super) struct Exchange {
    connection: Arc<Connection>,
    kind: Kind,
    is_streaming: bool,
    /// Of HTTP/2.
    stream: Option<WaitsFor>,
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
    /// A request begins, whose head announces a body of this length.
    pub(super) fn begin(connection: &Arc<Connection>, body: Option<u64>) -> Self {
        let stream = connection.begin(body).then_some(WaitsFor::Handler);
        Self { connection: Arc::clone(connection), kind: Kind::Request, is_streaming: false, stream }
    }

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

    /// The response, one of HTTP/2, waits for its handler.
    pub(super) fn waits_for_handler(&mut self) {
        if self.stream != Some(WaitsFor::Handler) {
            self.waits(WaitsFor::Handler);
        }
    }

    /// The same until the client takes more of it.
    pub(super) fn waits_for_client(&mut self) {
        self.waits(WaitsFor::Client);
    }

    fn waits(&mut self, waits: WaitsFor) {
        if let Some(stream) = &mut self.stream {
            let before = std::mem::replace(stream, waits);
            self.connection.step(|ledger| ledger.http2.change(before, waits));
        }
    }

    /// A piece of the response is handed on. The last one takes along what is left of the exchange, if it is known to be
    /// the last from the beginning.
    ///
    /// With HTTP/1, hyper flushes after everything before was written, so that nothing else has to be known of a piece.
    /// With HTTP/2, it may have to wait for its client while others are flushed: it was written when hyper drops it.
    pub(super) fn hand_on(exchange: &mut Option<Self>, is_last: bool) -> Option<Piece> {
        let rest = exchange.take_if(|exchange| is_last && !exchange.is_streaming);
        match (rest, exchange) {
            (Some(Self { stream: None, .. }), _) | (None, None | Some(Self { stream: None, .. })) => None,
            (Some(mut rest), _) => {
                rest.waits(WaitsFor::ItsEnd);
                Some(Piece::Rest(rest))
            }
            (None, Some(exchange)) => Some(Piece::Part(exchange.part())),
        }
    }

    fn part(&mut self) -> Part {
        // An endless response owes nothing.
        let is_debt = self.kind == Kind::Request;
        let before = self.stream.replace(WaitsFor::Client).unwrap_or(WaitsFor::Client);
        self.connection.step(|ledger| {
            ledger.http2.change(before, WaitsFor::Client);
            ledger.http2.pieces += 1;
            ledger.debts += usize::from(is_debt);
        });
        Part { connection: Arc::clone(&self.connection), is_debt }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Self { ref connection, kind, is_streaming, stream } = *self;
        match stream {
            None => end(connection, &mut connection.lock(), kind, is_streaming),
            Some(waits) => connection.step(|ledger| {
                ledger.http2.change(waits, WaitsFor::Handler);
                end(connection, ledger, kind, is_streaming);
            }),
        }
    }
}

/// A request has ended.
fn end(connection: &Connection, ledger: &mut Ledger, kind: Kind, is_streaming: bool) {
    ledger.active -= 1;
    ledger.streaming -= usize::from(is_streaming);
    ledger.streams -= usize::from(kind == Kind::Stream);
    match kind {
        Kind::Request => connection.hand_on(ledger),
        Kind::Stream | Kind::Upgrade => ledger.endless -= 1,
    }
    // The last request counts as one until it is flushed, so that nothing changes yet.
    if kind != Kind::Request || ledger.active > ledger.endless {
        ledger.balance();
    }
}

/// A piece of a response of HTTP/2, until it was written.
pub(super) enum Piece {
    Part(Part),
    /// The last piece: the request is under way until then.
    Rest(Exchange),
}

impl Piece {
    /// The client has taken some of it.
    pub(super) fn advance(&self) {
        let (Self::Part(Part { connection, .. }) | Self::Rest(Exchange { connection, .. })) = self;
        connection.step(|_| ());
    }
}

pub(super) struct Part {
    connection: Arc<Connection>,
    /// It is owed that it is flushed.
    is_debt: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        let Self { ref connection, is_debt } = *self;
        connection.step(|ledger| {
            ledger.http2.pieces -= 1;
            if is_debt {
                connection.hand_on(ledger);
            }
        });
    }
}
