//! One connection from its accept to its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};
use tower_service::Service;
use tracing::debug;

use super::TARGET;
use super::exchange::{Exchanges, Notices};
use super::handshake::shake_hands;
use super::ledger::{Connection, Stage};
use super::limits::{FIRST_BYTE, Limits};
use super::listener::Listener;
use super::places::Place;
use super::request_body::RequestBody;
use super::socket::{Socket, Stream};
use super::streams::{Pace, Streams};
use crate::driver::{CatchPanic, Seat};
use crate::handles::stopping::Stopping;
use crate::model::failure::BoxError;

/// How long a connection lingers: its peer may take that long to read what was sent, and to close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How long a peer may take to answer a ping of HTTP/2.
const PONG: Duration = Duration::from_secs(20);

/// How long a peer without streams may take to acknowledge GOAWAY.
const GOODBYE: Duration = Duration::from_secs(5);

/// What the connections of one server share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) seat: Seat,
    pub(super) limits: Limits,
    pub(super) notices: Arc<Notices>,
}

impl Server {
    /// Serves a connection in a task of its own. At the cut-off it is closed, even if a handler holds it.
    pub(super) fn spawn<L, S, B>(
        self: &Arc<Self>,
        service: S,
        handshake: L::Handshake,
        peer: L::Addr,
        place: Place,
    ) where
        L: Listener,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Some(unit) = self.seat.enter() else { return };
        let (server, connection, socket) =
            (Arc::clone(self), Connection::new(unit), Socket::new(self.limits.write_timeout));
        let abort = self.seat.abort();
        self.seat.spawn(async move {
            let serve = async {
                let serve = server.serve::<L, S, B>(service, handshake, peer, &connection, &socket);
                let patience = CatchPanic::new(serve).await.unwrap_or_else(|panic| {
                    server.seat.warn_of_panic(panic);
                    LINGER
                });
                socket.linger(patience).await;
            };
            abort.run_until(serve).await;
            socket.close();
            drop(place);
        });
    }

    /// Serves a connection until nothing more is to be written, and returns how long it is to linger.
    async fn serve<L, S, B>(
        &self,
        service: S,
        handshake: L::Handshake,
        peer: L::Addr,
        connection: &Arc<Connection>,
        socket: &Arc<Socket<L::Io>>,
    ) -> Duration
    where
        L: Listener,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let stopping = stopping_is_heard(self.notices.stopping.clone());
        let io = match shake_hands(handshake, self.limits.header_read_timeout, stopping).await {
            Some(Ok(io)) => io,
            Some(Err(error)) => {
                debug!(target: TARGET, "the handshake of a connection failed: {error}");
                return Duration::ZERO;
            }
            None => {
                debug!(target: TARGET, "the handshake of a connection timed out");
                return Duration::ZERO;
            }
        };
        let stream = TokioIo::new(socket.open(io, connection));
        let exchanges = Exchanges {
            service,
            peer,
            connection: Arc::clone(connection),
            streams: Arc::default(),
            notices: Arc::clone(&self.notices),
        };
        let patience = self.talk(stream, exchanges, connection, socket).await;
        // An upgraded connection lives on in its handler, and still belongs to this resource.
        socket.is_gone().await;
        patience
    }

    /// Talks HTTP, keeps the limits, and brings the connection to its end when the turn has come. Returns how long it is
    /// to linger.
    async fn talk<Io, S, A, B>(
        &self,
        stream: TokioIo<Stream<Io>>,
        exchanges: Exchanges<S, A>,
        connection: &Arc<Connection>,
        socket: &Socket<Io>,
    ) -> Duration
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
        A: Clone + Send + Sync + 'static,
    {
        let streams = Arc::clone(&exchanges.streams);
        let mut builder = auto::Builder::new(StreamExecutor {
            seat: self.seat.clone(),
            connection: Arc::clone(connection),
            streams: Arc::clone(&streams),
        });
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.keep_alive_ping)
            .keep_alive_timeout(PONG);
        // A client that has shut down its write side after the request still reads the response. Only that of a response
        // without an end cannot be told from one that has left.
        builder.http1().half_close(true);
        let mut http = pin!(builder.serve_connection_with_upgrades(stream, exchanges));
        let mut stopping = pin!(stopping_is_heard(self.notices.stopping.clone()));
        let mut clock = Clock::new(self.limits);
        let mut timer = pin!(sleep(Duration::ZERO));
        let (mut is_stopping, mut is_told) = (false, false);
        // After how many requests it was at rest when its end was decided.
        let mut at_rest = None;
        let result = poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = http.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
                    is_stopping = true;
                    // First read what has arrived by now.
                    continue;
                }
                let (stage, requests) = connection.stage();
                let is_to_be_told = is_stopping && !is_told;
                let is_http2 = stage == Stage::Http2;
                let (pace, steps) = if is_http2 { streams.pace(cx) } else { (Pace::Idle, 0) };
                clock.see((stage, requests, pace, steps), is_to_be_told, is_told);
                // A client that is sending a head, or is about to, gets its answer first.
                let is_ready = || match stage {
                    Stage::Busy | Stage::Http2 => true,
                    Stage::Idle => clock.is_over(),
                    Stage::New | Stage::Head => false,
                };
                if is_to_be_told && is_ready() {
                    is_told = true;
                    at_rest = connection.is_at_rest().then_some(requests);
                    http.as_mut().graceful_shutdown();
                    continue;
                }
                if connection.is_streaming() {
                    match socket.poll_read_ahead(cx) {
                        Poll::Ready(true) => continue,
                        Poll::Ready(false) => return Poll::Ready(Err("its client has left".into())),
                        Poll::Pending => {}
                    }
                }
                let Some(due) = clock.due() else { return Poll::Pending };
                // Usually the stage has changed long before the timer fires. So the timer is reset only when it has
                // fired, or if it would fire too late.
                if due < timer.deadline() || timer.is_elapsed() {
                    timer.as_mut().reset(due);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if !clock.is_over() || (is_to_be_told && stage == Stage::Idle) {
                    // First read what has arrived by now.
                    continue;
                }
                if is_http2 && pace == Pace::Idle && !is_told {
                    // What crosses the GOAWAY is still served.
                    is_told = true;
                    http.as_mut().graceful_shutdown();
                    continue;
                }
                at_rest = matches!(stage, Stage::New | Stage::Idle).then_some(requests);
                return Poll::Ready(Err(timed_out(stage, pace).into()));
            }
        })
        .await;
        if let Err(error) = result {
            debug!(target: TARGET, "a connection ended early: {error}");
        }
        // The peer of a connection at rest sends nothing that would be answered with a reset.
        if at_rest == Some(connection.stage().1) { Duration::ZERO } else { LINGER }
    }
}

/// Waits for the turn, and then until the runtime has polled the system for what has arrived. A connection that looks
/// idle may already have a request in its buffer, which would be reset.
///
/// A timer achieves this: the runtime polls for I/O before it fires timers.
async fn stopping_is_heard(stopping: Stopping) {
    stopping.await;
    sleep(Duration::from_millis(1)).await;
}

fn timed_out(stage: Stage, pace: Pace) -> &'static str {
    match (stage, pace) {
        (Stage::New, _) => "it sent nothing",
        (Stage::Head, _) => "its head took too long",
        (Stage::Http2, Pace::HeldUp) => "its client takes nothing of what is sent",
        (Stage::Http2, Pace::Idle) => "its client did not acknowledge GOAWAY",
        (Stage::Busy | Stage::Idle | Stage::Http2, _) => "it was idle for too long",
    }
}

/// Since when a connection is at what it is at, and how long it may be.
#[derive(Debug)]
struct Clock {
    limits: Limits,
    /// What it is at, and what its streams are at, each with what tells that it was something else in between.
    seen: (Stage, u64, Pace, u64),
    since: Instant,
    /// The turn has come, and the connection is to be told.
    is_stopping: bool,
    is_told: bool,
}

impl Clock {
    fn new(limits: Limits) -> Self {
        let seen = (Stage::New, 0, Pace::Idle, 0);
        Self { limits, seen, since: Instant::now(), is_stopping: false, is_told: false }
    }

    fn see(&mut self, seen: (Stage, u64, Pace, u64), is_stopping: bool, is_told: bool) {
        if seen != self.seen || is_told != self.is_told {
            self.seen = seen;
            self.since = Instant::now();
        }
        (self.is_stopping, self.is_told) = (is_stopping, is_told);
    }

    fn due(&self) -> Option<Instant> {
        let (stage, _, pace, _) = self.seen;
        let limit = match (stage, pace) {
            (Stage::New, _) if self.is_stopping => Some(FIRST_BYTE),
            (Stage::Idle, _) if self.is_stopping => Some(self.limits.idle_grace),
            (Stage::New | Stage::Head, _) => self.limits.header_read_timeout,
            (Stage::Idle, _) => self.limits.keep_alive_timeout,
            (Stage::Http2, Pace::Idle) if self.is_told => Some(GOODBYE),
            (Stage::Http2, Pace::Idle) => self.limits.keep_alive_timeout,
            (Stage::Http2, Pace::HeldUp) => self.limits.write_timeout,
            (Stage::Busy, _) | (Stage::Http2, Pace::Works) => None,
        };
        self.since.checked_add(limit?)
    }

    fn is_over(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }
}

/// Runs the streams of an HTTP/2 connection: each is part of the connection, and is dropped with it at the cut-off.
#[derive(Clone, Debug)]
struct StreamExecutor {
    seat: Seat,
    connection: Arc<Connection>,
    streams: Arc<Streams>,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let Self { seat, connection, streams } = self.clone();
        let (abort, open) = (seat.abort(), streams.begin());
        self.seat.spawn(async move {
            if let Some(Err(panic)) = abort.run_until_owned(CatchPanic::new(stream)).await {
                seat.warn_of_panic(panic);
            }
            drop((connection, open));
        });
    }
}
