//! WebSockets are the server's until they are closed, and their clients see 1001 and never 1006.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use axum::{Extension, Router};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use lifecycle::Stopping;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Heard;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::support::{Gate, Running, bounded, impatient, patient, serve};
use super::units::http2;

async fn connect(running: &Running) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let url = format!("ws://{}/socket", running.address);
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

fn routes() -> Router {
    let upgrade = |upgrade: WebSocketUpgrade, Extension(stopping): Extension<Stopping>| async {
        upgrade.on_upgrade(|socket| echo(socket, stopping))
    };
    Router::new().route("/", get("OK")).route("/socket", get(upgrade))
}

/// As the documentation of `lifecycle::http` has it.
pub(crate) async fn echo(mut socket: WebSocket, stopping: Stopping) {
    while let Some(Some(Ok(message))) = stopping.run_until(socket.recv()).await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
    let _ = socket.send(Message::Close(Some(goodbye))).await;
    while let Some(Ok(_)) = socket.recv().await {}
}

/// Reads until the goodbye, and says how many messages came before.
async fn goodbye(client: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> usize {
    let mut messages = 0;
    loop {
        match client.next().await.expect("it ended without a goodbye").unwrap() {
            Heard::Close(frame) => {
                assert_eq!(frame.expect("it gives a reason").code, CloseCode::Away);
                break;
            }
            _ => messages += 1,
        }
    }
    assert!(client.next().await.is_none(), "it ends properly after the goodbye");
    messages
}

#[tokio::test]
async fn an_idle_one_hears_that_the_server_is_going_away() {
    bounded(async {
        let running = serve(patient(), routes()).await;
        let mut client = connect(&running).await;
        running.stop().await;
        assert_eq!(goodbye(&mut client).await, 0);
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_busy_one_hears_it_too() {
    bounded(async {
        let running = serve(patient(), routes()).await;
        let (mut sender, mut receiver) = connect(&running).await.split();
        let busy = tokio::spawn(async move {
            while sender.send(Heard::text("again")).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..100 {
            receiver.next().await.unwrap().unwrap();
        }
        running.stop().await;
        let code = loop {
            match receiver.next().await.expect("it ended without a goodbye").unwrap() {
                Heard::Close(frame) => break frame.unwrap().code,
                _ => continue,
            }
        };
        assert_eq!(code, CloseCode::Away);
        busy.await.unwrap();
        drop(receiver);
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn it_is_in_flight_for_as_long_as_it_lives() {
    bounded(async {
        let running = serve(patient(), routes()).await;
        let mut client = connect(&running).await;
        client.send(Heard::text("hello")).await.unwrap();
        client.next().await.unwrap().unwrap();
        assert_eq!(running.in_flight(), 2, "the server and the socket");
        running.stop().await;
        goodbye(&mut client).await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn one_whose_handler_does_not_listen_is_closed_at_the_cut_off_and_does_not_count() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let deaf = |upgrade: WebSocketUpgrade| async {
            upgrade.on_upgrade(|mut socket| async move {
                passing.arrive();
                while let Some(Ok(_)) = socket.recv().await {}
                passing.arrive();
            })
        };
        let running = serve(impatient(), Router::new().route("/socket", get(deaf))).await;
        let mut client = connect(&running).await;
        gate.begun(1).await;
        running.stop().await;
        assert!(client.next().await.unwrap().is_err());
        gate.begun(1).await;
        running.ends_cut(1, 1).await;
    })
    .await;
}

#[tokio::test]
async fn one_whose_handler_never_looks_is_closed_at_the_cut_off_all_the_same() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let blind = |upgrade: WebSocketUpgrade| async {
            upgrade.on_upgrade(|socket| async move {
                passing.pass().await;
                drop(socket);
            })
        };
        let running = serve(impatient(), Router::new().route("/socket", get(blind))).await;
        let mut client = connect(&running).await;
        gate.begun(1).await;
        running.stop().await;
        assert!(client.next().await.unwrap().is_err());
        running.ends_cut(1, 1).await;
        gate.open(1);
    })
    .await;
}

/// A handler that saves something when its client has gone, and the application around it.
struct Saving {
    gate: Gate,
    is_saved: Arc<AtomicBool>,
}

impl Saving {
    fn new() -> Self {
        Self { gate: Gate::new(), is_saved: Arc::default() }
    }

    /// At the end of a handler.
    fn save(&self) -> impl Future<Output = ()> + Send + 'static {
        let (gate, is_saved) = (self.gate.clone(), Arc::clone(&self.is_saved));
        async move {
            gate.pass().await;
            is_saved.store(true, Ordering::Relaxed);
        }
    }

    /// The client has gone, and the handler has begun to save: it is waited for.
    async fn saves_in_peace(self, running: Running) {
        self.gate.begun(1).await;
        running.stop().await;
        while running.in_flight() > 1 {
            tokio::task::yield_now().await;
        }
        let Running { app, .. } = &running;
        let waits = tokio::time::timeout(Duration::from_millis(200), app.clone().run());
        assert!(waits.await.is_err(), "it ended under the handler");
        assert_eq!(running.units().upgraded, 1);
        self.gate.open(1);
        running.ends_clean().await;
        assert!(self.is_saved.load(Ordering::Relaxed));
    }
}

async fn read(mut socket: impl futures_util::Stream<Item = Result<Message, axum::Error>> + Unpin) {
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn a_handler_that_goes_on_after_its_client_has_gone_is_in_flight() {
    bounded(async {
        let saving = Saving::new();
        let save = saving.save();
        let handler = |mut socket, stopping| async move {
            read(&mut socket).await;
            save.await;
            drop(stopping);
        };
        let running = serve(patient(), once(handler)).await;
        drop(connect(&running).await);
        saving.saves_in_peace(running).await;
    })
    .await;
}

#[tokio::test]
async fn so_is_one_that_has_dropped_its_socket() {
    bounded(async {
        let saving = Saving::new();
        let save = saving.save();
        let handler = |socket, stopping| async move {
            read(socket).await;
            save.await;
            drop(stopping);
        };
        let running = serve(patient(), once(handler)).await;
        drop(connect(&running).await);
        saving.saves_in_peace(running).await;
    })
    .await;
}

/// As in axum's own example: each half is in a task of its own.
#[tokio::test]
async fn so_is_one_that_has_given_the_halves_of_its_socket_away() {
    bounded(async {
        let saving = Saving::new();
        let save = saving.save();
        let handler = |socket: WebSocket, stopping| async move {
            let (mut sender, receiver) = socket.split();
            let sends =
                tokio::spawn(async move { while sender.send(Message::text("tick")).await.is_ok() {} });
            tokio::spawn(read(receiver)).await.unwrap();
            sends.abort();
            let _ = sends.await;
            save.await;
            drop(stopping);
        };
        let running = serve(patient(), once(handler)).await;
        drop(connect(&running).await);
        saving.saves_in_peace(running).await;
    })
    .await;
}

/// Without axum: hyper's upgrade and tungstenite, by hand.
#[tokio::test]
async fn so_is_one_that_was_upgraded_by_hand() {
    bounded(async {
        let saving = Saving::new();
        let save = saving.save();
        let handler = |upgraded, stopping| async move {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            socket.for_each(async |_| {}).await;
            save.await;
            drop(stopping);
        };
        let running = serve(patient(), by_hand("/socket", handler)).await;
        drop(connect(&running).await);
        saving.saves_in_peace(running).await;
    })
    .await;
}

/// With HTTP/2, the handler has never had the socket.
#[tokio::test]
async fn so_is_that_of_a_stream_of_http2() {
    bounded(async {
        let saving = Saving::new();
        let save = saving.save();
        let handler = |upgraded, stopping| async move {
            let _ = TokioIo::new(upgraded).read_to_end(&mut Vec::new()).await;
            save.await;
            drop(stopping);
        };
        let running = serve(patient(), by_hand("/", handler)).await;
        let mut client = http2(&running).await;
        let connect = Request::connect("test:80").body(Empty::new()).unwrap();
        let stream = hyper::upgrade::on(client.send_request(connect).await.unwrap()).await.unwrap();
        assert_eq!(running.units().upgraded, 1);
        drop((stream, client));
        saving.saves_in_peace(running).await;
    })
    .await;
}

/// A notice that holds nothing back: the client asked for an upgrade, and there was none.
#[tokio::test]
async fn a_request_that_was_not_upgraded_is_over_with_its_response() {
    bounded(async {
        let (sender, mut notices) = tokio::sync::mpsc::channel(1);
        let keep = get(|Extension(stopping): Extension<Stopping>| async move {
            sender.send(stopping).await.unwrap();
            "no"
        });
        let running = serve(patient(), Router::new().route("/", keep)).await;
        let mut peer = running.connect().await;
        peer.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n").await;
        assert_eq!(peer.answer().await.body, "no");
        let kept = notices.recv().await.unwrap();
        running.stop().await;
        running.ends_clean().await;
        assert!(kept.is_stopping());
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_never_returns_is_cut_off_with_its_notice_and_does_not_count() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let handler = |socket, stopping| async move {
            drop(socket);
            passing.pass().await;
            drop(stopping);
        };
        let running = serve(impatient(), once(handler)).await;
        let client = connect(&running).await;
        gate.begun(1).await;
        drop(client);
        running.stop().await;
        let report = running.ends_cut(1, 1).await;
        assert!(report.contains(", 1 cut off: 1 upgraded connection (not counted)\n"), "{report}");
        gate.open(1);
    })
    .await;
}

/// The route of a handler that is called once.
fn once<F: Future<Output = ()> + Send + 'static>(
    handler: impl FnOnce(WebSocket, Stopping) -> F + Send + 'static,
) -> Router {
    let handler = Arc::new(Mutex::new(Some(handler)));
    let upgrade = move |upgrade: WebSocketUpgrade, Extension(stopping): Extension<Stopping>| async move {
        let handler = handler.lock().unwrap().take().unwrap();
        upgrade.on_upgrade(|socket| handler(socket, stopping))
    };
    Router::new().route("/socket", get(upgrade))
}

/// The same, for a connection that is upgraded without axum.
fn by_hand<F: Future<Output = ()> + Send + 'static>(
    path: &str,
    handler: impl FnOnce(Upgraded, Stopping) -> F + Send + 'static,
) -> Router {
    let handler = Arc::new(Mutex::new(Some(handler)));
    let upgrade = move |Extension(stopping): Extension<Stopping>, mut request: Request<Body>| async move {
        let handler = handler.lock().unwrap().take().unwrap();
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move { handler(upgrade.await.unwrap(), stopping).await });
        let key = request.headers().get("sec-websocket-key");
        let Some(key) = key else { return StatusCode::OK.into_response() };
        let accept = derive_accept_key(key.as_bytes());
        let headers = [
            ("connection", "upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
            ("sec-websocket-accept", accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    };
    if path == "/" { Router::new().fallback(upgrade) } else { Router::new().route(path, any(upgrade)) }
}
