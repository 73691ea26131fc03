//! Make-services: what makes a service for a client.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::Peer;
use super::listener::Listener;
use super::request_body::RequestBody;
use super::server::HttpServer;
use crate::model::failure::BoxError;

impl HttpServer {
    /// Serves each request with the service that `make_service` makes for the address of its client.
    ///
    /// Use it to keep the `ConnectInfo` of an axum application. Otherwise use [`serve`](Self::serve), where the address
    /// is in each request as a [`Peer`]. `make_service` is cloned and called for each request, also if several come on
    /// one connection.
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
        M: Service<L::Addr, Response = S, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        self.serve(listener, Making { make_service, address: PhantomData });
    }
}

/// Makes a service for each request, and calls it.
#[derive(Clone, Debug)]
struct Making<M, A> {
    make_service: M,
    address: PhantomData<fn(A)>,
}

impl<M, A, S, B> Service<Request<RequestBody>> for Making<M, A>
where
    M: Service<A, Response = S, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    A: Clone + Send + Sync + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let mut make_service = self.make_service.clone();
        let peer = request.extensions().get().cloned();
        Box::pin(async move {
            let Peer(client) = peer.expect("every request of our server has its peer");
            poll_fn(|cx| make_service.poll_ready(cx)).await.map_err(Into::into)?;
            let mut service = make_service.call(client).await.map_err(Into::into)?;
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            service.call(request).await.map_err(Into::into)
        })
    }
}
