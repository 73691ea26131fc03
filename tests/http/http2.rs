//! Every kind of connection of HTTP/2 ends: GOAWAY, and the streams that there are.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::support::{Gate, Running, bounded, impatient, patient, serve};

type Client = SendRequest<Empty<Bytes>>;

/// A client, and the end of its connection.
async fn client(running: &Running) -> (Client, JoinHandle<hyper::Result<()>>) {
    let stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (client, tokio::spawn(connection))
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://test{path}")).body(Empty::new()).unwrap()
}

fn slow(gate: &Gate) -> Router {
    let gate = gate.clone();
    let handler = || async move {
        gate.pass().await;
        "slow"
    };
    Router::new().route("/", get("OK")).route("/slow", get(handler))
}

#[tokio::test]
async fn streams_under_way_are_answered() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), slow(&gate)).await;
        let (mut client, connection) = client(&running).await;
        let answers: Vec<_> = (0..5).map(|_| tokio::spawn(client.send_request(request("/slow")))).collect();
        gate.begun(5).await;
        running.stop().await;
        gate.open(5);
        for answer in answers {
            let answer = answer.await.unwrap().unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "slow");
        }
        connection.await.unwrap().unwrap();
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go_away_and_goes() {
    bounded(async {
        let running = serve(patient(), slow(&Gate::new())).await;
        let (mut client, connection) = client(&running).await;
        let answer = client.send_request(request("/")).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "OK");
        running.stop().await;
        connection.await.unwrap().unwrap();
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_never_answered_is_cut_off_and_counts() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(impatient(), slow(&gate)).await;
        let (mut client, connection) = client(&running).await;
        let answer = tokio::spawn(client.send_request(request("/slow")));
        gate.begun(1).await;
        running.stop().await;
        assert!(answer.await.unwrap().is_err());
        let _ = connection.await.unwrap();
        running.ends_cut(1, 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_large_response_that_is_not_read_is_cut_off_and_counts() {
    bounded(async {
        let large = get(|| async { Bytes::from(vec![b'x'; 32 << 20]) });
        let running = serve(impatient(), Router::new().route("/large", large)).await;
        let (mut client, connection) = client(&running).await;
        let unread = client.send_request(request("/large")).await.unwrap();
        running.stop().await;
        running.ends_cut(1, 0).await;
        drop(unread);
        let _ = connection.await.unwrap();
    })
    .await;
}

fn endless() -> (Router, mpsc::Sender<Result<String, std::io::Error>>) {
    let (sender, receiver) = mpsc::channel(1);
    let body = Arc::new(Mutex::new(Some(Body::from_stream(ReceiverStream::new(receiver)))));
    let handler = get(move || async move { body.lock().unwrap().take().unwrap() });
    (Router::new().route("/", get("OK")).route("/endless", handler), sender)
}

#[tokio::test]
async fn a_response_without_an_end_is_cut_off_and_does_not_count() {
    bounded(async {
        let (routes, sender) = endless();
        let running = serve(impatient(), routes).await;
        let (mut client, connection) = client(&running).await;
        let mut answer = client.send_request(request("/endless")).await.unwrap();
        sender.send(Ok("one".to_owned())).await.unwrap();
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        running.stop().await;
        running.ends_cut(1, 1).await;
        let _ = connection.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_response_that_the_client_gave_up_is_not_owed_any_more() {
    bounded(async {
        let (routes, sender) = endless();
        let large = get(|| async { Bytes::from(vec![b'x'; 32 << 20]) });
        let running = serve(impatient(), routes.route("/large", large)).await;
        let (mut client, connection) = client(&running).await;
        let mut answer = client.send_request(request("/endless")).await.unwrap();
        sender.send(Ok("one".to_owned())).await.unwrap();
        answer.frame().await.unwrap().unwrap();
        drop(client.send_request(request("/large")).await.unwrap());
        client.send_request(request("/")).await.unwrap().into_body().collect().await.unwrap();
        running.stop().await;
        running.ends_cut(1, 1).await;
        let _ = connection.await.unwrap();
    })
    .await;
}

/// The preface and empty settings; whatever the server says, nothing follows.
#[tokio::test]
async fn a_peer_that_never_answers_anything_is_cut_off_and_does_not_count() {
    bounded(async {
        let running = serve(impatient(), slow(&Gate::new())).await;
        let mut peer = running.connect().await;
        peer.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0").await;
        let mut frame = [0; 9];
        peer.0.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[3], 4, "the server's settings come first");
        running.stop().await;
        peer.sees_end().await;
        running.ends_cut(1, 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_stream_and_no_more() {
    async fn panics() -> &'static str {
        panic!("as the test wants it")
    }
    bounded(async {
        let running = serve(patient(), slow(&Gate::new()).route("/panic", get(panics))).await;
        let (mut client, connection) = client(&running).await;
        assert!(client.send_request(request("/panic")).await.is_err());
        client.send_request(request("/")).await.unwrap();
        running.stop().await;
        connection.await.unwrap().unwrap();
        running.ends_clean().await;
    })
    .await;
}
