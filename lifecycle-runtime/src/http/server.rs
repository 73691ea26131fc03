//! A server: its options, and the loop that accepts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;
use tracing::debug;

use super::TARGET;
use super::connection::Server;
use super::exchange::Notices;
use super::limits::{Limits, default_max_connections, longest_queue};
use super::listener::{Listener, is_of_one_connection};
use super::places::Places;
use super::request_body::RequestBody;
use super::socket_file::SocketFile;
use crate::driver::Seat;
use crate::engine::event::Event;
use crate::engine::notice::Notice;
use crate::handles::stopping::Stopping;
use crate::model::failure::{BoxError, Result};

/// After an error that concerns the whole listener, the server waits this long before it tries again; twice as long
/// each time, up to the second.
const BACK_OFF: Duration = Duration::from_millis(50);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);

/// An HTTP server whose options can be set. Created by [`Acquire::http`](crate::Acquire::http).
///
/// If the defaults are fine, use [`Acquire::serve_http`](crate::Acquire::serve_http).
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::get};
/// use lifecycle::{Acquire, Resource, Result, resource};
/// use tokio::net::TcpListener;
///
/// #[resource]
/// struct Http;
///
/// impl Resource for Http {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         let listener = TcpListener::bind("127.0.0.1:0").await?;
///         let routes = Router::new().route("/", get("OK"));
///         cx.http()
///             .header_read_timeout(Duration::from_secs(5))
///             .max_connections(10_000)
///             .serve(listener, routes);
///         Ok(Http)
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "a server does nothing until `serve`"]
pub struct HttpServer {
    seat: Seat,
    limits: Limits,
    max_connections: Option<usize>,
}

impl HttpServer {
    pub(super) fn new(seat: &Seat) -> Self {
        Self { seat: seat.clone(), limits: Limits::default(), max_connections: None }
    }

    /// Limits how long a client may take to send the head of a request, counted from the accept or from the first byte
    /// of the head, and to complete a TLS handshake, counted from the accept. A connection that takes longer is closed.
    /// The default is 10 s; `None` means no limit.
    pub fn header_read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.header_read_timeout = timeout.into();
        self
    }

    /// Limits how long a client may pause in the middle of a request body while the handler waits for it. After that,
    /// the handler reads an error: see [`RequestBody`](super::RequestBody). The default is 30 s; `None` means no limit.
    pub fn idle_body_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.idle_body_timeout = timeout.into();
        self
    }

    /// Limits how long a connection may wait for its next request: an HTTP/1 connection, or an HTTP/2 connection without
    /// streams, which gets GOAWAY then. The default is 75 s; `None` means no limit.
    ///
    /// Make it longer than a load balancer keeps idle connections (60 s is common, Google's keep them for 600 s).
    /// Otherwise the load balancer sends requests on connections that are just being closed.
    pub fn keep_alive_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.keep_alive_timeout = timeout.into();
        self
    }

    /// Limits how long a client may take nothing of what is sent to it, a response or the messages of a WebSocket. Each
    /// byte that it takes starts the time again, so a client that reads slowly stays. One that takes nothing for longer
    /// is treated like one that has left: its connection is closed, and what it has not read is lost. The default is
    /// 30 s; `None` means no limit.
    ///
    /// With HTTP/2, a connection is closed if none of its streams gets on, because the client does not open their
    /// windows. While a handler still works for another stream, such a stream may wait. What the handler of a tunnel
    /// (CONNECT) sends is limited only by the whole connection.
    ///
    /// A byte is taken when the system takes it from the server. Its buffers take more in steps, of a third of their size
    /// with TCP on Linux. And TCP on Linux gives up a client that has taken nothing for 2 min, even if this is `None`:
    /// see [`lifecycle::http`](crate::http#clients-that-vanish).
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.write_timeout = timeout.into();
        self
    }

    /// Sets for how long after its last response an HTTP/1 connection is kept at the turn. The next request of a busy
    /// client may already be on its way; it is answered, with `Connection: close`. A connection that has been idle for
    /// longer is closed at once. The default is 250 ms; zero means that every idle connection is closed at once.
    ///
    /// Make it longer than a client that is far away, or that pauses between requests, needs for its next request. The
    /// stop takes at most that much longer.
    pub fn idle_grace(mut self, grace: Duration) -> Self {
        self.limits.idle_grace = grace;
        self
    }

    /// Sets how often an HTTP/2 connection is pinged. A client that does not answer within 20 s is considered gone. The
    /// default is every 20 s; `None` means never.
    pub fn keep_alive_ping(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.limits.keep_alive_ping = interval.into();
        self
    }

    /// Limits the number of concurrent connections; further ones wait in the kernel's queue until one ends.
    ///
    /// The default leaves a tenth of the process's file descriptors (`RLIMIT_NOFILE`), and at least 64, for other
    /// things. At the turn, the connections in the queue are served beyond the limit.
    ///
    /// When the limit is reached, the log has a warning, one until a tenth of the places have been free again. The status
    /// of the probe has both numbers.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// Serves `service` on the connections of `listener`: see [`Acquire::serve_http`](crate::Acquire::serve_http).
    pub fn serve<L, S, B>(self, listener: L, service: S)
    where
        L: Listener,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { seat, limits, max_connections } = self;
        seat.send(Event::Serves);
        let places = Places::new(&seat, max_connections.unwrap_or_else(default_max_connections));
        let stopping = Stopping::of_turn(&seat);
        let notices = Notices {
            stopping: stopping.clone(),
            draining: Stopping::of_stop(&seat),
            idle_body_timeout: limits.idle_body_timeout,
        };
        let server = Server { seat: seat.clone(), limits, notices: Arc::new(notices) };
        let bound = Bound { file: listener.file().and_then(SocketFile::at), listener };
        let accept = accept(bound, service, Arc::new(server), places, stopping);
        seat.spawn_server("server".into(), accept);
    }
}

/// A listener and its file. The order of the fields is the order in which they are dropped.
struct Bound<L> {
    file: Option<SocketFile>,
    listener: L,
}

/// Accepts connections until the turn, then until the queue is empty, and closes the listener. It ends before its turn
/// only if the listener is unusable, which is a failure (rule R1).
async fn accept<L, S, B>(
    mut bound: Bound<L>,
    service: S,
    server: Arc<Server>,
    mut places: Places,
    stopping: Stopping,
) -> Result
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut back_off = BACK_OFF;
    while let Some(place) = stopping.run_until(places.free()).await {
        match stopping.run_until(bound.listener.accept()).await {
            None => break,
            Some(Ok((handshake, peer))) => {
                back_off = BACK_OFF;
                server.spawn::<L, S, B>(service.clone(), handshake, peer, places.take(place));
            }
            Some(Err(error)) if is_of_one_connection(&error) => {
                debug!(target: TARGET, "a connection was lost: {error}");
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => return Err(error.into()),
            Some(Err(error)) => {
                server.warn_of_pause(&error, back_off);
                stopping.run_until(tokio::time::sleep(back_off)).await;
                back_off = (back_off * 2).min(LONGEST_BACK_OFF);
            }
        }
    }
    let Bound { file, listener } = bound;
    drop(file);
    empty::<L, S, B>(listener, service, &server, &places).await;
    Ok(())
}

/// Accepts what waits in the queue, beyond the maximum, and closes the listener. If descriptors run out, it waits for
/// those of connections that end, up to the cut-off.
///
/// A queue is served in order, so what it held when the turn came is accepted once as many were as it can hold. What
/// comes in the meantime and fits in is accepted too; but a flood of connections cannot hold up the stop.
async fn empty<L, S, B>(listener: L, service: S, server: &Arc<Server>, places: &Places)
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (mut left, mut is_told) = (longest_queue(), false);
    let mut queue = listener.close();
    while left > 0 {
        match queue.next() {
            None => return,
            Some(Ok((handshake, peer))) => {
                left -= 1;
                server.spawn::<L, S, B>(service.clone(), handshake, peer, places.beyond());
            }
            Some(Err(error)) if is_of_one_connection(&error) => {
                left -= 1;
                debug!(target: TARGET, "a connection was lost: {error}");
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => return,
            Some(Err(error)) => {
                if !std::mem::replace(&mut is_told, true) {
                    server.warn_of_pause(&error, BACK_OFF);
                }
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

impl Server {
    fn warn_of_pause(&self, error: &io::Error, retry: Duration) {
        let (name, why) = (self.seat.name(), error.to_string());
        self.seat.driver.say(Notice::CannotAccept { name, why, retry });
    }
}
