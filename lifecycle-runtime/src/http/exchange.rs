//! One request and its response, between hyper and the user's service.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::{Extensions, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_service::Service;

use super::Peer;
use super::debts::Exchange;
use super::ledger::Connection;
use super::request_body::RequestBody;
use super::response::{ResponseBody, close_after, has_known_end, is_endless};
use super::upgrade::Upgrade;
use crate::driver::{CatchPanic, Panic, Seat, SeatToken};
use crate::handles::stopping::Stopping;
use crate::model::failure::BoxError;

/// What every request of a server is given.
#[derive(Debug)]
pub(super) struct Notices {
    pub(super) stopping: Stopping,
    /// What the extensions of every request begin with: see [`extensions`].
    pub(super) extensions: Extensions,
    /// Clients are asked to leave.
    pub(super) leaving: SeatToken,
    pub(super) idle_body_timeout: Option<Duration>,
    /// Handlers run to their end, in tasks of this resource.
    pub(super) finisher: Option<Seat>,
}

/// Extensions with the notice, and with room for what a router adds: to copy a map is cheaper than to let it grow.
pub(super) fn extensions(stopping: Stopping) -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(stopping);
    // A map has room for three things, or for seven.
    extensions.insert(0_u8);
    extensions.insert(0_u16);
    extensions.insert(0_u32);
    extensions.remove::<u8>();
    extensions.remove::<u16>();
    extensions.remove::<u32>();
    extensions
}

/// The user's service, as hyper calls it for one connection.
#[derive(Debug)]
pub(super) struct Exchanges<S, A> {
    pub(super) service: S,
    pub(super) peer: A,
    pub(super) connection: Arc<Connection>,
    /// When the connection is old, and its client is asked to leave.
    pub(super) old: Option<Instant>,
    pub(super) notices: Arc<Notices>,
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = Exchange::begin(&self.connection, request.body().size_hint().exact());
        let notices = &self.notices;
        // hyper puts it there if the client asks for an upgrade.
        let asks_for_upgrade = request.extensions().get::<OnUpgrade>().is_some();
        let upgrade = asks_for_upgrade.then(Arc::<Upgrade>::default);
        let mut request = request.map(|incoming| RequestBody::new(incoming, notices.idle_body_timeout));
        let extensions = request.extensions_mut();
        extensions.extend(notices.extensions.clone());
        if let Some(upgrade) = &upgrade {
            extensions.insert(notices.stopping.holding(Arc::clone(upgrade)));
        }
        extensions.insert(Peer(self.peer.clone()));
        let call = Call {
            exchange: Some(exchange),
            upgrade,
            is_connect: request.method() == Method::CONNECT,
            version: request.version(),
            old: self.old,
            notices: Arc::clone(notices),
        };
        let service = self.service.clone();
        match &notices.finisher {
            Some(seat) => {
                let answer = Answer::waits(service, request);
                Box::pin(finish(seat.clone(), Respond { answer, call }))
            }
            // It runs in a task of its own, and its panics are to end that.
            None if call.version == Version::HTTP_2 => {
                let answer = Answer::waits(service, request);
                Box::pin(Respond { answer, call })
            }
            None => Box::pin(Respond { answer: Answer::begin(service, request), call }),
        }
    }
}

/// What goes with one request.
struct Call {
    /// Until its response has begun.
    exchange: Option<Exchange>,
    upgrade: Option<Arc<Upgrade>>,
    is_connect: bool,
    version: Version,
    old: Option<Instant>,
    notices: Arc<Notices>,
}

pin_project! {
    /// Calls the service, and looks at its response. An `async fn` would keep what it is given twice.
    struct Respond<S, F> {
        // Dropped before the exchange, so that the request is under way until all of it is gone.
        #[pin]
        answer: Answer<S, F>,
        call: Call,
    }
}

pin_project! {
    #[project = ProjectedAnswer]
    enum Answer<S, F> {
        // The service is not ready yet.
        Waits { service: S, request: Option<Request<RequestBody>> },
        Comes { #[pin] future: F },
        Fails { error: Option<BoxError> },
    }
}

impl<S: Service<Request<RequestBody>, Error: Into<BoxError>>> Answer<S, S::Future> {
    fn waits(service: S, request: Request<RequestBody>) -> Self {
        Self::Waits { service, request: Some(request) }
    }

    /// Calls the service at once if it is ready: most are, and a request is moved less often. One that is not is asked
    /// again by the task, which is then woken.
    fn begin(mut service: S, request: Request<RequestBody>) -> Self {
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Comes { future: service.call(request) },
            Poll::Ready(Err(error)) => Self::Fails { error: Some(error.into()) },
            Poll::Pending => Self::waits(service, request),
        }
    }
}

impl<S, B> Future for Respond<S, S::Future>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.answer.as_mut().project() {
                ProjectedAnswer::Waits { service, request } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let request = request.take().expect("a future is not polled after it is ready");
                    let future = service.call(request);
                    this.answer.set(Answer::Comes { future });
                }
                ProjectedAnswer::Comes { future } => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    return Poll::Ready(Ok(this.call.answered_with(response)));
                }
                ProjectedAnswer::Fails { error } => {
                    return Poll::Ready(Err(error.take().expect("a future is not polled after it is ready")));
                }
            }
        }
    }
}

impl Call {
    fn answered_with<B: Body>(&mut self, mut response: Response<B>) -> Response<ResponseBody<B>> {
        let mut exchange = self.exchange.take().expect("a request is answered once");
        let is_upgrade = is_upgrade(self.is_connect, &response);
        if is_upgrade {
            exchange.is_upgrade();
            if let Some(upgrade) = &self.upgrade {
                upgrade.happens(exchange.connection());
            }
        } else if is_endless(&response) {
            exchange.is_endless();
        }
        if !is_upgrade && !has_known_end(&response) {
            exchange.has_no_known_end();
        }
        let is_old = self.old.is_some_and(|old| old <= Instant::now());
        if !is_upgrade && (is_old || self.notices.leaving.is_raised()) {
            close_after(self.version, &mut response);
        }
        response.map(|body| ResponseBody::new(body, exchange))
    }
}

/// Runs a handler in a task of its own. It goes on to its end when its client has left, when hyper drops this future.
async fn finish<B>(
    seat: Seat,
    respond: impl Future<Output = Result<Response<ResponseBody<B>>, BoxError>> + Send + 'static,
) -> Result<Response<ResponseBody<B>>, BoxError>
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
