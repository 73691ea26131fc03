//! One request and its response, between hyper and the user's service.

use std::future::{Future, pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_service::Service;

use super::Peer;
use super::ledger::{Connection, Exchange};
use super::request_body::RequestBody;
use super::response::{ResponseBody, close_after, is_endless};
use super::streams::Streams;
use super::upgrade::Upgrade;
use crate::driver::{CatchPanic, Panic, Seat, SeatToken};
use crate::handles::stopping::Stopping;
use crate::model::failure::BoxError;

/// What every request of a server is given.
#[derive(Debug)]
pub(super) struct Notices {
    pub(super) stopping: Stopping,
    /// Clients are asked to leave.
    pub(super) leaving: SeatToken,
    pub(super) idle_body_timeout: Option<Duration>,
    /// Handlers run to their end, in tasks of this resource.
    pub(super) finisher: Option<Seat>,
}

/// The user's service, as hyper calls it for one connection.
#[derive(Debug)]
pub(super) struct Exchanges<S, A> {
    pub(super) service: S,
    pub(super) peer: A,
    pub(super) connection: Arc<Connection>,
    /// When the connection is old, and its client is asked to leave.
    pub(super) old: Option<Instant>,
    pub(super) streams: Arc<Streams>,
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
        let exchange = self.connection.begin(request.body().size_hint().exact());
        let notices = Arc::clone(&self.notices);
        // hyper puts it there if the client asks for an upgrade.
        let asks_for_upgrade = request.extensions().get::<OnUpgrade>().is_some();
        let upgrade = asks_for_upgrade.then(Arc::<Upgrade>::default);
        let mut request = request.map(|incoming| RequestBody::new(incoming, notices.idle_body_timeout));
        let stopping = match &upgrade {
            Some(upgrade) => notices.stopping.holding(Arc::clone(upgrade)),
            None => notices.stopping.clone(),
        };
        request.extensions_mut().insert(stopping);
        request.extensions_mut().insert(Peer(self.peer.clone()));
        let streams = (request.version() == Version::HTTP_2).then(|| Arc::clone(&self.streams));
        let call = Call { request, exchange, upgrade, streams, old: self.old };
        let respond = respond(self.service.clone(), call, Arc::clone(&notices));
        match &notices.finisher {
            Some(seat) => Box::pin(finish(seat.clone(), respond)),
            None => Box::pin(respond),
        }
    }
}

/// One request, and what goes with it.
struct Call {
    request: Request<RequestBody>,
    exchange: Exchange,
    upgrade: Option<Arc<Upgrade>>,
    /// Of HTTP/2.
    streams: Option<Arc<Streams>>,
    old: Option<Instant>,
}

/// Calls the service, and looks at its response.
async fn respond<S, B>(
    mut service: S,
    call: Call,
    notices: Arc<Notices>,
) -> Result<Response<ResponseBody<B>>, BoxError>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body,
{
    let Call { request, mut exchange, upgrade, streams, old } = call;
    let (is_connect, version) = (request.method() == Method::CONNECT, request.version());
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    let mut response = service.call(request).await.map_err(Into::into)?;
    let is_upgrade = is_upgrade(is_connect, &response);
    if is_upgrade {
        exchange.is_upgrade();
        if let Some(upgrade) = &upgrade {
            upgrade.happens(exchange.connection());
        }
    } else if is_endless(&response) {
        exchange.is_endless();
    }
    if !is_upgrade && response.body().size_hint().exact().is_none() {
        exchange.has_no_known_end();
    }
    let is_old = old.is_some_and(|old| old <= Instant::now());
    if !is_upgrade && (is_old || notices.leaving.is_raised()) {
        close_after(version, &mut response);
    }
    Ok(response.map(|body| ResponseBody::new(body, exchange, streams)))
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
        let Some(result) = abort.run_until_owned(CatchPanic::new(respond)).await else { return };
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
