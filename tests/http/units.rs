//! What is in flight is told apart: requests, streams, upgraded connections, tasks; and idle connections, which are not.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifecycle::Units;
use tokio::net::TcpStream;

use super::support::{Gate, Running, begin, bounded, impatient, own_server, patient, serve, web};

/// With a request that passes the gate, an event stream, a WebSocket, and a response that is large.
pub(crate) fn routes(gate: &Gate) -> Router {
    let gate = gate.clone();
    let slow = get(|| async move {
        gate.pass().await;
        "slow"
    });
    let first = || stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"one"))]);
    let events = get(move || async move {
        ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(first().chain(stream::pending())))
    });
    let socket = get(|upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move { while let Some(Ok(_)) = socket.recv().await {} })
    });
    let large = get(|| async { Bytes::from(vec![b'x'; 32 << 20]) });
    Router::new()
        .route("/", get("OK"))
        .route("/slow", slow)
        .route("/events", events)
        .route("/socket", socket)
        .route("/large", large)
}

pub(crate) async fn http2(running: &Running) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://test{path}")).body(Empty::new()).unwrap()
}

/// Requests, streams, upgraded connections, idle connections. There is one task besides, that of the server.
async fn has(running: &Running, expected: [usize; 4]) {
    let found = || {
        let Units { requests, streams, upgraded, idle, .. } = running.units();
        [requests, streams, upgraded, idle]
    };
    while found() != expected {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.units().tasks, 1);
}

#[tokio::test]
async fn one_request_and_twenty_idle_connections_are_one_in_flight() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), routes(&gate)).await;
        let mut idle = Vec::new();
        for _ in 0..20 {
            idle.push(running.known().await);
        }
        let mut busy = running.connect().await;
        busy.get("/slow").await;
        gate.begun(1).await;
        has(&running, [1, 0, 0, 20]).await;
        assert_eq!(running.units().in_flight(), 2, "the request, and the task of the server");
        running.stop().await;
        gate.open(1);
        assert_eq!(busy.answer().await.body, "slow");
        let report = running.end().await;
        let begun_with = web(&report).in_flight_by_kind;
        assert_eq!((begun_with.requests, begun_with.idle, web(&report).in_flight), (1, 20, 2), "{report}");
        assert!(report.to_string().contains("2 (1 request, 20 idle connections, 1 task)\n"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn streams_of_one_connection_count_one_by_one() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(impatient(), routes(&gate)).await;
        let mut client = http2(&running).await;
        has(&running, [0, 0, 0, 1]).await;
        let slow: Vec<_> = (0..5).map(|_| tokio::spawn(client.send_request(request("/slow")))).collect();
        gate.begun(5).await;
        let events = client.send_request(request("/events")).await.unwrap();
        has(&running, [5, 1, 0, 0]).await;
        gate.open(3);
        has(&running, [2, 1, 0, 0]).await;
        running.stop().await;
        let report = running.ends_cut(3, 1).await;
        assert!(report.contains(", 3 cut off: 2 requests, 1 stream (not counted)\n"), "{report}");
        drop((slow, events));
    })
    .await;
}

/// The handler has given all of it away, and none of it fits into the windows of the client.
#[tokio::test]
async fn responses_that_are_not_read_count_one_by_one() {
    bounded(async {
        let running = serve(impatient(), routes(&Gate::new())).await;
        let mut client = http2(&running).await;
        let mut unread = Vec::new();
        for _ in 0..3 {
            unread.push(client.send_request(request("/large")).await.unwrap());
        }
        has(&running, [3, 0, 0, 0]).await;
        running.stop().await;
        let report = running.ends_cut(3, 0).await;
        assert!(report.contains(", 3 cut off: 3 requests\n"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_becomes_what_its_requests_are() {
    bounded(async {
        let running = serve(impatient(), routes(&Gate::new())).await;
        let mut peer = running.known().await;
        has(&running, [0, 0, 0, 1]).await;
        peer.get("/events").await;
        peer.until("one\r\n").await;
        has(&running, [0, 1, 0, 0]).await;
        let url = format!("ws://{}/socket", running.address);
        let (socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        has(&running, [0, 1, 1, 0]).await;
        running.stop().await;
        let report = running.ends_cut(2, 2).await;
        let cut = ", 2 cut off: 1 stream (not counted), 1 upgraded connection (not counted)\n";
        assert!(report.contains(cut), "{report}");
        drop(socket);
    })
    .await;
}

#[tokio::test]
async fn everything_that_has_ended_is_gone() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), routes(&gate)).await;
        let mut client = http2(&running).await;
        gate.open(1);
        client.send_request(request("/slow")).await.unwrap().into_body().collect().await.unwrap();
        drop(client.send_request(request("/events")).await.unwrap());
        let url = format!("ws://{}/socket", running.address);
        drop(tokio_tungstenite::connect_async(&url).await.unwrap());
        drop(running.known().await);
        has(&running, [0, 0, 0, 1]).await;
        drop(client);
        has(&running, [0, 0, 0, 0]).await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn the_layer_tells_them_apart_too() {
    bounded(async {
        let gate = Gate::new();
        let running = own_server(impatient(), routes(&gate)).await;
        let mut busy = running.connect().await;
        busy.get("/slow").await;
        gate.begun(1).await;
        let mut events = running.connect().await;
        events.get("/events").await;
        events.until("one\r\n").await;
        has(&running, [1, 1, 0, 0]).await;
        running.stop().await;
        let report = running.ends_cut(2, 1).await;
        assert!(report.contains(", 2 cut off: 1 request, 1 stream (not counted)\n"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn a_request_to_our_own_server_is_not_counted_by_the_layer_again() {
    bounded(async {
        let gate = Gate::new();
        let routes = routes(&gate);
        let running = begin(patient(), |cx, listener| {
            let layer = cx.in_flight();
            cx.serve_http(listener, routes.layer(layer));
        })
        .await;
        let mut busy = running.connect().await;
        busy.get("/slow").await;
        gate.begun(1).await;
        has(&running, [1, 0, 0, 0]).await;
        running.stop().await;
        gate.open(1);
        assert_eq!(busy.answer().await.body, "slow");
        running.ends_clean().await;
    })
    .await;
}
