//! A server that has a service for each connection.

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

#[cfg(doc)]
use super::Peer;
use super::listener::Listener;
use super::make::{Each, Made};
use super::request_body::RequestBody;
use super::server::HttpServer;
use crate::model::failure::BoxError;

impl HttpServer {
    /// Serves each connection with the service that `make_service` makes for the address of its client, as
    /// `axum::serve` does.
    ///
    /// Use it to keep the `ConnectInfo` of an axum application. Otherwise use [`serve`](Self::serve), where the address
    /// is in each request as a [`Peer`]. To make services with a function, or from more than the address, use
    /// [`serve_each`](Self::serve_each).
    ///
    /// `make_service` is called once for each connection, after the handshake, in the connection's own task: connections
    /// wait for one another while it is not ready, but not while it makes a service. Both have the time of
    /// [`header_read_timeout`](Self::header_read_timeout). If it fails, the connection is closed.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::{Router, extract::ConnectInfo, routing::get};
    /// use lifecycle::{Acquire, Resource, Result, resource};
    /// use tokio::net::TcpListener;
    ///
    /// #[resource]
    /// struct Http;
    ///
    /// impl Resource for Http {
    ///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    ///         let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///         let routes = Router::new().route("/", get(whoami));
    ///         let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    ///         cx.http().serve_make_service(listener, routes);
    ///         Ok(Http)
    ///     }
    /// }
    ///
    /// async fn whoami(ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
    ///     client.to_string()
    /// }
    /// ```
    pub fn serve_make_service<L, M, S, B>(self, listener: L, make_service: M)
    where
        L: Listener,
        M: Service<L::Addr, Response = S, Error: Into<BoxError>, Future: Send> + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        self.begin(listener, Made::new(make_service));
    }

    /// Serves each connection with the service that `make` returns for it.
    ///
    /// `make` sees the connection (a `TcpStream` or `UnixStream`, or what a [`Listener`] of your own makes of it) and the
    /// address of its peer. So a service can be given what only the connection knows: the credentials of a process, the
    /// certificate of a client, a state of its own. `make` is called once for each connection, after the handshake, and
    /// must not block.
    ///
    /// With axum, `Extension(ConnectInfo(…))` is a layer that gives handlers their `ConnectInfo`, of any type:
    ///
    /// ```
    /// use axum::extract::ConnectInfo;
    /// use axum::routing::get;
    /// use axum::{Extension, Router};
    /// use lifecycle::{Acquire, Resource, Result, resource};
    /// use tokio::net::UnixListener;
    /// use tokio::net::unix::UCred;
    /// # use tower_layer as tower;
    /// use tower::Layer;
    ///
    /// #[derive(Clone)]
    /// struct Process(Option<UCred>);
    ///
    /// #[resource]
    /// struct Http;
    ///
    /// impl Resource for Http {
    ///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    ///         let listener = UnixListener::bind("/run/service.sock")?;
    ///         let routes = Router::new().route("/", get(whoami));
    ///         cx.http().serve_each(listener, move |stream, _| {
    ///             let process = Process(stream.peer_cred().ok());
    ///             Extension(ConnectInfo(process)).layer(routes.clone())
    ///         });
    ///         Ok(Http)
    ///     }
    /// }
    ///
    /// async fn whoami(ConnectInfo(Process(credentials)): ConnectInfo<Process>) -> String {
    ///     format!("{credentials:?}")
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If `make` panics, the connection is closed, and the panic is logged.
    pub fn serve_each<L, F, S, B>(self, listener: L, make: F)
    where
        L: Listener,
        F: Fn(&L::Io, &L::Addr) -> S + Send + Sync + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        self.begin(listener, Each::new(make));
    }
}
