//! A server: its options, and the loop that accepts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use tower_service::Service;
use tracing::debug;

use super::TARGET;
use super::connection::Server;
use super::heard::all_that_has_arrived;
use super::ledger::Protocol;
use super::limits::{Limits, default_max_connections, longest_queue};
use super::listener::{Listener, is_of_one_connection};
use super::make::{Make, Same};
use super::notices::{Notices, extensions};
use super::places::Places;
use super::protocols::{Protocols, StreamExecutor};
use super::request_body::RequestBody;
use super::socket_file::SocketFile;
use crate::driver::{Seat, Token};
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
    protocols: Protocols,
    max_connections: Option<usize>,
    finishes_handlers: bool,
}

impl HttpServer {
    pub(super) fn new(seat: &Seat) -> Self {
        Self {
            seat: seat.clone(),
            limits: Limits::default(),
            protocols: Protocols::new(),
            max_connections: None,
            finishes_handlers: false,
        }
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
    /// longer is closed at once. The default is 250 ms, and zero after a Ctrl-C at a terminal; zero means that every idle
    /// connection is closed at once.
    ///
    /// Make it longer than a client that is far away, or that pauses between requests, needs for its next request. The
    /// stop takes at most that much longer.
    pub fn idle_grace(mut self, grace: Duration) -> Self {
        self.limits.idle_grace = Some(grace);
        self
    }

    /// Limits how old a connection gets, for load balancers that spread connections rather than requests: clients that
    /// never leave would not come to a new instance. The default is `None`, no limit.
    ///
    /// Once it is as old as that, counted from its accept, HTTP/2 gets GOAWAY, and the next response of HTTP/1 carries
    /// `Connection: close`. Requests under way are answered, however long they take, and no request is lost: an idle
    /// connection of HTTP/1 is not closed, but at the end of its [`keep_alive_timeout`](Self::keep_alive_timeout). A
    /// connection that was upgraded, such as a WebSocket, goes on.
    ///
    /// The age of each connection differs from `age` by up to a tenth, in either direction, so that clients that came
    /// together do not leave together. Choose minutes rather than seconds: every client has to connect anew that often.
    pub fn max_connection_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.limits.max_connection_age = age.into();
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

    /// Speaks HTTP/1 only. A client that begins with the preface of HTTP/2 is disconnected.
    ///
    /// The default is both protocols: the first bytes of a connection tell. Of [`http1_only`](Self::http1_only) and
    /// [`http2_only`](Self::http2_only), the last one called holds.
    pub fn http1_only(mut self) -> Self {
        self.protocols.only = Some(Protocol::Http1);
        self
    }

    /// Speaks HTTP/2 only. A client that begins with anything but the preface of HTTP/2 is disconnected.
    ///
    /// The server's settings are then sent at once, before the client has sent anything.
    pub fn http2_only(mut self) -> Self {
        self.protocols.only = Some(Protocol::Http2);
        self
    }

    /// Sets anything that hyper offers for HTTP/1: see [`http1::Builder`].
    ///
    /// `configure` is called at once. It has the last word, also on what this server sets itself:
    ///
    /// * `half_close` is on. If you turn it off, a client that shuts down its write side counts as gone: its handler is
    ///   dropped, and it gets no response.
    /// * `header_read_timeout` is off, because [`header_read_timeout`](Self::header_read_timeout) and
    ///   [`keep_alive_timeout`](Self::keep_alive_timeout) are used instead. hyper's limits both at once: it begins with
    ///   the end of the last response. If you set it, whichever is over first closes the connection.
    /// * `timer` is tokio's.
    ///
    /// Everything else is as hyper has it. It can be called more than once. With `pipeline_flush`, which hyper calls
    /// experimental, a response waits for as long as the head of the next request is incomplete: a client that stops in
    /// the middle of one does not get it.
    ///
    /// ```
    /// # use axum::Router;
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # use tokio::net::TcpListener;
    /// # #[resource]
    /// # struct Http;
    /// # impl Resource for Http {
    /// #     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    /// #         let (listener, routes) = (TcpListener::bind("127.0.0.1:0").await?, Router::<()>::new());
    /// cx.http()
    ///     .configure_http1(|http1| {
    ///         http1.max_headers(200).title_case_headers(true);
    ///     })
    ///     .serve(listener, routes);
    /// #         Ok(Http)
    /// #     }
    /// # }
    /// ```
    pub fn configure_http1(mut self, configure: impl FnOnce(&mut http1::Builder)) -> Self {
        configure(&mut self.protocols.http1);
        self
    }

    /// Sets anything that hyper offers for HTTP/2: see [`http2::Builder`].
    ///
    /// `configure` is called for each HTTP/2 connection, before hyper reads from it. It has the last word, also on what
    /// this server sets itself: `keep_alive_interval` is [`keep_alive_ping`](Self::keep_alive_ping),
    /// `keep_alive_timeout` is 20 s, and `timer` is tokio's. Everything else is as hyper has it. It can be called more
    /// than once; then all of them are called, in this order.
    ///
    /// `enable_connect_protocol` makes WebSockets over HTTP/2 possible (RFC 8441). With axum, this also needs axum's
    /// feature `http2`, and a route that takes the method `CONNECT`: `any` in place of `get`. At the turn they are
    /// treated like other WebSockets.
    ///
    /// ```
    /// # use axum::Router;
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # use tokio::net::TcpListener;
    /// # #[resource]
    /// # struct Http;
    /// # impl Resource for Http {
    /// #     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    /// #         let (listener, routes) = (TcpListener::bind("127.0.0.1:0").await?, Router::<()>::new());
    /// cx.http()
    ///     .configure_http2(|http2| {
    ///         http2.max_concurrent_streams(1000).enable_connect_protocol();
    ///     })
    ///     .serve(listener, routes);
    /// #         Ok(Http)
    /// #     }
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `configure` panics, or sets something that hyper refuses with a panic (such as a frame size out of bounds), each
    /// HTTP/2 connection is closed when it begins, and the panic is logged.
    pub fn configure_http2<F>(mut self, configure: F) -> Self
    where
        F: Fn(&mut http2::Builder<StreamExecutor>) + Send + Sync + 'static,
    {
        self.protocols.http2.push(Arc::new(configure));
        self
    }

    /// Sets whether a handler runs to its end although its client has left. It is then in flight as a request, until it
    /// has returned or is cut off. The default is `false`: the handler is dropped at its next await, as with hyper and
    /// axum, and what it has begun elsewhere, on a thread for blocking code for example, is not waited for.
    ///
    /// Use it for handlers that must not stop half-way. Each of them runs in a task of its own, which costs an allocation
    /// and a hop to another thread. What the response does after the handler has returned, such as a stream in its body,
    /// ends with its client in any case, and the rest of a request body is an error once the client has left. For a single
    /// handler, see [`lifecycle::http`](crate::http).
    pub fn finish_handlers(mut self, finish: bool) -> Self {
        self.finishes_handlers = finish;
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
        self.begin(listener, Same(service));
    }

    /// Serves each connection with what `make` makes for it.
    pub(super) fn begin<L: Listener>(self, listener: L, make: impl Make<L>) {
        let Self { seat, limits, protocols, max_connections, finishes_handlers } = self;
        seat.send(Event::Serves);
        let places = Places::new(&seat, max_connections.unwrap_or_else(default_max_connections));
        let stopping = Stopping::of_turn(&seat);
        let notices = Notices {
            stopping: stopping.clone(),
            extensions: extensions(stopping.clone()),
            leaving: seat.leaving(),
            idle_body_timeout: limits.idle_body_timeout,
            finisher: finishes_handlers.then(|| seat.clone()),
        };
        let (notices, heard) = (Arc::new(notices), Token::default());
        let server = Arc::new(Server { seat: seat.clone(), limits, protocols, notices, heard });
        seat.spawn(hear(stopping.clone(), Arc::clone(&server)));
        let bound = Bound { file: listener.file().and_then(SocketFile::at), listener };
        let accept = accept(bound, make, server, places, stopping);
        seat.spawn_server("server", accept);
    }
}

/// Lets the connections hear of the turn, once for all of them.
async fn hear(stopping: Stopping, server: Arc<Server>) {
    stopping.await;
    all_that_has_arrived(server.seat.has_real_time()).await;
    server.heard.raise();
}

/// A listener and its file. The order of the fields is the order in which they are dropped.
struct Bound<L> {
    file: Option<SocketFile>,
    listener: L,
}

/// Accepts connections until the turn, then until the queue is empty, and closes the listener. It ends before its turn
/// only if the listener is unusable, which is a failure (rule R1).
async fn accept<L, M>(
    mut bound: Bound<L>,
    make: M,
    server: Arc<Server>,
    mut places: Places,
    stopping: Stopping,
) -> Result
where
    L: Listener,
    M: Make<L>,
{
    let accepting = accept_while_running(&mut bound.listener, make.clone(), &server, &mut places, &stopping);
    if let Some(unusable) = stopping.run_until(accepting).await {
        unusable?;
    }
    let Bound { file, listener } = bound;
    drop(file);
    empty(listener, make, &server, &places).await;
    Ok(())
}

/// Accepts connections while there are places. It may be dropped at each await, at the turn.
async fn accept_while_running<L, M>(
    listener: &mut L,
    make: M,
    server: &Arc<Server>,
    places: &mut Places,
    stopping: &Stopping,
) -> io::Result<()>
where
    L: Listener,
    M: Make<L>,
{
    let mut back_off = BACK_OFF;
    // A listener that always has another connection is never waited for.
    while !stopping.is_stopping() {
        let place = places.free().await;
        match listener.accept().await {
            Ok((handshake, peer)) => {
                back_off = BACK_OFF;
                server.spawn::<L, M>(make.clone(), handshake, peer, places.take(place));
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(target: TARGET, "a connection was lost: {error}");
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
            Err(error) => {
                server.warn_of_pause(&error, back_off);
                tokio::time::sleep(back_off).await;
                back_off = (back_off * 2).min(LONGEST_BACK_OFF);
            }
        }
    }
    Ok(())
}

/// Accepts what waits in the queue, beyond the maximum, and closes the listener. If descriptors run out, it waits for
/// those of connections that end, up to the cut-off.
///
/// A queue is served in order, so what it held when the turn came is accepted once as many were as it can hold. What
/// comes in the meantime and fits in is accepted too; but a flood of connections cannot hold up the stop.
async fn empty<L, M>(listener: L, make: M, server: &Arc<Server>, places: &Places)
where
    L: Listener,
    M: Make<L>,
{
    let (mut left, mut is_told) = (longest_queue(), false);
    let mut queue = listener.close();
    while left > 0 {
        match queue.next() {
            None => return,
            Some(Ok((handshake, peer))) => {
                left -= 1;
                server.spawn::<L, M>(make.clone(), handshake, peer, places.beyond());
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
                let abort = server.seat.abort();
                if abort.run_until(tokio::time::sleep(BACK_OFF)).await.is_none() {
                    return;
                }
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
