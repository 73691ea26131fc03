//! One connection from its accept to its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tower_service::Service;
use tracing::debug;

use super::TARGET;
use super::exchange::Exchanges;
use super::handshake::shake_hands;
use super::ledger::{Connection, Look, Stage};
use super::limits::{FIRST_BYTE, IDLE_GRACE, Limits};
use super::listener::Listener;
use super::make::Make;
use super::notices::Notices;
use super::places::Place;
use super::protocols::{Conversation, Opening, Protocols, StreamExecutor};
use super::request_body::RequestBody;
use super::retirement;
use super::socket::{Socket, Stream};
use super::streams::Pace;
use crate::driver::{CatchPanic, Seat, Token};
use crate::model::failure::BoxError;

/// How long a connection lingers: its peer may take that long to read what was sent, and to close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How long a peer without streams may take to acknowledge GOAWAY.
const GOODBYE: Duration = Duration::from_secs(5);

/// What the connections of one server share.
pub(super) struct Server {
    pub(super) seat: Seat,
    pub(super) limits: Limits,
    pub(super) protocols: Protocols,
    pub(super) notices: Arc<Notices>,
    /// The turn has come, and what had arrived before is known.
    pub(super) heard: Token,
}

impl Server {
    /// Serves a connection in a task of its own. At the cut-off it is closed, even if a handler holds it.
    pub(super) fn spawn<L, M>(self: &Arc<Self>, make: M, handshake: L::Handshake, peer: L::Addr, place: Place)
    where
        L: Listener,
        M: Make<L>,
    {
        let Some(unit) = self.seat.enter() else { return };
        let (server, connection, socket) = (
            Arc::clone(self),
            Connection::new(unit, &self.notices, self.limits.max_connection_age),
            Socket::new(self.limits.write_timeout),
        );
        let abort = self.seat.abort();
        self.seat.spawn_unboxed(async move {
            let serve = async {
                let serve = server.serve::<L, M>(make, handshake, peer, &connection, &socket);
                let patience = CatchPanic::new(serve).await.unwrap_or_else(|panic| {
                    server.seat.warn_of_panic(panic);
                    LINGER
                });
                socket.linger(patience).await;
            };
            abort.run_until_in_task(serve).await;
            socket.close();
            drop(place);
        });
    }

    /// Serves a connection until nothing more is to be written, and returns how long it is to linger.
    async fn serve<L, M>(
        &self,
        make: M,
        handshake: L::Handshake,
        peer: L::Addr,
        connection: &Arc<Connection>,
        socket: &Arc<Socket<L::Io>>,
    ) -> Duration
    where
        L: Listener,
        M: Make<L>,
    {
        let prepare = async {
            let io = handshake.await.map_err(|error| format!("the handshake failed: {error}"))?;
            let service = make.make(&io, &peer);
            let service = service.await.map_err(|error| format!("no service was made: {error}"))?;
            Ok::<_, String>((io, service))
        };
        let heard = self.heard.raised();
        let (io, service) = match shake_hands(prepare, self.limits.header_read_timeout, heard).await {
            Some(Ok(prepared)) => prepared,
            Some(Err(error)) => return not_served(&error),
            None => return not_served("the handshake, or what makes its service, timed out"),
        };
        let stream = socket.open(io, connection);
        let exchanges = Exchanges { service, peer, connection: Arc::clone(connection) };
        let patience = self.talk(stream, exchanges, connection, socket).await;
        // An upgraded connection lives on in its handler, and still belongs to this resource.
        socket.is_gone().await;
        connection.socket_is_gone();
        patience
    }

    /// Talks HTTP, keeps the limits, and brings the connection to its end when the turn has come. Returns how long it is
    /// to linger.
    async fn talk<Io, S, A, B>(
        &self,
        stream: Stream<Io>,
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
        let executor = StreamExecutor { seat: self.seat.clone(), connection: Arc::clone(connection) };
        let leaving = self.seat.leaving();
        let is_young = connection.old.is_none();
        let mut retirement = pin!(retirement::is_due(&self.seat, connection.old));
        let (protocols, ping) = (&self.protocols, self.limits.keep_alive_ping);
        let mut http =
            pin!(Conversation::new(Opening { protocols, ping, streams: executor, stream, exchanges }));
        let mut heard = pin!(self.heard.raised());
        let mut clock = Clock::new(self.limits);
        let mut timer = pin!(sleep_until(clock.due().unwrap_or(clock.since)));
        // Its task has one waker, so each of what it waits for is asked once, and again when it may have come.
        let (mut is_waiting, mut is_waiting_to_retire, mut is_timed) = (false, false, false);
        let (mut is_stopping, mut is_told) = (false, false);
        let mut is_http2 = false;
        // After how many requests it was at rest when its end was decided.
        let mut at_rest = None;
        let result = poll_fn(|cx| {
            loop {
                if is_http2 {
                    connection.will_look();
                }
                if let Poll::Ready(result) = http.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                let may_have_heard = !is_stopping && (self.heard.is_raised() || !is_waiting);
                is_waiting = true;
                if may_have_heard && heard.as_mut().poll(cx).is_ready() {
                    is_stopping = true;
                    clock.idle_grace = self.idle_grace();
                    // First read what has arrived by now.
                    continue;
                }
                let Look { stage, requests, is_streaming, pace: (pace, steps) } = connection.look(cx);
                is_http2 = stage == Stage::Http2;
                let mut is_retired = || {
                    let may_be = !(is_waiting_to_retire && is_young) || leaving.is_raised();
                    is_waiting_to_retire = true;
                    may_be && retirement.as_mut().poll(cx).is_ready()
                };
                let is_to_be_told = !is_told && (is_stopping || (is_http2 && is_retired()));
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
                if is_streaming {
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
                    is_timed = false;
                }
                if is_timed || timer.as_mut().poll(cx).is_pending() {
                    is_timed = true;
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
        if at_rest == Some(connection.requests()) { Duration::ZERO } else { LINGER }
    }

    /// A person who pressed Ctrl-C does not want to wait for clients that may come back.
    fn idle_grace(&self) -> Duration {
        let default =
            || if self.seat.driver.was_interrupted_at_terminal() { Duration::ZERO } else { IDLE_GRACE };
        self.limits.idle_grace.unwrap_or_else(default)
    }
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
struct Clock {
    limits: Limits,
    /// What it is at, and what its streams are at, each with what tells that it was something else in between.
    seen: (Stage, u64, Pace, u64),
    ///
    /// It is not looked at while there is no limit: to read the clock takes longer than everything else here.
    since: Instant,
    /// The turn has come, and the connection is to be told.
    is_stopping: bool,
    /// How long it may be idle then.
    idle_grace: Duration,
    is_told: bool,
}

impl Clock {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            seen: (Stage::New, 0, Pace::Idle, 0),
            since: Instant::now(),
            is_stopping: false,
            idle_grace: Duration::ZERO,
            is_told: false,
        }
    }

    fn see(&mut self, seen: (Stage, u64, Pace, u64), is_stopping: bool, is_told: bool) {
        if seen != self.seen || is_told != self.is_told {
            self.seen = seen;
            if self.has_limit() {
                self.since = Instant::now();
            }
        }
        (self.is_stopping, self.is_told) = (is_stopping, is_told);
    }

    /// Whether what it is at may have a limit, now or when the turn comes.
    fn has_limit(&self) -> bool {
        let (stage, _, pace, _) = self.seen;
        !matches!((stage, pace), (Stage::Busy, _) | (Stage::Http2, Pace::Works))
    }

    fn due(&self) -> Option<Instant> {
        let (stage, _, pace, _) = self.seen;
        let limit = match (stage, pace) {
            (Stage::New, _) if self.is_stopping => Some(FIRST_BYTE),
            (Stage::Idle, _) if self.is_stopping => Some(self.idle_grace),
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

/// Says why nothing of HTTP was served. Nothing was written, so that there is nothing to linger for.
fn not_served(why: &str) -> Duration {
    debug!(target: TARGET, "a connection was not served: {why}");
    Duration::ZERO
}
