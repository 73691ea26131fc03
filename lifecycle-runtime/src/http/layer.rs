//! A tower layer that counts requests, for servers other than ours.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::response::{close_after, is_endless, known_length};
use crate::driver::counter::Standing;
use crate::driver::{KnownUnit, Seat, SeatToken};
use crate::engine::event::Event;
use crate::handles::stopping::Stopping;
use crate::handles::tasks::Tasks;
use crate::model::units::Units;

/// A tower layer that counts the requests in flight of a resource, for any server: axum's own, tonic's, plain hyper.
///
/// * A request is in flight until its response body is complete or dropped, also if the handler panics, the body fails
///   half-way, or the client disconnects. At its turn, the resource waits for what is in flight (rule R2).
/// * For as long as anything of the resource is in flight, requests are served, also after the turn has begun: a stream
///   of HTTP/2 that crossed the server's GOAWAY, for example. It is for the server to take no more connections then;
///   hand it the notice of the turn, as below.
/// * Once the turn has begun and nothing is in flight any more, requests are answered with 503 and `Retry-After: 1`,
///   without calling the service: what the resource comes after may already be gone.
/// * From the beginning of the drain delay, HTTP/1 responses carry `Connection: close` (rule D4). HTTP/2 has nothing
///   of the kind in a response: there, only [`serve_http`](crate::Acquire::serve_http) asks clients to leave before the
///   turn. The layer also makes the platform's default drain delay apply.
/// * At the cut-off, an unfinished request counts for the exit code, unless its response has begun and is
///   [endless](super::Endless) (rule E1).
///
/// Use it if you already have a server. Otherwise use [`serve_http`](crate::Acquire::serve_http), which does more and
/// needs no layer: it also sees connections without a request and upgraded connections, and can end them.
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
///         let routes = Router::new().route("/", get("OK")).layer(cx.in_flight());
///         cx.spawn("server", |stopping| async {
///             axum::serve(listener, routes).with_graceful_shutdown(stopping).await
///         });
///         Ok(Http)
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct InFlight {
    seat: Seat,
}

impl InFlight {
    /// Counts the requests as units in flight of the resource that `tasks` belongs to.
    /// [`Acquire::in_flight`](crate::Acquire::in_flight) is a shorthand.
    #[must_use]
    pub fn new(tasks: &Tasks) -> Self {
        tasks.seat.send(Event::Serves);
        Self { seat: tasks.seat.clone() }
    }
}

impl<S> Layer<S> for InFlight {
    type Service = InFlightService<S>;

    fn layer(&self, service: S) -> InFlightService<S> {
        InFlightService { service, seat: self.seat.clone() }
    }
}

/// A service whose requests are counted. Created by [`InFlight`].
#[derive(Clone, Debug)]
pub struct InFlightService<S> {
    service: S,
    seat: Seat,
}

impl<S, Q, B> Service<Request<Q>> for InFlightService<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<InFlightBody<B>>;
    type Error = S::Error;
    type Future = InFlightFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let (version, leaving) = (request.version(), self.seat.leaving());
        let Some(unit) = self.seat.enter() else {
            return InFlightFuture { response: None, unit: None, version, leaving };
        };
        // A request to our own server of the same resource is counted there.
        let notice = request.extensions().get::<Stopping>();
        let is_counted = notice.is_some_and(|notice| notice.is_of(&self.seat));
        let unit = (!is_counted).then(|| unit.known_as(Units { requests: 1, ..Units::default() }));
        InFlightFuture { response: Some(self.service.call(request)), unit, version, leaving }
    }
}

pin_project! {
    /// The future of a response of an [`InFlightService`].
    #[derive(Debug)]
    pub struct InFlightFuture<F> {
        // Dropped before the unit, so that a request is counted until all of it is gone.
        #[pin]
        response: Option<F>,
        unit: Option<KnownUnit>,
        version: Version,
        leaving: SeatToken,
    }
}

impl<F, B, E> Future for InFlightFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<InFlightBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let is_leaving = this.leaving.is_raised();
        let Some(response) = this.response.as_pin_mut() else {
            let mut response = refusal();
            if is_leaving {
                close_after(*this.version, &mut response);
            }
            return Poll::Ready(Ok(response));
        };
        let mut response = ready!(response.poll(cx))?;
        if is_leaving && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            close_after(*this.version, &mut response);
        }
        if is_endless(&response, known_length(&response)) {
            this.unit.iter_mut().for_each(excuse);
        }
        Poll::Ready(Ok(response.map(|body| InFlightBody { body: Some(body), unit: this.unit.take() })))
    }
}

fn refusal<B>() -> Response<InFlightBody<B>> {
    let mut response = Response::new(InFlightBody::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

pin_project! {
    /// The response body of an [`InFlightService`]. Its request is in flight until the body is complete.
    #[derive(Debug)]
    pub struct InFlightBody<B> {
        #[pin]
        body: Option<B>,
        unit: Option<KnownUnit>,
    }
}

fn excuse(unit: &mut KnownUnit) {
    unit.stand(Standing::Excused);
    unit.is(Units { streams: 1, ..Units::default() });
}

/// An empty body, for what layers around this one answer by themselves: a time-out, for example.
impl<B> Default for InFlightBody<B> {
    fn default() -> Self {
        Self { body: None, unit: None }
    }
}

impl<B: Body> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(body.poll_frame(cx));
        if frame.is_none() {
            this.body.set(None);
            *this.unit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
