//! One request and its response, between hyper and the user's service.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tower_service::Service;

use super::Peer;
use super::debts::Exchange;
use super::ledger::Connection;
use super::request_body::RequestBody;
use super::response::{ResponseBody, close_after, is_endless, known_length};
use super::upgrade::Upgrade;
use crate::driver::{CatchPanic, Panic, Seat};
use crate::model::failure::BoxError;

/// The user's service, as hyper calls it for one connection.
pub(super) struct Exchanges<S, A> {
    pub(super) service: S,
    pub(super) peer: A,
    pub(super) connection: Arc<Connection>,
}

impl<S, A, B> hyper::service::Service<Request<Incoming>> for Exchanges<S, A>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    A: Clone + Send + Sync + 'static,
    B: Body + Send + 'static,
{
    type Response = Response<ResponseBody<B>>;
    type Error = BoxError;
    type Future = Responding<S, S::Future, B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let notices = &self.connection.notices;
        let (mut parts, incoming) = request.into_parts();
        let exchange = Exchange::begin(&self.connection, incoming.size_hint().exact());
        // hyper puts it there if the client asks for an upgrade.
        let asks_for_upgrade = parts.extensions.get::<OnUpgrade>().is_some();
        let upgrade = asks_for_upgrade.then(Arc::<Upgrade>::default);
        parts.extensions.extend(notices.extensions.clone());
        if let Some(upgrade) = &upgrade {
            parts.extensions.insert(notices.stopping.holding(Arc::clone(upgrade)));
        }
        parts.extensions.insert(Peer(self.peer.clone()));
        let (is_connect, version) = (parts.method == Method::CONNECT, parts.version);
        let call = Call { exchange, upgrade, is_connect, version };
        let body = RequestBody::new(incoming, notices.idle_body_timeout);
        let request = Request::from_parts(parts, body);
        let service = self.service.clone();
        match &notices.finisher {
            Some(seat) => {
                let responding = Responding::waits(service, request, call);
                Responding::Elsewhere { finished: Box::pin(finish(seat.clone(), responding)) }
            }
            // It runs in a task of its own, and its panics are to end that.
            None if version == Version::HTTP_2 => Responding::waits(service, request, call),
            None => Responding::begin(service, request, call),
        }
    }
}

/// The same for HTTP/2, whose streams are tasks of their own: a task that holds its response in a box is moved for less
/// when it is made.
pub(super) struct Boxed<X>(pub(super) X);

impl<X> hyper::service::Service<Request<Incoming>> for Boxed<X>
where
    X: hyper::service::Service<Request<Incoming>, Future: Send + 'static>,
{
    type Response = X::Response;
    type Error = X::Error;
    type Future = Pin<Box<dyn Future<Output = Result<X::Response, X::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.0.call(request))
    }
}

/// What goes with one request, until its response has begun.
pub(super) struct Call {
    exchange: Exchange,
    upgrade: Option<Arc<Upgrade>>,
    is_connect: bool,
    version: Version,
}

pin_project! {
    /// Calls the service, and looks at its response. An `async fn` would keep what it is given twice, and an enum in a
    /// struct is moved once more while it is made: a request and a future are large.
    #[project = ProjectedResponding]
    pub(super) enum Responding<S, F, B> {
        // The service is not ready yet.
        Waits { service: S, request: Option<Request<RequestBody>>, call: Option<Call> },
        Comes {
            // Dropped before the exchange, so that the request is under way until all of it is gone.
            #[pin]
            future: F,
            call: Option<Call>,
        },
        Fails { error: Option<BoxError>, call: Call },
        // In a task of its own.
        Elsewhere { finished: Pin<Box<dyn Future<Output = Answered<B>> + Send>> },
    }
}

type Answered<B> = Result<Response<ResponseBody<B>>, BoxError>;

impl<S: Service<Request<RequestBody>, Error: Into<BoxError>>, B> Responding<S, S::Future, B> {
    fn waits(service: S, request: Request<RequestBody>, call: Call) -> Self {
        Self::Waits { service, request: Some(request), call: Some(call) }
    }

    /// Calls the service at once if it is ready: most are, and a request is moved less often. One that is not is asked
    /// again by the task, which is then woken.
    #[inline]
    fn begin(mut service: S, request: Request<RequestBody>, call: Call) -> Self {
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Comes { future: service.call(request), call: Some(call) },
            Poll::Ready(Err(error)) => Self::Fails { error: Some(error.into()), call },
            Poll::Pending => Self::waits(service, request, call),
        }
    }
}

impl<S, B> Future for Responding<S, S::Future, B>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body,
{
    type Output = Answered<B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered<B>> {
        loop {
            match self.as_mut().project() {
                ProjectedResponding::Waits { service, request, call } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let request = request.take().expect("a future is not polled after it is ready");
                    let (future, call) = (service.call(request), call.take());
                    self.set(Self::Comes { future, call });
                }
                ProjectedResponding::Comes { future, call } => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    let call = call.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(Ok(call.answered_with(response)));
                }
                ProjectedResponding::Fails { error, call: _ } => {
                    return Poll::Ready(Err(error.take().expect("a future is not polled after it is ready")));
                }
                ProjectedResponding::Elsewhere { finished } => return finished.as_mut().poll(cx),
            }
        }
    }
}

impl Call {
    fn answered_with<B: Body>(self, mut response: Response<B>) -> Response<ResponseBody<B>> {
        let Self { mut exchange, upgrade, is_connect, version } = self;
        let is_upgrade = is_upgrade(is_connect, &response);
        let length = known_length(&response);
        if is_upgrade {
            exchange.is_upgrade();
            if let Some(upgrade) = &upgrade {
                upgrade.happens(exchange.connection());
            }
        } else if is_endless(&response, length) {
            exchange.is_endless();
        }
        if !is_upgrade && length.is_none() {
            exchange.has_no_known_end();
        }
        if !is_upgrade && exchange.connection().is_to_leave() {
            close_after(version, &mut response);
        }
        response.map(|body| ResponseBody::new(body, exchange))
    }
}

/// Runs a handler in a task of its own. It goes on to its end when its client has left, when hyper drops this future.
async fn finish<B>(seat: Seat, respond: impl Future<Output = Answered<B>> + Send + 'static) -> Answered<B>
where
    B: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let (abort, of_task) = (seat.abort(), seat.clone());
    seat.spawn(async move {
        let Some(result) = abort.run_until_in_task(CatchPanic::new(respond)).await else { return };
        match sender.send(result) {
            Err(Ok(Ok(mut response))) => response.body_mut().forgive(),
            Err(Err(panic)) => of_task.warn_of_panic(panic),
            Ok(()) | Err(Ok(Err(_))) => {}
        }
    });
    match receiver.await {
        Ok(Ok(result)) => result,
        // As if the handler had run here: the connection, or the stream of HTTP/2, ends with it, and says so.
        Ok(Err(Panic(words))) => resume_unwind(Box::new(words)),
        // It was cut off, and so is the connection.
        Err(_) => pending().await,
    }
}

/// Whether the connection, or the stream of HTTP/2, is the handler's from here on.
fn is_upgrade<B>(is_connect: bool, response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS || (is_connect && response.status().is_success())
}
