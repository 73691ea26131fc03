//! One request and its response, between hyper and the user's service.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use tower_service::Service;

use super::Peer;
use super::connection::{Connection, Debt, Exchange};
use crate::BoxError;
use crate::stopping::Stopping;

/// The body of a request to a service that is served by [`serve_http`](crate::Acquire::serve_http): hyper's, with a
/// limit on how long the peer may keep it waiting.
///
/// When the peer sends nothing for the time of [`idle_body_timeout`](super::HttpServer::idle_body_timeout) while
/// somebody waits for more, reading gives an [`io::Error`] of the kind `TimedOut`.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    idle_timeout: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl RequestBody {
    fn new(incoming: Incoming, idle_timeout: Option<Duration>) -> Self {
        Self { incoming, idle_timeout, timer: None, is_waiting: false }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = self.idle_timeout else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !std::mem::replace(&mut self.is_waiting, true) {
            let now = Instant::now();
            timer.as_mut().reset(now.checked_add(timeout).unwrap_or(now));
        }
        timer.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.is_waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.poll_timeout(cx));
        let error = io::Error::new(io::ErrorKind::TimedOut, "the client did not go on sending the body");
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

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
        let exchange = self.connection.begin();
        let (mut service, notices) = (self.service.clone(), Arc::clone(&self.notices));
        let mut request = request.map(|incoming| RequestBody::new(incoming, notices.idle_body_timeout));
        request.extensions_mut().insert(notices.stopping.clone());
        request.extensions_mut().insert(Peer(self.peer.clone()));
        let (is_connect, version) = (request.method() == Method::CONNECT, request.version());
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut exchange = exchange;
            let mut response = service.call(request).await?;
            let is_upgrade = is_upgrade(is_connect, &response);
            if is_upgrade || is_stream(response.body()) {
                exchange.is_stream();
            }
            if !is_upgrade && notices.draining.is_stopping() {
                close_after(version, &mut response);
            }
            Ok(response.map(|body| ResponseBody { body, exchange }))
        })
    }
}

/// Whether the connection, or the stream of HTTP/2, is the handler's from here on.
fn is_upgrade<B>(is_connect: bool, response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS || (is_connect && response.status().is_success())
}

/// Whether nobody can say where a response ends: it is not an unfinished one then, however long it lasts (rule E1).
pub(super) fn is_stream(body: &impl Body) -> bool {
    !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// Asks the client to connect anew for its next request (rule D4). HTTP/2 has no such header; it has GOAWAY.
pub(super) fn close_after<B>(version: Version, response: &mut Response<B>) {
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

pin_project! {
    /// The body of a response, and with it the rest of its request.
    pub(super) struct ResponseBody<B> {
        #[pin]
        body: B,
        exchange: Exchange,
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Chunk<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let owed = |data| Chunk { data, _debt: this.exchange.debt() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(owed))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of a response, and the debt to write it out: hyper drops it when it has.
#[derive(Debug)]
pub(super) struct Chunk<D> {
    data: D,
    _debt: Option<Debt>,
}

impl<D: Buf> Buf for Chunk<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.data.copy_to_bytes(length)
    }
}
