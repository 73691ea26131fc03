//! What was sent arrives, whatever the client still sends: a connection is closed when its client has closed it too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::{get, post};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifecycle_tests::harness::path::path_to;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::support::{Gate, Peer, Running, bounded, patient, serve};

/// More than the kernel takes at once.
const LARGE: usize = 12 << 20;
const DELAY: Duration = Duration::from_millis(20);

fn large(gate: &Gate, length: usize) -> Router {
    let gate = gate.clone();
    let handler = move || async move {
        gate.arrive();
        Bytes::from(vec![b'x'; length])
    };
    Router::new().route("/", get("OK")).route("/large", get(handler))
}

fn unread(gate: &Gate) -> Router {
    let gate = gate.clone();
    let handler = |_: Body| async move {
        gate.pass().await;
        "unread"
    };
    Router::new().route("/", get("OK")).route("/unread", post(handler))
}

/// Reads to the end as a slow client does: how much there is.
pub(super) async fn read_slowly(mut stream: impl AsyncRead + Unpin) -> usize {
    let (mut length, mut bytes) = (0, vec![0; 256 << 10]);
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) => return length,
            Ok(read) => length += read,
            Err(error) => panic!("{error} after {length} bytes"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_response_is_complete_although_more_requests_were_sent() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), large(&gate, LARGE)).await;
        let mut peer = running.connect().await;
        peer.get("/large").await;
        gate.begun(1).await;
        // They arrive one after the other.
        peer.get("/").await;
        running.known().await;
        peer.get("/").await;
        running.stop().await;
        let length = read_slowly(peer.0).await;
        assert!(length > LARGE, "{length} of {LARGE} bytes and a head");
        running.ends_clean().await;
    })
    .await;
}

/// Sends a head, and 300 KiB are to follow that the handler does not read.
async fn begin_upload(running: &Running, gate: &Gate) -> Peer<TcpStream> {
    let mut peer = running.connect().await;
    peer.send("POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: 307200\r\n\r\n").await;
    gate.begun(1).await;
    peer
}

/// Most clients send all of the body before they read the answer.
async fn finish_upload(peer: &mut Peer<TcpStream>) {
    for _ in 0..30 {
        peer.0.write_all(&[b'x'; 10 << 10]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_answer_arrives_although_the_body_was_not_read() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), unread(&gate)).await;
        let mut peer = begin_upload(&running, &gate).await;
        gate.open(1);
        finish_upload(&mut peer).await;
        assert_eq!(peer.answer().await.body, "unread");
        peer.sees_close().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn at_the_turn_an_answer_arrives_although_the_body_was_not_read() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), unread(&gate)).await;
        let mut peer = begin_upload(&running, &gate).await;
        running.stop().await;
        gate.open(1);
        finish_upload(&mut peer).await;
        let answer = peer.answer().await;
        assert_eq!((answer.body.as_str(), answer.says_close()), ("unread", true));
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

/// One after the other, they would have more time than there is.
#[tokio::test]
async fn clients_that_never_close_are_waited_for_together_and_are_no_failure() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), unread(&gate)).await;
        let mut peers = Vec::new();
        for _ in 0..20 {
            let mut peer = running.connect().await;
            peer.send("POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345").await;
            gate.begun(1).await;
            peers.push(peer);
        }
        running.stop().await;
        gate.open(20);
        for peer in &mut peers {
            assert_eq!(peer.answer().await.body, "unread");
        }
        running.ends_clean().await;
    })
    .await;
}

/// On such a path, the client's windows and acknowledgements arrive after the last byte was sent.
#[tokio::test]
async fn over_http2_a_response_is_complete_on_a_long_path() {
    const LENGTH: usize = 4 << 20;
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), large(&gate, LENGTH)).await;
        let stream = TcpStream::connect(path_to(running.address, DELAY)).await.unwrap();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(1 << 20).initial_connection_window_size(1 << 20);
        let (mut client, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get("http://test/large").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        running.stop().await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), LENGTH);
        connection.await.unwrap().unwrap();
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_shuts_down_its_write_side_has_its_answer() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), unread(&gate)).await;
        let mut peer = running.connect().await;
        peer.send("POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbody").await;
        peer.0.shutdown().await.unwrap();
        gate.begun(1).await;
        running.known().await;
        gate.open(1);
        assert_eq!(peer.answer().await.body, "unread");
        peer.sees_close().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Nothing is written that could fail.
#[tokio::test]
async fn a_response_without_an_end_ends_when_its_client_leaves() {
    bounded(async {
        let (chunks, receiver) = mpsc::channel::<Result<String, std::io::Error>>(1);
        let body = Arc::new(Mutex::new(Some(Body::from_stream(ReceiverStream::new(receiver)))));
        let handler = get(move || async move { body.lock().unwrap().take().unwrap() });
        let running = serve(patient(), Router::new().route("/chunks", handler)).await;
        let mut peer = running.connect().await;
        peer.get("/chunks").await;
        chunks.send(Ok("one".to_owned())).await.unwrap();
        peer.until("3\r\none\r\n").await;
        drop(peer);
        chunks.closed().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}
