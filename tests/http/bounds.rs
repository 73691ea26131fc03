//! How long a client may have a connection that it does nothing with, under virtual time.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::Request;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::support::{Gate, Peer};
use super::wire::{Wire, bounded, serve};

const LARGE: usize = 1 << 20;
/// What a client of HTTP/2 takes of a response that it does not read.
const WINDOW: u32 = 10_000;
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);

/// The preface of HTTP/2, and settings without a window of the client's own.
const HTTP2: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";

fn routes() -> Router {
    let slow = || async {
        sleep(10 * WRITE_TIMEOUT).await;
        "slow"
    };
    Router::new()
        .route("/", get("OK"))
        .route("/large", get(|| async { Bytes::from(vec![b'x'; LARGE]) }))
        .route("/slow", get(slow))
}

type Client = SendRequest<Empty<Bytes>>;

/// A client that answers pings, and the end of its connection.
async fn client(wire: &Wire) -> (Client, JoinHandle<hyper::Result<()>>) {
    let io = TokioIo::new(wire.connect().0);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(WINDOW);
    let (client, connection) = builder.handshake(io).await.unwrap();
    (client, tokio::spawn(connection))
}

async fn ask(client: &mut Client, path: &str) -> String {
    let request = Request::get(format!("http://test{path}")).body(Empty::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The server has one place, and this client has it for as long as the limit allows and no longer.
async fn is_freed_in_time(wire: &Wire, limit: Duration) {
    let began = Instant::now();
    assert_eq!(wire.connect().ask("/").await.body, "OK");
    let took = began.elapsed();
    // What a client sees comes a moment before or after what the server sees.
    let around = limit - Duration::from_secs(1)..limit + Duration::from_secs(3);
    assert!(around.contains(&took), "{took:?} for {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_frees_its_place() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.http().max_connections(1).serve(wires, routes())).await;
        let mut unread = wire.connect();
        unread.get("/large").await;
        is_freed_in_time(&wire, WRITE_TIMEOUT).await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn over_http2_a_client_that_reads_nothing_frees_its_place() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| {
            cx.http().keep_alive_ping(None).max_connections(1).serve(wires, routes());
        })
        .await;
        let mut unread = wire.connect();
        unread.send(HTTP2).await;
        // Each ping has to be answered.
        let pings = b"\0\0\x08\x06\0\0\0\0\0answered".repeat(1_000);
        let _ = tokio::time::timeout(Duration::from_secs(1), unread.0.write_all(&pings)).await;
        is_freed_in_time(&wire, WRITE_TIMEOUT).await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn over_http2_a_client_that_opens_no_window_frees_its_place() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.http().max_connections(1).serve(wires, routes())).await;
        let (mut client, connection) = client(&wire).await;
        let request = Request::get("http://test/large").body(Empty::new()).unwrap();
        let unread = client.send_request(request).await.unwrap();
        is_freed_in_time(&wire, WRITE_TIMEOUT).await;
        let _ = connection.await.unwrap();
        drop(unread);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn over_http2_a_stream_may_wait_while_a_handler_works_for_another() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.http().max_connections(1).serve(wires, routes())).await;
        let (mut client, connection) = client(&wire).await;
        let request = Request::get("http://test/large").body(Empty::new()).unwrap();
        let unread = client.send_request(request).await.unwrap();
        assert_eq!(ask(&mut client, "/slow").await, "slow");
        is_freed_in_time(&wire, WRITE_TIMEOUT).await;
        let _ = connection.await.unwrap();
        drop(unread);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// The handler sends until it fails, and nobody reads.
#[tokio::test(start_paused = true)]
async fn a_websocket_whose_client_reads_nothing_is_closed() {
    bounded(async {
        let gate = Gate::new();
        let failed = gate.clone();
        let upgrade = |upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(|mut socket| async move {
                while socket.send(Message::text("x".repeat(100))).await.is_ok() {}
                failed.arrive();
                assert!(socket.recv().await.is_none_or(|message| message.is_err()));
            })
        };
        let routes = Router::new().route("/", get("OK")).route("/socket", get(upgrade));
        let (running, wire) = serve(|cx, wires| cx.http().max_connections(1).serve(wires, routes)).await;
        let mut unread = wire.connect();
        let key = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        unread
            .send(&format!(
                "GET /socket HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n"
            ))
            .await;
        assert!(unread.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
        is_freed_in_time(&wire, WRITE_TIMEOUT).await;
        gate.begun(1).await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_everything() {
    bounded(async {
        let routes = Router::new().route("/", get(|| async { vec![b'x'; 20_000] }));
        let (running, wire) = serve(|cx, wires| cx.serve_http(wires, routes)).await;
        let mut slow = wire.connect();
        let began = Instant::now();
        slow.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
        let (mut length, mut bytes) = (0, [0; 1 << 10]);
        loop {
            sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
            match slow.0.read(&mut bytes).await.unwrap() {
                0 => break,
                read => length += read,
            }
        }
        assert!(length > 20_000, "{length} bytes");
        assert!(began.elapsed() > 10 * WRITE_TIMEOUT);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_client_may_read_when_it_likes() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.http().write_timeout(None).serve(wires, routes())).await;
        let mut slow = wire.connect();
        slow.get("/large").await;
        sleep(10 * WRITE_TIMEOUT).await;
        assert_eq!(slow.answer().await.body.len(), LARGE);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn over_http2_a_connection_without_streams_goes_away_after_its_time() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.serve_http(wires, routes())).await;
        let (mut client, connection) = client(&wire).await;
        let (_never_asks, silent) = self::client(&wire).await;
        // A stream is open for much longer than a connection may be idle.
        assert_eq!(ask(&mut client, "/slow").await, "slow");
        let began = Instant::now();
        connection.await.unwrap().unwrap();
        let took = began.elapsed();
        assert!(took.abs_diff(KEEP_ALIVE_TIMEOUT) < Duration::from_secs(1), "{took:?}");
        silent.await.unwrap().unwrap();
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Waits until the server has read the preface.
async fn read_settings(peer: &mut Peer<DuplexStream>) {
    let mut frame = [0; 9];
    peer.0.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "the server's settings come first");
}

/// It stops, and says how long that took.
async fn stop_takes(running: super::support::Running) -> Duration {
    running.stop().await;
    let began = Instant::now();
    running.ends_clean().await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_acknowledge_goaway_holds_up_no_stop() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.serve_http(wires, routes())).await;
        let mut peer = wire.connect();
        peer.send(HTTP2).await;
        read_settings(&mut peer).await;
        let took = stop_takes(running).await;
        assert!(took < Duration::from_secs(8), "{took:?}");
    })
    .await;
}

/// What a client says again and again, and whatever the server answers.
async fn nags(word: &[u8], first: &[u8]) {
    let (running, wire) = serve(|cx, wires| cx.serve_http(wires, routes())).await;
    let mut peer = wire.connect();
    peer.send(HTTP2).await;
    read_settings(&mut peer).await;
    peer.0.write_all(first).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(peer.0);
    tokio::spawn(async move { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await });
    let word = word.to_vec();
    tokio::spawn(async move {
        while writing.write_all(&word).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    sleep(Duration::from_secs(1)).await;
    let took = stop_takes(running).await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn endless_settings_hold_up_no_stop() {
    bounded(nags(b"\0\0\0\x04\0\0\0\0\0", b"")).await;
}

#[tokio::test(start_paused = true)]
async fn an_endless_head_of_http2_holds_up_no_stop() {
    let headers_without_an_end = b"\0\0\x01\x01\0\0\0\0\x01\x82";
    bounded(nags(b"\0\0\x01\x09\0\0\0\0\x01\x86", headers_without_an_end)).await;
}

#[tokio::test(start_paused = true)]
async fn one_byte_of_the_preface_of_http2_holds_up_no_stop() {
    bounded(async {
        let (running, wire) = serve(|cx, wires| cx.serve_http(wires, routes())).await;
        let mut peer = wire.connect();
        peer.send("P").await;
        sleep(Duration::from_secs(9)).await;
        let took = stop_takes(running).await;
        // It has 10 s for its head.
        assert!(took < Duration::from_secs(5), "{took:?}");
    })
    .await;
}
