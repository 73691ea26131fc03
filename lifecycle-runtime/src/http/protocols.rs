//! What a server speaks, hyper's settings for it, and hyper's connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::Boxed;
use super::ledger::{Connection, Protocol};
use super::socket::Stream;
use super::timer::TaskTimer;
use crate::driver::{CatchPanic, Panic, Seat, Witness, Witnessed};
use crate::model::failure::{BoxError, Result};

/// How long a peer may take to answer a ping of HTTP/2.
const PONG: Duration = Duration::from_secs(20);

/// The protocols of a server, and hyper's settings for each.
#[derive(Clone)]
pub(super) struct Protocols {
    pub(super) only: Option<Protocol>,
    pub(super) http1: http1::Builder,
    pub(super) http2: Vec<Arc<ConfigureHttp2>>,
}

pub(super) type ConfigureHttp2 = dyn Fn(&mut http2::Builder<StreamExecutor>) + Send + Sync;

impl Protocols {
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        // A client that has shut down its write side after the request still reads the response. Only that of a response
        // without an end cannot be told from one that has left.
        http1.half_close(true);
        // With a timer hyper would have a limit of its own for the head. Without one, to set that limit would panic.
        http1.timer(TaskTimer).header_read_timeout(None);
        Self { only: None, http1, http2: Vec::new() }
    }

    fn http2(&self, streams: StreamExecutor, ping: Option<Duration>) -> http2::Builder<StreamExecutor> {
        let mut builder = http2::Builder::new(streams);
        builder.timer(TaskTimer).keep_alive_interval(ping).keep_alive_timeout(PONG);
        for configure in &self.http2 {
            configure(&mut builder);
        }
        builder
    }
}

impl fmt::Debug for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protocols")
            .field("only", &self.only)
            .field("http1", &self.http1)
            .finish_non_exhaustive()
    }
}

type Http1<Io, X> = http1::UpgradeableConnection<TokioIo<Stream<Io>>, X>;
type Http2<Io, X> = http2::Connection<TokioIo<Stream<Io>>, Boxed<X>, StreamExecutor>;
type Served<O, Io, X> = Conversation<O, Http1<Io, X>, Http2<Io, X>>;

pin_project! {
    /// A connection as hyper serves it, once it is known what it speaks.
    #[project = Projected]
    pub(super) enum Conversation<O, H1, H2> {
        Unknown { opening: Option<O> },
        Http1 { #[pin] connection: H1 },
        Http2 { #[pin] connection: H2 },
    }
}

/// What a connection begins with.
pub(super) struct Opening<'a, Io, X> {
    pub(super) protocols: &'a Protocols,
    pub(super) ping: Option<Duration>,
    pub(super) streams: StreamExecutor,
    pub(super) stream: Stream<Io>,
    pub(super) exchanges: X,
}

impl<'a, Io, X, B> Served<Opening<'a, Io, X>, Io, X>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    X: Service<Request<Incoming>, Response = Response<B>, Error = BoxError, Future: Send + 'static>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    pub(super) fn new(opening: Opening<'a, Io, X>) -> Self {
        Self::Unknown { opening: Some(opening) }
    }

    /// Ends the connection as soon as nothing is under way. One that has not said what it speaks ends at once.
    pub(super) fn graceful_shutdown(self: Pin<&mut Self>) {
        match self.project() {
            Projected::Unknown { opening } => *opening = None,
            Projected::Http1 { connection } => connection.graceful_shutdown(),
            Projected::Http2 { connection } => connection.graceful_shutdown(),
        }
    }
}

impl<Io, X, B> Future for Served<Opening<'_, Io, X>, Io, X>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    X: Service<Request<Incoming>, Response = Response<B>, Error = BoxError, Future: Send + 'static>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let opening = match self.as_mut().project() {
                Projected::Unknown { opening } => opening,
                Projected::Http1 { connection } => return connection.poll(cx).map_err(Into::into),
                Projected::Http2 { connection } => return connection.poll(cx).map_err(Into::into),
            };
            let protocol = match opening {
                Some(Opening { protocols: Protocols { only: Some(protocol), .. }, .. }) => *protocol,
                Some(Opening { stream, .. }) => ready!(stream.poll_protocol(cx))?,
                None => return Poll::Ready(Ok(())),
            };
            if let Some(opening) = opening.take() {
                self.set(opening.begin(protocol));
            }
        }
    }
}

impl<Io, X, B> Opening<'_, Io, X>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    X: Service<Request<Incoming>, Response = Response<B>, Error = BoxError, Future: Send + 'static>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    fn begin<O>(self, protocol: Protocol) -> Served<O, Io, X> {
        let Self { protocols, ping, streams, stream, exchanges } = self;
        let io = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let connection = protocols.http1.serve_connection(io, exchanges).with_upgrades();
                Conversation::Http1 { connection }
            }
            Protocol::Http2 => {
                let connection = protocols.http2(streams, ping).serve_connection(io, Boxed(exchanges));
                Conversation::Http2 { connection }
            }
        }
    }
}

/// Runs the streams of an HTTP/2 connection: each is part of the connection, and ends with it at the cut-off. It is the
/// executor of the builder that [`HttpServer::configure_http2`](super::HttpServer::configure_http2) hands out.
#[derive(Clone, Debug)]
pub struct StreamExecutor {
    pub(super) seat: Seat,
    pub(super) connection: Arc<Connection>,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.connection.stream_begins();
        let witness = StreamWitness(Arc::clone(&self.connection));
        self.seat.spawn_unboxed(Witnessed::new(CatchPanic::new(stream), witness));
    }
}

/// The task of a stream. It need not be aborted: hyper ends the streams of a connection that is gone.
struct StreamWitness(Arc<Connection>);

impl Witness<Result<(), Panic>> for StreamWitness {
    fn saw(&mut self, output: Result<(), Panic>) {
        if let Err(panic) = output {
            self.0.warn_of_panic(panic);
        }
    }
}

impl Drop for StreamWitness {
    fn drop(&mut self) {
        self.0.stream_has_ended();
    }
}
