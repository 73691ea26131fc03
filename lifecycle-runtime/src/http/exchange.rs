//! One request and its response, between hyper and the user's service.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use tower_service::Service;

use super::Peer;
use super::ledger::Connection;
use super::request_body::RequestBody;
use super::response::{ResponseBody, close_after, is_endless};
use super::streams::Streams;
use crate::handles::stopping::Stopping;

/// What every request of a server is given.
#[derive(Debug)]
pub(super) struct Notices {
    pub(super) stopping: Stopping,
    pub(super) draining: Stopping,
    pub(super) idle_body_timeout: Option<Duration>,
}

/// The user's service, as hyper calls it for one connection.
#[derive(Debug)]
pub(super) struct Exchanges<S, A> {
    pub(super) service: S,
    pub(super) peer: A,
    pub(super) connection: Arc<Connection>,
    pub(super) streams: Arc<Streams>,
    pub(super) notices: Arc<Notices>,
}

impl<S, A, B> hyper::service::Service<Request<Incoming>> for Exchanges<S, A>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Future: Send> + Clone + Send + 'static,
    A: Clone + Send + Sync + 'static,
    B: Body,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = self.connection.begin(request.body().size_hint().exact());
        let (mut service, notices) = (self.service.clone(), Arc::clone(&self.notices));
        let mut request = request.map(|incoming| RequestBody::new(incoming, notices.idle_body_timeout));
        request.extensions_mut().insert(notices.stopping.clone());
        request.extensions_mut().insert(Peer(self.peer.clone()));
        let streams = (request.version() == Version::HTTP_2).then(|| Arc::clone(&self.streams));
        let (is_connect, version) = (request.method() == Method::CONNECT, request.version());
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut exchange = exchange;
            let mut response = service.call(request).await?;
            let is_upgrade = is_upgrade(is_connect, &response);
            if is_upgrade || is_endless(&response) {
                exchange.is_endless();
            }
            if !is_upgrade && response.body().size_hint().exact().is_none() {
                exchange.has_no_known_end();
            }
            if !is_upgrade && notices.draining.is_stopping() {
                close_after(version, &mut response);
            }
            Ok(response.map(|body| ResponseBody::new(body, exchange, streams)))
        })
    }
}

/// Whether the connection, or the stream of HTTP/2, is the handler's from here on.
fn is_upgrade<B>(is_connect: bool, response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS || (is_connect && response.status().is_success())
}
