//! HTTP servers that drain (feature `http`).
//!
//! [`Acquire::serve_http`] serves any tower service, such as an axum `Router`, as part of a resource. [`InFlight`] is a
//! layer that counts requests for servers that are there already.
//!
//! # What happens to a connection
//!
//! While the application is draining, it goes on being served, and new ones are accepted; responses of HTTP/1 carry
//! `Connection: close`, so that clients leave by themselves (rule D4). When the turn of the resource has come, what
//! waits in the accept queue is accepted, and the listener is closed. Then
//!
//! | a connection that | until its end | cut off, it is |
//! |---|---|---|
//! | waits for its next request | is closed at once, if nothing has arrived by then | |
//! | has sent nothing | has 1s from its accept, then is closed | excused |
//! | is sending the head of a request | may finish it, and is answered | excused |
//! | has a request under way | has a complete response, then is closed | counted |
//! | reads a response of known length | may read all of it | counted |
//! | reads a response of unknown length: server-sent events, chunks | may go on | excused |
//! | talks HTTP/2 | gets GOAWAY; its streams are as above | as its streams are |
//! | was upgraded: a WebSocket | goes on; its handler has the notice | excused |
//!
//! each at the latest until the cut-off of the resource (rule D6): then its I/O fails and it is closed, also if a
//! handler keeps hold of it. What is counted makes the exit code 124 (rule E1); what is excused is in the report.
//!
//! A listening socket that was inherited, such as one of systemd's socket activation, is closed here and stays open at its
//! owner: what comes after the turn waits in its queue for the next process, and no connection is refused meanwhile.
//!
//! Handlers find the notice of the turn, [`Stopping`], in the request's extensions, and the address of the client as
//! [`Peer`]. A stream ends well if it selects on the notice. So does a WebSocket, here with axum: say that the server is
//! going away (1001), and go on reading until the client has answered.
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
//! And with tokio-tungstenite, on whatever its handshake was made:
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
mod exchange;
mod layer;
mod ledger;
mod limits;
mod listener;
mod request_body;
mod response;
mod server;
mod socket;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

pub use self::layer::{InFlight, InFlightBody, InFlightFuture, InFlightService};
pub use self::listener::Listener;
pub use self::request_body::RequestBody;
pub use self::server::HttpServer;
use crate::handles::acquire::Acquire;
#[cfg(doc)]
use crate::handles::stopping::Stopping;
use crate::model::failure::BoxError;

/// As in the driver's `log`: all events are under this target.
const TARGET: &str = "lifecycle";

/// The address of the client, in the extensions of every request: of the type that the [`Listener`] gives, which is a
/// `SocketAddr` for TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer<A>(pub A);

impl<R> Acquire<R> {
    /// Serves HTTP/1 and HTTP/2 on the connections of `listener`, as part of this resource.
    ///
    /// `service` is any tower service of a request with a [`RequestBody`], such as an axum `Router` as it is; it is
    /// cloned for each request. The application lives for as long as the server does; a server that ends before its turn has failed (rule R1).
    /// How connections end is told in [`lifecycle::http`](crate::http). [`http`](Self::http) has options.
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
    /// A handler that panics ends its connection (its stream, with HTTP/2), and is logged; the server lives on.
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

    /// An HTTP server whose options can be set, as part of this resource.
    pub fn http(&self) -> HttpServer {
        HttpServer::new(&self.seat)
    }

    /// A tower layer that counts requests as units in flight of this resource: see [`InFlight`].
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(&self.tasks())
    }
}
