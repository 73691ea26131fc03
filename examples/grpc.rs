//! gRPC with tonic. When the server stops, calls under way are answered, and a stream does not break but ends with a
//! status that tells the client to try elsewhere. tonic's `Routes` are a tower service, so `serve_http` serves them as
//! they are. Services that `tonic-build` generates from your own `.proto` are added in the same way.
//!
//! The service here is gRPC's [health protocol], which has a call and a stream. Clients that watch it get `NOT_SERVING`
//! as soon as the application is draining, while everything is still served.
//!
//! Run it with `LIFECYCLE_DRAIN_DELAY=2s cargo run --example grpc` (without a delay, the stream ends at once), call it
//! with `grpcurl -plaintext -proto health.proto 127.0.0.1:50051 grpc.health.v1.Health/Watch`, and send it a SIGTERM (after
//! a Ctrl-C at a terminal there is no delay).
//!
//! `test-graceful-shutdown.sh` tests it with a stream: an empty message (`printf '\0\0\0\0\0' > empty`) is a valid
//! request.
//!
//! ```text
//! LIFECYCLE_DRAIN_DELAY=2s examples/test-graceful-shutdown.sh --url http://127.0.0.1:50051/grpc.health.v1.Health/Watch \
//!     --curl --http2-prior-knowledge --curl --header --curl 'content-type: application/grpc' \
//!     --curl --data-binary --curl @empty -- target/debug/examples/grpc
//! ```
//!
//! You can also keep tonic's own server, with the layer [`InFlight`](lifecycle::InFlight) and a task of the resource:
//!
//! ```ignore
//! let server = Server::builder().layer(cx.in_flight()).add_service(health);
//! cx.spawn("server", |stopping| server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stopping));
//! ```
//!
//! [health protocol]: https://grpc.io/docs/guides/health-checking/

use std::io::{IsTerminal, stdout};
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use lifecycle::{Acquire, Resource, Stopping, resource};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

#[resource(foundation)]
struct Log;

impl Resource for Log {
    async fn acquire(_: &Acquire<Self>) -> lifecycle::Result<Self> {
        let log = tracing_subscriber::fmt().with_target(false).log_internal_errors(false);
        // No colour codes in a file. At a terminal, `NO_COLOR` turns them off.
        let log = if stdout().is_terminal() { log } else { log.with_ansi(false) };
        log.init();
        Ok(Self)
    }
}

#[resource]
struct Grpc;

impl Resource for Grpc {
    async fn acquire(cx: &Acquire<Self>) -> lifecycle::Result<Self> {
        let port = std::env::var("PORT").unwrap_or_else(|_| "50051".to_owned());
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        tracing::info!("listening on http://{}", listener.local_addr()?);
        let service = Service { draining: cx.draining(), stopping: cx.stopping() };
        cx.serve_http(listener, Routes::new(HealthServer::new(service)));
        Ok(Self)
    }
}

struct Service {
    draining: Stopping,
    stopping: Stopping,
}

#[tonic::async_trait]
impl Health for Service {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let status =
            if self.draining.is_stopping() { ServingStatus::NotServing } else { ServingStatus::Serving };
        Ok(Response::new(response(status)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let draining = self.draining.clone();
        let serving = stream::once(async { ServingStatus::Serving });
        let not_serving = stream::once(async {
            draining.await;
            ServingStatus::NotServing
        });
        // This stream lasts as long as the server, like any stream of news.
        let news = serving.chain(not_serving).chain(stream::pending()).map(|status| Ok(response(status)));
        // At the server's turn, say why the stream ends. A stream that just ends counts as complete, with status OK.
        let goodbye = stream::once(async { Err(Status::unavailable("the server is restarting")) });
        Ok(Response::new(Box::pin(news.take_until(self.stopping.clone()).chain(goodbye))))
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[lifecycle::main]
async fn main() {}
