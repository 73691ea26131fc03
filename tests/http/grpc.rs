//! gRPC, by tonic: calls are answered, and streams end with a status.

use std::collections::HashSet;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Extension;
use axum::extract::Request as HttpRequest;
use axum::middleware::map_request;
use futures_util::{Stream, StreamExt, stream};
use lifecycle::http::Peer;
use lifecycle::{Phase, Stopping};
use lifecycle_tests::harness::path::path_to;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::support::{Gate, Running, begin, bounded, impatient, opens_a_stream_after_goaway, patient};

/// A call that passes a gate, and streams that go on until the notice, or past it.
struct Service {
    gate: Gate,
    stopping: Stopping,
}

/// How a stream ends when it has the notice.
const WITH_OK: &str = "with OK";
const WITH_A_STATUS: &str = "with a status";
const NEVER: &str = "never";

#[tonic::async_trait]
impl Health for Service {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.gate.pass().await;
        Ok(Response::new(serving()))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let news = || stream::iter([Ok(serving())]).chain(stream::pending());
        let until = news().take_until(self.stopping.clone());
        Ok(Response::new(match request.get_ref().service.as_str() {
            WITH_OK => Box::pin(until),
            WITH_A_STATUS => Box::pin(until.chain(stream::iter([Err(Status::unavailable("restarting"))]))),
            _ => Box::pin(news()),
        }))
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: ServingStatus::Serving.into() }
}

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn client(running: &Running) -> HealthClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address)).unwrap();
    HealthClient::new(endpoint.connect().await.unwrap())
}

/// A stream that has begun: its first message was read.
async fn stream(client: &HealthClient<Channel>, ends: &str) -> Streaming<HealthCheckResponse> {
    let mut stream = client.clone().watch(request(ends)).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap(), Some(serving()));
    stream
}

/// tonic's routes, served by the framework.
async fn served(builder: lifecycle::Builder, gate: &Gate) -> Running {
    let gate = gate.clone();
    begin(builder, |cx, listener| {
        let service = Service { gate, stopping: cx.stopping() };
        cx.serve_http(listener, Routes::new(HealthServer::new(service)));
    })
    .await
}

/// What a server has seen.
struct Seen {
    calls: AtomicU32,
    peers: Mutex<HashSet<SocketAddr>>,
    /// Somebody arrives when there is a new peer.
    new: Gate,
}

impl Seen {
    fn call(&self, peer: SocketAddr) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.peers.lock().unwrap().insert(peer) {
            self.new.arrive();
        }
    }
}

/// tonic's routes, served by the framework, each call of which is seen.
async fn seen(builder: lifecycle::Builder, gate: &Gate, seen: &Arc<Seen>) -> Running {
    let (gate, seen) = (gate.clone(), Arc::clone(seen));
    begin(builder, |cx, listener| {
        let service = Service { gate, stopping: cx.stopping() };
        let see =
            map_request(move |Extension(Peer(peer)): Extension<Peer<SocketAddr>>, request: HttpRequest| {
                seen.call(peer);
                ready(request)
            });
        let routes = Routes::new(HealthServer::new(service)).into_axum_router();
        cx.serve_http(listener, routes.layer(see));
    })
    .await
}

/// tonic's own server, with the layer.
async fn layered(builder: lifecycle::Builder, gate: &Gate) -> Running {
    let gate = gate.clone();
    begin(builder, |cx, listener| {
        let service = HealthServer::new(Service { gate, stopping: cx.stopping() });
        let server = Server::builder().layer(cx.in_flight()).add_service(service);
        cx.spawn("server", |stopping| {
            server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stopping)
        });
    })
    .await
}

/// A call is under way, and streams are open, when the turn begins.
async fn all_end_well(running: Running, gate: &Gate) {
    let mut client = client(&running).await;
    let mut complete = stream(&client, WITH_OK).await;
    let mut told = stream(&client, WITH_A_STATUS).await;
    let answer = tokio::spawn(async move { client.check(request("")).await });
    gate.begun(1).await;
    running.stop().await;

    assert_eq!(complete.message().await.unwrap(), None);
    assert!(complete.trailers().await.unwrap().is_some(), "a stream that ends has a status");
    let status = told.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "restarting"));

    gate.open(1);
    assert_eq!(answer.await.unwrap().unwrap().into_inner(), serving());
    running.ends_clean().await;
}

#[tokio::test]
async fn calls_under_way_are_answered_and_streams_end_with_a_status() {
    bounded(async {
        let gate = Gate::new();
        all_end_well(served(patient(), &gate).await, &gate).await;
    })
    .await;
}

#[tokio::test]
async fn so_do_those_of_tonics_own_server() {
    bounded(async {
        let gate = Gate::new();
        all_end_well(layered(patient(), &gate).await, &gate).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_crosses_the_goaway_of_tonics_own_server_is_served() {
    bounded(async {
        let running = layered(patient(), &Gate::new()).await;
        opens_a_stream_after_goaway(&running).await;
        running.ends_clean().await;
    })
    .await;
}

/// Clients that call all the time. tonic connects again by itself; a call that it had not sent by then fails.
#[tokio::test]
async fn in_the_delay_clients_move_to_other_connections_and_no_call_is_lost() {
    const CLIENTS: u32 = 8;
    bounded(async {
        let saw = Arc::new(Seen { calls: AtomicU32::new(0), peers: Mutex::default(), new: Gate::new() });
        let gate = Gate::new();
        gate.open(1 << 20);
        let builder = patient().shutdown_timeout(Duration::from_secs(30)).drain_delay(Duration::from_secs(8));
        let running = seen(builder, &gate, &saw).await;
        let address = path_to(running.address, Duration::from_millis(5));
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let is_enough = Arc::new(AtomicBool::new(false));
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = HealthClient::new(endpoint.connect().await.unwrap());
            let is_enough = Arc::clone(&is_enough);
            clients.push(tokio::spawn(async move {
                let mut answered = 0;
                while !is_enough.load(Ordering::Relaxed) {
                    answered += u32::from(client.check(request("")).await.is_ok());
                }
                answered
            }));
        }
        saw.new.begun(CLIENTS).await;
        running.drain().await;
        saw.new.begun(CLIENTS).await;
        is_enough.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for client in clients {
            answered += client.await.unwrap();
        }
        assert_eq!(answered, saw.calls.load(Ordering::Relaxed), "all calls that began are answered");
        assert_eq!(running.app.phase(), Phase::Draining);
        running.app.insist();
        assert_eq!(running.end().await.exit_code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_never_answered_counts_and_an_endless_stream_does_not() {
    bounded(async {
        let gate = Gate::new();
        let running = served(impatient(), &gate).await;
        let mut endless = stream(&client(&running).await, NEVER).await;
        // On a connection of its own: what counts is connections.
        let mut caller = client(&running).await;
        let answer = tokio::spawn(async move { caller.check(request("")).await });
        gate.begun(1).await;
        running.stop().await;
        endless.message().await.unwrap_err();
        answer.await.unwrap().unwrap_err();
        running.ends_cut(2, 1).await;
    })
    .await;
}
