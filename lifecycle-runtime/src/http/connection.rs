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
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service;
use tracing::debug;

use super::TARGET;
use super::exchange::{Exchanges, Notices};
use super::ledger::{Connection, Stage};
use super::limits::Limits;
use super::listener::Listener;
use super::request_body::RequestBody;
use super::socket::Socket;
use crate::driver::{CatchPanic, Seat};
use crate::handles::stopping::Stopping;
use crate::model::failure::BoxError;

/// A connection that was accepted just before the turn has this long for its first byte: its client has sent, or is
/// about to send, a request that is to be served. One that has been silent for longer is idle.
const FIRST_BYTE: Duration = Duration::from_secs(1);

/// How long a peer may take to answer a ping of HTTP/2.
const PONG: Duration = Duration::from_secs(20);

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
        permit: Option<OwnedSemaphorePermit>,
    ) where
        L: Listener,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Some(unit) = self.seat.enter() else { return };
        let (server, connection, socket) = (Arc::clone(self), Connection::new(unit), Socket::new());
        let abort = self.seat.abort();
        self.seat.spawn(async move {
            let serve = server.serve::<L, S, B>(service, handshake, peer, &connection, &socket);
            if let Some(Err(panic)) = abort.run_until(CatchPanic::new(serve)).await {
                server.seat.warn_of_panic(panic);
            }
            socket.close();
            drop(permit);
        });
    }

    async fn serve<L, S, B>(
        &self,
        service: S,
        handshake: L::Handshake,
        peer: L::Addr,
        connection: &Arc<Connection>,
        socket: &Arc<Socket<L::Io>>,
    ) where
        L: Listener,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let limit = self.limits.header_read_timeout.unwrap_or(Duration::MAX);
        let io = match timeout(limit, handshake).await {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => return debug!(target: TARGET, "the handshake of a connection failed: {error}"),
            Err(_) => return debug!(target: TARGET, "the handshake of a connection timed out"),
        };
        let stream = TokioIo::new(socket.open(io, connection));
        let exchanges = Exchanges {
            service,
            peer,
            connection: Arc::clone(connection),
            notices: Arc::clone(&self.notices),
        };
        if let Err(error) = self.talk(stream, exchanges, connection).await {
            debug!(target: TARGET, "a connection ended early: {error}");
        }
        // An upgraded connection lives on in its handler, and still belongs to this resource.
        socket.is_gone().await;
    }

    /// Talks HTTP, keeps the limits, and brings the connection to its end when the turn has come.
    async fn talk<Io, S, A, B>(
        &self,
        stream: TokioIo<Io>,
        exchanges: Exchanges<S, A>,
        connection: &Arc<Connection>,
    ) -> Result<(), BoxError>
    where
        TokioIo<Io>: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
        A: Clone + Send + Sync + 'static,
    {
        let streams = StreamExecutor { seat: self.seat.clone(), connection: Arc::clone(connection) };
        let mut builder = auto::Builder::new(streams);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.keep_alive_ping)
            .keep_alive_timeout(PONG);
        let mut http = pin!(builder.serve_connection_with_upgrades(stream, exchanges));
        let mut stopping = pin!(stopping_is_heard(self.notices.stopping.clone()));
        let mut clock = Clock::new(self.limits);
        let mut timer = pin!(sleep(Duration::ZERO));
        let (mut is_stopping, mut is_told) = (false, false);
        poll_fn(|cx| {
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
                clock.see(stage, requests, is_stopping);
                // A client that is sending a head, or is about to, gets its answer first.
                let is_ready = matches!(stage, Stage::Busy | Stage::Idle | Stage::Http2);
                if is_stopping && is_ready && !is_told {
                    is_told = true;
                    http.as_mut().graceful_shutdown();
                    continue;
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
                if due <= Instant::now() {
                    return Poll::Ready(Err(stage.timed_out().into()));
                }
            }
        })
        .await
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

impl Stage {
    fn timed_out(self) -> &'static str {
        match self {
            Self::New => "it sent nothing",
            Self::Head => "its head took too long",
            Self::Busy | Self::Idle | Self::Http2 => "it was idle for too long",
        }
    }
}

/// Since when a connection is at what it is at, and how long it may be.
#[derive(Debug)]
struct Clock {
    limits: Limits,
    stage: Stage,
    requests: u64,
    since: Instant,
    is_stopping: bool,
}

impl Clock {
    fn new(limits: Limits) -> Self {
        Self { limits, stage: Stage::New, requests: 0, since: Instant::now(), is_stopping: false }
    }

    fn see(&mut self, stage: Stage, requests: u64, is_stopping: bool) {
        if (stage, requests) != (self.stage, self.requests) {
            (self.stage, self.requests) = (stage, requests);
            self.since = Instant::now();
        }
        self.is_stopping = is_stopping;
    }

    fn due(&self) -> Option<Instant> {
        let limit = match self.stage {
            Stage::New if self.is_stopping => Some(FIRST_BYTE),
            Stage::New | Stage::Head => self.limits.header_read_timeout,
            Stage::Idle => self.limits.keep_alive_timeout,
            Stage::Busy | Stage::Http2 => None,
        };
        self.since.checked_add(limit?)
    }
}

/// Runs the streams of an HTTP/2 connection: each is part of the connection, and is dropped with it at the cut-off.
#[derive(Clone, Debug)]
struct StreamExecutor {
    seat: Seat,
    connection: Arc<Connection>,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let Self { seat, connection } = self.clone();
        let abort = seat.abort();
        self.seat.spawn(async move {
            if let Some(Err(panic)) = abort.run_until_owned(CatchPanic::new(stream)).await {
                seat.warn_of_panic(panic);
            }
            drop(connection);
        });
    }
}
