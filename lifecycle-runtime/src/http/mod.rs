//! HTTP servers that drain (feature `http`).
//!
//! [`Acquire::serve_http`] serves any tower service, such as an axum `Router`, as part of a resource. [`InFlight`] is a
//! tower layer that counts requests, for a server that you already have.
//!
//! # What happens to a connection
//!
//! During the drain delay, connections are served and new ones are accepted, and clients are asked to leave (rule D4):
//!
//! | a connection of | in the drain delay | older than [`max_connection_age`](HttpServer::max_connection_age) |
//! |---|---|---|
//! | HTTP/1 | its responses carry `Connection: close`; if it is idle, it stays as it is | the same |
//! | HTTP/2 | gets GOAWAY at a random moment of the first half: its streams finish, and the client connects elsewhere. One that begins in the second half is served until the turn | gets GOAWAY |
//!
//! The load balancer learns of the stop in the same time, and a client that connects anew comes to an instance that
//! stays. One that comes back here is served.
//!
//! At the turn of the resource, the connections in the accept queue are accepted, and the listener is closed. Then
//!
//! | a connection that | until its end | if cut off, it is |
//! |---|---|---|
//! | has had its last response within the idle grace (250 ms; none after a Ctrl-C at a terminal) | may send its next request, and is answered | excused |
//! | has been idle for longer | is closed at once, unless something has arrived | |
//! | has sent nothing, or only empty lines | has 1 s from its accept, then is closed | excused |
//! | is in the middle of its TLS handshake | may finish it, in the time of a head | excused |
//! | is sending the head of a request, also one behind another request | may finish it within its time, and is answered | excused |
//! | has a request under way | gets a complete response, then is closed | counted |
//! | reads a response, whether its length is known or not | may read all of it | counted |
//! | reads an endless response: see below | may continue | excused |
//! | uses HTTP/2 | gets GOAWAY, unless it had it before; its streams are treated as above; without streams it has 5 s to acknowledge | as its streams are |
//! | was upgraded: a WebSocket, also in a stream of HTTP/2 | continues until its handler has ended, which has the notice | excused |
//!
//! each until the cut-off of the resource at the latest (rule D6). At the cut-off its I/O fails and it is closed, even
//! if a handler still holds it. A counted one makes the exit code 124 (rule E1); an excused one appears in the report.
//!
//! # What is in flight
//!
//! Requests are in flight, and not connections: [`Units`](crate::Units) tells requests, endless streams, upgraded
//! connections and tasks apart, and counts idle connections beside them. Many streams of one HTTP/2 connection are as
//! many requests. The log, the report, `/status` of the probe and [`Tasks::units`](crate::Tasks::units) all use these
//! words. A request is under way from its head until its response is written out.
//!
//! A response is endless if it says so: by its content type, which is `text/event-stream`, `multipart/x-mixed-replace` or
//! a type of gRPC (`application/grpc`, and all that begins like this), if its length is not known, or by the mark
//! [`Endless`]. Every other response has an end that its client needs. This includes a response that is sent in chunks,
//! or compressed on the way, so that its length is not known.
//!
//! The idle grace is for clients that use a connection all the time: the next request may already be on its way when the
//! turn begins. Its response carries `Connection: close`. See [`HttpServer::idle_grace`].
//!
//! # How a connection is closed
//!
//! A connection lingers when it is closed, at the turn and at any other time. After its last byte, the server shuts down
//! its write side, and discards what the client still sends (the rest of a body that the handler did not read, further
//! requests, the windows of HTTP/2) until the client has closed its side too, for 2 s at most and not beyond the cut-off.
//! Otherwise the client would get a reset, and lose what it has not received by then. Meanwhile the connection is in
//! flight. A client that does not close its side is not a failure. A connection that is idle has nothing to lose, and
//! does not linger.
//!
//! A client that shuts down its write side after its request gets its response, unless hyper's `half_close` is turned off:
//! see [`HttpServer::configure_http1`]. A response of unknown length ends when the client shuts down its write side: that
//! cannot be told from a client that has left.
//!
//! # A handler whose client has left
//!
//! With HTTP/1, the server does not notice that a client has left before it writes the response: the handler runs to its
//! end. With HTTP/2 it does notice, and drops the handler at its next await, when the client resets the stream or its
//! connection is gone. (So does any other hyper server, with HTTP/1 too: this is what [`InFlight`] sees.) What a dropped
//! handler has begun elsewhere goes on without it: a closure in `spawn_blocking`, a task of `tokio::spawn`. It is not in
//! flight, so nothing waits for it, and it ends half-way with the process, whose exit code is 0.
//!
//! [`HttpServer::finish_handlers`] makes every handler run to its end, counted as a request. For one handler, or with
//! another server, spawn the work as a task of the resource ([`Acquire::tasks`](crate::Acquire::tasks)), and wait for
//! it: it is in flight, whatever becomes of the handler.
//!
//! ```
//! use axum::extract::State;
//! use axum::http::StatusCode;
//! use lifecycle::Tasks;
//! use tokio::sync::oneshot;
//! # async fn charge() -> &'static str { "paid" }
//!
//! async fn pay(State(tasks): State<Tasks>) -> Result<&'static str, StatusCode> {
//!     let (done, receipt) = oneshot::channel();
//!     tasks.spawn(async move {
//!         let receipt = charge().await;
//!         let _ = done.send(receipt);
//!     });
//!     receipt.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
//! }
//! ```
//!
//! # Clients that hold a connection
//!
//! A connection takes one of the places of its server ([`HttpServer::max_connections`]), so each thing that a client can
//! do slowly has a limit:
//!
//! | a client that | has | set by |
//! |---|---|---|
//! | is in a TLS handshake, or sends the head of a request | 10 s | [`header_read_timeout`](HttpServer::header_read_timeout) |
//! | pauses in the middle of a request body that the handler waits for | 30 s | [`idle_body_timeout`](HttpServer::idle_body_timeout) |
//! | takes nothing of what is sent to it | 30 s | [`write_timeout`](HttpServer::write_timeout) |
//! | asks for nothing | 75 s | [`keep_alive_timeout`](HttpServer::keep_alive_timeout) |
//! | does not answer pings (HTTP/2) | 20 s | [`keep_alive_ping`](HttpServer::keep_alive_ping) |
//! | does not acknowledge GOAWAY (HTTP/2, without streams) | 5 s | |
//!
//! What a handler does has no limit; use tower's layers for that.
//!
//! # Clients that vanish
//!
//! A client that loses its power or its network closes nothing. An idle WebSocket or event stream, to which nothing is
//! sent, would never notice. On Linux, the sockets that are accepted from a `TcpListener` therefore have TCP keep-alive:
//! after 60 s without a sign of the client it is probed, every 10 s, and after 6 probes without an answer the connection
//! is closed. What was sent and is not acknowledged for 2 min closes it too (`TCP_USER_TIMEOUT`), so a client that reads
//! nothing for 2 min is given up whatever the options of the server say. The `TcpListener` is given these options, too,
//! and its sockets inherit them. A [`Listener`] of your own can set other values on the sockets that it accepts. On other
//! systems their defaults hold.
//!
//! # Listening sockets
//!
//! At the turn, the queue is emptied of as many connections as it can hold, which is at least what had arrived before. If
//! descriptors run out, the server waits, up to the cut-off, until those of other connections are free, and the log has a
//! warning.
//!
//! An inherited listening socket, such as one from systemd's socket activation, is closed here but stays open in its
//! owner: connections that arrive after the turn wait in its queue for the next process, and none is refused in
//! between.
//!
//! The file of a Unix socket is removed when its listener is closed, so that the next process can bind it: if this process
//! made the socket (on Linux; elsewhere the file stays), and if the file is still the one that was there when serving
//! began. After a crash or a SIGKILL the file is still there, so remove it before you bind:
//!
//! ```
//! use std::io;
//! use std::path::Path;
//! use tokio::net::UnixListener;
//!
//! fn bind(path: &Path) -> io::Result<UnixListener> {
//!     match std::fs::remove_file(path) {
//!         Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
//!         Ok(()) | Err(_) => {}
//!     }
//!     UnixListener::bind(path)
//! }
//! ```
//!
//! A process that still serves under that name goes on with the connections that it has, and leaves the new file alone.
//!
//! # What handlers are given
//!
//! Handlers find two things in the extensions of every request: [`Stopping`], the notice of the turn, and [`Peer`], the
//! address of the client. A stream ends well if it selects on the notice. So does a WebSocket, as here with axum: say
//! that the server is going away (1001), and keep reading until the client has answered.
//!
//! ```
//! use axum::Extension;
//! use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
//! use axum::response::Response;
//! use lifecycle::Stopping;
//!
//! async fn socket(upgrade: WebSocketUpgrade, Extension(stopping): Extension<Stopping>) -> Response {
//!     upgrade.on_upgrade(|socket| echo(socket, stopping))
//! }
//!
//! async fn echo(mut socket: WebSocket, stopping: Stopping) {
//!     while let Some(Some(Ok(message))) = stopping.run_until(socket.recv()).await {
//!         if socket.send(message).await.is_err() {
//!             return;
//!         }
//!     }
//!     let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
//!     let _ = socket.send(Message::Close(Some(goodbye))).await;
//!     while let Some(Ok(_)) = socket.recv().await {}
//! }
//! ```
//!
//! The handler of a WebSocket runs in a task that is not the server's. It is in flight for as long as it has its socket
//! or its notice, and the resources that it uses are there until then. One that is an `async fn` with both as arguments,
//! as above, has them until it returns, and may save something after its client has gone. Two kinds are over early:
//!
//! * One that does not take the notice is in flight until it drops its socket, and until its connection is gone with
//!   HTTP/2. axum's `split` is no exception: the halves may end in other tasks.
//! * One that gives its notice away, by `stopping.await` or in a `select!`. Await a clone, or `&mut stopping`.
//!
//! The same with tokio-tungstenite, whatever made the handshake:
//!
//! ```
//! use futures_util::{SinkExt, StreamExt};
//! use lifecycle::Stopping;
//! use tokio::io::{AsyncRead, AsyncWrite};
//! use tokio_tungstenite::WebSocketStream;
//! use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
//!
//! async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>, stopping: Stopping) {
//!     while let Some(Some(Ok(message))) = stopping.run_until(socket.next()).await {
//!         if socket.send(message).await.is_err() {
//!             return;
//!         }
//!     }
//!     let goodbye = CloseFrame { code: CloseCode::Away, reason: "restarting".into() };
//!     let _ = socket.close(Some(goodbye)).await;
//!     while let Some(Ok(_)) = socket.next().await {}
//! }
//! ```

mod connection;
mod debts;
mod exchange;
mod framing;
mod handshake;
mod heard;
mod layer;
mod ledger;
mod limits;
mod listener;
mod make;
mod make_service;
mod notices;
mod patience;
mod places;
mod protocols;
mod request_body;
mod response;
mod retirement;
mod server;
mod socket;
mod socket_file;
mod streams;
mod tcp;
mod timer;
mod upgrade;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

pub use self::layer::{InFlight, InFlightBody, InFlightFuture, InFlightService};
pub use self::listener::Listener;
pub use self::protocols::StreamExecutor;
pub use self::request_body::RequestBody;
pub use self::response::Endless;
pub use self::server::HttpServer;
use crate::handles::acquire::Acquire;
#[cfg(doc)]
use crate::handles::stopping::Stopping;
use crate::model::failure::BoxError;

/// As in the driver's `log`: all events are under this target.
const TARGET: &str = "lifecycle";

/// The address of the client, in the extensions of every request. Its type is the [`Listener`]'s `Addr`, which is
/// `SocketAddr` for TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer<A>(pub A);

impl<R> Acquire<R> {
    /// Serves HTTP/1 and HTTP/2 on the connections of `listener`, as part of this resource.
    ///
    /// `service` is any tower service that takes a request with a [`RequestBody`], such as an axum `Router`. It is
    /// cloned for each request. The application runs for as long as the server does, and a server that ends before its
    /// turn has failed (rule R1). How connections end is described in [`lifecycle::http`](crate::http).
    ///
    /// For an axum application that asks for `ConnectInfo`, use
    /// [`serve_make_service`](HttpServer::serve_make_service): a make-service is not a service, and does not compile here.
    /// With the bare routes, handlers that ask for it answer 500, as they do with `axum::serve`. To set options, those of
    /// hyper among them, use [`http`](Self::http). To keep your own server, use [`in_flight`](Self::in_flight).
    ///
    /// ```
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
    ///         cx.serve_http(listener, Router::new().route("/", get("OK")));
    ///         Ok(Http)
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// A handler that panics ends its connection (with HTTP/2, its stream), and the panic is logged. The server lives
    /// on.
    ///
    /// # Cancel safety
    ///
    /// At the cut-off, handlers are dropped at their next await.
    pub fn serve_http<L, S, B>(&self, listener: L, service: S)
    where
        L: Listener,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        self.http().serve(listener, service);
    }

    /// An HTTP server with options, as part of this resource. [`serve_http`](Self::serve_http) is the same with the
    /// defaults.
    pub fn http(&self) -> HttpServer {
        HttpServer::new(&self.context.seat)
    }

    /// A tower layer that counts the requests of another server as units in flight of this resource: see [`InFlight`].
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(&self.tasks())
    }
}
