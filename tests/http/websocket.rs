//! WebSockets are the server's until they are closed, and their clients see 1001 and never 1006.

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{SinkExt, StreamExt};
use lifecycle::Stopping;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Heard;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::support::{Gate, Running, bounded, impatient, patient, serve};

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
