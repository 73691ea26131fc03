//! WebSockets that end well: when the server stops, clients get 1001 ("going away") and can reconnect, instead of
//! finding the connection broken (1006).
//!
//! Run it with `cargo run --example websocket`, connect to `ws://127.0.0.1:8080/echo`, and press Ctrl-C. Ordinary
//! requests, such as <http://127.0.0.1:8080/slow?ms=5000>, are answered as well.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use axum::extract::Query;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use lifecycle::{Acquire, Resource, Result, Stopping, resource};
use serde::Deserialize;
use tokio::net::TcpListener;

#[resource(foundation)]
struct Log;

impl Resource for Log {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let log = tracing_subscriber::fmt().with_target(false).log_internal_errors(false);
        // No colour codes in a file. At a terminal, `NO_COLOR` turns them off.
        let log = if stdout().is_terminal() { log } else { log.with_ansi(false) };
        log.init();
        Ok(Self)
    }
}

#[resource]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        tracing::info!("listening on ws://{}/echo", listener.local_addr()?);
        cx.serve_http(listener, Router::new().route("/echo", get(upgrade)).route("/slow", get(slow)));
        Ok(Self)
    }
}

/// Every request carries the notice of the server's turn. An upgraded connection still belongs to the server: it is in
/// flight until its handler has returned, which has the notice until then, or until the cut-off.
async fn upgrade(upgrade: WebSocketUpgrade, Extension(stopping): Extension<Stopping>) -> Response {
    upgrade.on_upgrade(|socket| echo(socket, stopping))
}

async fn echo(mut socket: WebSocket, stopping: Stopping) {
    while let Some(Some(Ok(message))) = stopping.run_until(socket.recv()).await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    // Say why, and let the client answer: what it sent before is read, and the connection ends properly.
    let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
    let _ = socket.send(Message::Close(Some(goodbye))).await;
    while let Some(Ok(_)) = socket.recv().await {}
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "OK\n"
}

#[lifecycle::main]
async fn main() {}
