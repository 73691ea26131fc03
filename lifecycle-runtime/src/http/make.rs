//! What makes the service of a connection.

use std::future::{Future, Ready, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tokio::sync::Mutex;
use tower_service::Service;

use super::listener::Listener;
use super::request_body::RequestBody;
use crate::model::failure::BoxError;

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
#[derive(Clone)]
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
        ready(Ok(self.0))
    }
}

/// A function that makes them.
pub(super) struct Each<F>(Arc<F>);

impl<F> Each<F> {
    pub(super) fn new(make: F) -> Self {
        Self(Arc::new(make))
    }
}

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
pub(super) struct Made<M>(Arc<Mutex<M>>);

impl<M> Made<M> {
    pub(super) fn new(make_service: M) -> Self {
        Self(Arc::new(Mutex::new(make_service)))
    }
}

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
