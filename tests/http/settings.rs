//! What hyper can be set to can be set here.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::WebSocket;
use axum::http::{Method, Request, StatusCode, Version};
use axum::routing::{any, get};
use axum::{Extension, Router};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::handshake;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifecycle::Stopping;
use lifecycle::http::HttpServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::support::{Gate, PING, PREFACE, Peer, Running, SETTINGS, begin, bounded, impatient, patient};
use super::websocket::echo;

/// The numbers of settings of HTTP/2.
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

fn root() -> Router {
    Router::new().route("/", get("OK"))
}

async fn serve(routes: Router, set: impl FnOnce(HttpServer) -> HttpServer + Send + 'static) -> Running {
    begin(patient(), |cx, listener| set(cx.http()).serve(listener, routes)).await
}

#[tokio::test]
async fn those_of_http1_reach_hyper() {
    bounded(async {
        let running = serve(root(), |http| {
            http.configure_http1(|http1| {
                http1.max_headers(3).title_case_headers(true);
            })
            .configure_http1(|http1| {
                http1.auto_date_header(false);
            })
        })
        .await;
        let mut peer = running.connect().await;
        peer.get("/").await;
        let head = peer.until("\r\n\r\n").await;
        assert!(
            head.contains("\r\nContent-Length: 2\r\n") && !head.to_lowercase().contains("date"),
            "{head}"
        );
        peer.until("OK").await;
        peer.send("GET / HTTP/1.1\r\nhost: test\r\none: 1\r\ntwo: 2\r\nthree: 3\r\n\r\n").await;
        peer.until("HTTP/1.1 431 ").await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn those_of_http2_reach_hyper() {
    bounded(async {
        let running = serve(root(), |http| {
            http.configure_http2(|http2| {
                http2
                    .max_concurrent_streams(7)
                    .max_header_list_size(12_345)
                    .initial_stream_window_size(100_000);
            })
            .configure_http2(|http2| {
                http2.max_frame_size(20_000).enable_connect_protocol();
            })
        })
        .await;
        let mut peer = running.connect().await;
        peer.send(PREFACE).await;
        let settings = settings(&mut peer).await;
        for expected in [
            (MAX_CONCURRENT_STREAMS, 7),
            (INITIAL_WINDOW_SIZE, 100_000),
            (MAX_FRAME_SIZE, 20_000),
            (MAX_HEADER_LIST_SIZE, 12_345),
            (ENABLE_CONNECT_PROTOCOL, 1),
        ] {
            assert!(settings.contains(&expected), "{expected:?} is missing in {settings:?}");
        }
        running.stop().await;
        drop(peer);
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn they_have_the_last_word_on_what_the_server_sets_itself() {
    bounded(async {
        let running = serve(root(), |http| {
            http.configure_http2(|http2| {
                http2.keep_alive_interval(Duration::from_millis(10));
            })
            .keep_alive_ping(None)
        })
        .await;
        let mut peer = running.connect().await;
        peer.send(PREFACE).await;
        peer.frame(PING).await;
        running.stop().await;
        drop(peer);
        running.ends_clean().await;
    })
    .await;
}

/// What the server tells of itself, by numbers.
async fn settings(peer: &mut Peer<TcpStream>) -> Vec<(u16, u32)> {
    let payload = peer.frame(SETTINGS).await;
    let entry = |entry: &[u8]| {
        let value = u32::from_be_bytes(entry[2..].try_into().unwrap());
        (u16::from_be_bytes([entry[0], entry[1]]), value)
    };
    payload.chunks(6).map(entry).filter(|(setting, _)| *setting != ENABLE_PUSH).collect()
}

/// hyper panics if it has no timer for this.
#[tokio::test]
async fn hypers_own_limit_of_a_head_holds_if_it_is_set() {
    bounded(async {
        let running = serve(root(), |http| {
            http.configure_http1(|http1| {
                http1.header_read_timeout(Duration::from_millis(100));
            })
        })
        .await;
        let mut peer = running.connect().await;
        peer.send("GET / HT").await;
        peer.sees_end().await;
        running.known().await.sees_end().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn without_half_close_a_handler_ends_with_its_client() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let (dropped, is_dropped) = oneshot::channel::<()>();
        let dropped = std::sync::Arc::new(std::sync::Mutex::new(Some(dropped)));
        let handler = get(move || async move {
            let _dropped = dropped.lock().unwrap().take();
            passing.pass().await;
        });
        let running = serve(root().route("/slow", handler), |http| {
            http.configure_http1(|http1| {
                http1.half_close(false);
            })
        })
        .await;
        let mut peer = running.connect().await;
        peer.get("/slow").await;
        gate.begun(1).await;
        peer.0.shutdown().await.unwrap();
        assert!(is_dropped.await.is_err(), "it is dropped, and sends nothing");
        peer.sees_close().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn with_a_flush_for_a_whole_pipeline_every_request_is_answered_at_the_turn() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let handler = get(move || async move {
            passing.pass().await;
            "slow"
        });
        let running = serve(root().route("/slow", handler), |http| {
            http.configure_http1(|http1| {
                http1.pipeline_flush(true);
            })
        })
        .await;
        let mut peer = running.connect().await;
        let first = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
        peer.send(&format!("{first}{first}GET /slow HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        gate.begun(1).await;
        running.stop().await;
        gate.open(1);
        for expected in ["OK", "OK", "slow"] {
            assert_eq!(peer.answer().await.body, expected);
        }
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn without_keep_alive_every_response_is_the_last() {
    bounded(async {
        let running = serve(root(), |http| {
            http.configure_http1(|http1| {
                http1.keep_alive(false);
            })
        })
        .await;
        let mut peer = running.connect().await;
        assert!(peer.ask("/").await.says_close());
        peer.sees_close().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_setting_that_hyper_refuses_closes_connections_and_the_server_lives_on() {
    bounded(async {
        let running = serve(root(), |http| {
            http.configure_http2(|http2| {
                http2.max_frame_size(1);
            })
        })
        .await;
        let mut peer = running.connect().await;
        peer.send(PREFACE).await;
        peer.sees_end().await;
        assert_eq!(running.connect().await.ask("/").await.body, "OK");
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_preface_in_pieces_is_a_preface() {
    bounded(async {
        let running = serve(root(), |http| http).await;
        let mut peer = running.connect().await;
        for byte in PREFACE.chars() {
            peer.send(&byte.to_string()).await;
            tokio::task::yield_now().await;
        }
        settings(&mut peer).await;
        drop(peer);
        let mut peer = running.connect().await;
        peer.send("P").await;
        tokio::task::yield_now().await;
        peer.send("RI * HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert_eq!(peer.answer().await.status, 404, "an odd request of HTTP/1, and no preface");
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_of_http1_only_speaks_no_http2() {
    bounded(async {
        let running = serve(root(), HttpServer::http1_only).await;
        let mut peer = running.connect().await;
        peer.send(PREFACE).await;
        let mut answer = Vec::new();
        let _ = peer.0.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
        let mut idle = running.known().await;
        assert_eq!(idle.ask("/").await.body, "OK");
        running.stop().await;
        idle.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_of_http1_only_upgrades() {
    bounded(async {
        let running = serve(sockets(), HttpServer::http1_only).await;
        let url = format!("ws://{}/socket", running.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        socket.send(Message::text("hello")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
        running.stop().await;
        assert_eq!(goodbye(&mut socket).await, CloseCode::Away);
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_of_http2_only_speaks_no_http1() {
    bounded(async {
        let running = serve(root(), HttpServer::http2_only).await;
        let mut silent = running.connect().await;
        settings(&mut silent).await;
        let mut http1 = running.connect().await;
        http1.get("/").await;
        let mut answer = Vec::new();
        let _ = http1.0.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1"), "{}", String::from_utf8_lossy(&answer));
        let stream = TcpStream::connect(running.address).await.unwrap();
        let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get("http://test/").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "OK");
        running.stop().await;
        connection.await.unwrap().unwrap();
        drop(silent);
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_of_http2_only_does_not_wait_for_a_client_that_says_nothing() {
    bounded(async {
        let running =
            serve(root(), |http| http.http2_only().header_read_timeout(Duration::from_millis(100))).await;
        let silent = running.connect().await;
        silent.sees_end().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

fn sockets() -> Router {
    let upgrade = |upgrade: WebSocketUpgrade, Extension(stopping): Extension<Stopping>| async {
        upgrade.on_upgrade(|socket| echo(socket, stopping))
    };
    root().route("/socket", any(upgrade))
}

fn with_connect_protocol(http: HttpServer) -> HttpServer {
    http.configure_http2(|http2| {
        http2.enable_connect_protocol();
    })
}

/// A WebSocket in a stream of HTTP/2 (RFC 8441).
async fn connect_over_http2(running: &Running) -> WebSocketStream<TokioIo<Upgraded>> {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let first = Request::get("http://test/").body(Empty::<Bytes>::new()).unwrap();
    client.send_request(first).await.unwrap();
    let request = Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri("http://test/socket")
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let upgraded = hyper::upgrade::on(answer).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

/// Reads the goodbye and then the end.
async fn goodbye<Io>(socket: &mut WebSocketStream<Io>) -> CloseCode
where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() else { panic!("no goodbye") };
    assert!(socket.next().await.is_none(), "it ends properly after the goodbye");
    frame.code
}

#[tokio::test]
async fn a_websocket_over_http2_hears_that_the_server_is_going_away() {
    bounded(async {
        let running =
            begin(patient(), |cx, listener| with_connect_protocol(cx.http()).serve(listener, sockets()))
                .await;
        let mut socket = connect_over_http2(&running).await;
        socket.send(Message::text("hello")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
        assert_eq!(running.in_flight(), 2, "the server and the connection");
        running.stop().await;
        assert_eq!(goodbye(&mut socket).await, CloseCode::Away);
        drop(socket);
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_websocket_over_http2_that_does_not_listen_is_cut_off_and_does_not_count() {
    async fn deaf(mut socket: WebSocket, gate: Gate) {
        gate.arrive();
        while let Some(Ok(_)) = socket.recv().await {}
        gate.arrive();
    }
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let upgrade =
            |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|socket| deaf(socket, passing)) };
        let routes = root().route("/socket", any(upgrade));
        let running =
            begin(impatient(), |cx, listener| with_connect_protocol(cx.http()).serve(listener, routes)).await;
        let mut socket = connect_over_http2(&running).await;
        gate.begun(1).await;
        running.stop().await;
        assert!(!matches!(socket.next().await, Some(Ok(_))));
        gate.begun(1).await;
        running.ends_cut(1, 1).await;
    })
    .await;
}
