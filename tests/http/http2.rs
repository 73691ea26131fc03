//! Every kind of connection of HTTP/2 ends: GOAWAY, and the streams that there are.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifecycle::http::Endless;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::support::{Gate, Running, begin, bounded, impatient, opens_a_stream_after_goaway, patient, serve};

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

fn chunks() -> (Router, mpsc::Sender<Result<String, std::io::Error>>) {
    let (sender, receiver) = mpsc::channel(1);
    let body = Arc::new(Mutex::new(Some(Body::from_stream(ReceiverStream::new(receiver)))));
    let handler = get(move || async move { body.lock().unwrap().take().unwrap() });
    (Router::new().route("/", get("OK")).route("/chunks", handler), sender)
}

#[tokio::test]
async fn a_response_of_unknown_length_is_cut_off_and_counts() {
    bounded(async {
        let (routes, sender) = chunks();
        let running = serve(impatient(), routes).await;
        let (mut client, connection) = client(&running).await;
        let mut answer = client.send_request(request("/chunks")).await.unwrap();
        sender.send(Ok("one".to_owned())).await.unwrap();
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        running.stop().await;
        running.ends_cut(1, 0).await;
        let _ = connection.await.unwrap();
    })
    .await;
}

async fn endless(response: Response) -> impl IntoResponse {
    (Extension(Endless), response)
}

#[tokio::test]
async fn a_response_that_is_marked_as_endless_is_cut_off_and_does_not_count() {
    bounded(async {
        let (routes, sender) = chunks();
        let running = serve(impatient(), routes.layer(map_response(endless))).await;
        let (mut client, connection) = client(&running).await;
        let mut answer = client.send_request(request("/chunks")).await.unwrap();
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
        let (routes, sender) = chunks();
        let routes = routes.layer(map_response(endless));
        let large = get(|| async { Bytes::from(vec![b'x'; 32 << 20]) });
        let running = serve(impatient(), routes.route("/large", large)).await;
        let (mut client, connection) = client(&running).await;
        let mut answer = client.send_request(request("/chunks")).await.unwrap();
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

#[tokio::test]
async fn none_of_many_streams_that_begin_around_the_turn_is_refused() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            cx.serve_http(listener, Router::new().route("/", get("OK")).layer(cx.in_flight()));
        })
        .await;
        let (mut client, connection) = client(&running).await;
        let mut answers = Vec::new();
        for stream in 0..100 {
            if stream == 50 {
                running.app.shutdown("the test says so");
            }
            answers.push(tokio::spawn(client.send_request(request("/"))));
            tokio::task::yield_now().await;
        }
        for answer in answers {
            // What comes after the last GOAWAY fails in the client, which asks elsewhere.
            if let Ok(answer) = answer.await.unwrap() {
                assert_eq!(answer.status(), StatusCode::OK);
            }
        }
        let _ = connection.await.unwrap();
        running.ends_clean().await;
    })
    .await;
}

/// A client that opens a stream when it has read GOAWAY: it had sent it before, over a long path.
#[tokio::test]
async fn a_stream_that_crosses_goaway_is_served_by_a_service_with_the_layer() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            cx.serve_http(listener, Router::new().route("/", get("OK")).layer(cx.in_flight()));
        })
        .await;
        opens_a_stream_after_goaway(&running).await;
        running.ends_clean().await;
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
