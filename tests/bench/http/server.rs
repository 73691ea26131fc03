//! Servers that answer `OK`: hyper-util's loop, axum, and those of the framework.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use lifecycle::{Acquire, App, Resource, Result, resource};
use tokio::net::TcpListener;
use tower_layer::layer_fn;
use tower_service::Service;

use crate::application::{self, LIMIT};

/// A way to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A loop around hyper-util's connections, as one writes it without a framework.
    HyperUtil,
    ServeHttp,
    Axum,
    /// axum with a layer that does nothing.
    EmptyLayer,
    /// axum with the layer that counts.
    InFlight,
}

impl Way {
    pub(super) const ALL: [Self; 5] =
        [Self::HyperUtil, Self::ServeHttp, Self::Axum, Self::EmptyLayer, Self::InFlight];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HyperUtil => "hyper-util",
            Self::ServeHttp => "serve_http",
            Self::Axum => "axum::serve",
            Self::EmptyLayer => "axum::serve, empty layer",
            Self::InFlight => "axum::serve, InFlight",
        }
    }
}

/// A server that runs in the background of a runtime.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    app: Option<App>,
}

impl Server {
    pub(super) async fn start(way: Way) -> Self {
        if let Way::ServeHttp | Way::InFlight = way {
            let app = builder(way).start().await.expect("there is a port");
            return Self { address: address(&app, way), app: Some(app) };
        }
        let listener = bind().await;
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(serve(way, listener, std::future::pending()));
        Self { address, app: None }
    }

    pub(super) async fn stop(self) {
        if let Some(app) = self.app {
            application::stop(app).await;
        }
    }
}

/// Runs a server until the process is asked to end. Calls `ready` when it serves.
#[cfg(unix)]
pub(super) async fn run(way: Way, ready: impl FnOnce(SocketAddr)) {
    use tokio::signal::unix::{SignalKind, signal};

    if let Way::ServeHttp | Way::InFlight = way {
        let app = builder(way).handle_signals().start().await.expect("there is a port");
        ready(address(&app, way));
        std::process::exit(app.run().await.exit_code.into());
    }
    let listener = bind().await;
    let mut asked = signal(SignalKind::terminate()).expect("the signal can be caught");
    ready(listener.local_addr().expect("it is bound"));
    let asked = async move {
        asked.recv().await;
    };
    serve(way, listener, asked).await;
}

/// Serves without the framework, until `asked` and then until the connections are closed.
async fn serve(way: Way, listener: TcpListener, asked: impl Future<Output = ()> + Send + 'static) {
    let routes = routes();
    let routes = if way == Way::EmptyLayer { routes.layer(layer_fn(Empty)) } else { routes };
    if way == Way::HyperUtil {
        return serve_by_hand(listener, routes, asked).await;
    }
    axum::serve(listener, routes).with_graceful_shutdown(asked).await.expect("axum does not fail");
}

async fn serve_by_hand(listener: TcpListener, routes: Router, asked: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut asked = std::pin::pin!(asked);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.expect("there are descriptors"),
            () = &mut asked => break,
        };
        stream.set_nodelay(true).expect("it is a TCP socket");
        let service = TowerToHyperService::new(routes.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn routes() -> Router {
    Router::new().route("/", get("OK"))
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("there is a port")
}

/// What a layer costs that does nothing.
#[derive(Clone)]
struct Empty<S>(S);

impl<S> Service<Request> for Empty<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.0.call(request)
    }
}

fn builder(way: Way) -> lifecycle::Builder {
    let builder = App::builder().startup_timeout(None).shutdown_timeout(LIMIT);
    match way {
        Way::InFlight => builder.resources::<(Layered,)>(),
        _ => builder.resources::<(Whole,)>(),
    }
}

fn address(app: &App, way: Way) -> SocketAddr {
    match way {
        Way::InFlight => app.get::<Layered>().address,
        _ => app.get::<Whole>().address,
    }
}

/// `serve_http`.
#[resource]
struct Whole {
    address: SocketAddr,
}

impl Resource for Whole {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = bind().await;
        let address = listener.local_addr()?;
        cx.serve_http(listener, routes());
        Ok(Self { address })
    }
}

/// `InFlight` around the service of another server.
#[resource]
struct Layered {
    address: SocketAddr,
}

impl Resource for Layered {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = bind().await;
        let address = listener.local_addr()?;
        let routes = routes().layer(cx.in_flight());
        cx.spawn("server", |stopping| async {
            axum::serve(listener, routes).with_graceful_shutdown(stopping).await
        });
        Ok(Self { address })
    }
}
