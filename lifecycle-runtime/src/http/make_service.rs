//! What makes a service for each connection.

use std::future::{Future, Ready, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tokio::sync::Mutex;
use tower_service::Service;

#[cfg(doc)]
use super::Peer;
use super::listener::Listener;
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
        self.begin(listener, Made(Arc::new(Mutex::new(make_service))));
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
        self.begin(listener, Each(Arc::new(make)));
    }
}

/// What makes the service of a connection.
pub(super) trait Make<L: Listener>: Clone + Send + 'static {
    type Body: Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
    type Service: Service<Request<RequestBody>, Response = Response<Self::Body>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static;
    type Future: Future<Output = Result<Self::Service, BoxError>> + Send;

    fn make(self, io: &L::Io, peer: &L::Addr) -> Self::Future;
}

/// The same service for all.
#[derive(Clone, Debug)]
pub(super) struct Same<S>(pub(super) S);

impl<L, S, B> Make<L> for Same<S>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
    type Service = S;
    type Future = Ready<Result<S, BoxError>>;

    fn make(self, _: &L::Io, _: &L::Addr) -> Self::Future {
        ready(Ok(self.0.clone()))
    }
}

/// A function that makes them.
#[derive(Debug)]
struct Each<F>(Arc<F>);

impl<F> Clone for Each<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L, F, S, B> Make<L> for Each<F>
where
    L: Listener,
    F: Fn(&L::Io, &L::Addr) -> S + Send + Sync + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
    type Service = S;
    type Future = Ready<Result<S, BoxError>>;

    fn make(self, io: &L::Io, peer: &L::Addr) -> Self::Future {
        ready(Ok((self.0)(io, peer)))
    }
}

/// A tower service that makes them. It is one for all connections, which call it one after another, so that it can count
/// them, and can make them wait until it is ready.
#[derive(Debug)]
struct Made<M>(Arc<Mutex<M>>);

impl<M> Clone for Made<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L, M, S, B> Make<L> for Made<M>
where
    L: Listener,
    M: Service<L::Addr, Response = S, Error: Into<BoxError>, Future: Send> + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

    fn make(self, _: &L::Io, peer: &L::Addr) -> Self::Future {
        let peer = peer.clone();
        Box::pin(async move {
            let making = {
                let mut make_service = self.0.lock().await;
                poll_fn(|cx| make_service.poll_ready(cx)).await.map_err(Into::into)?;
                make_service.call(peer)
            };
            making.await.map_err(Into::into)
        })
    }
}
