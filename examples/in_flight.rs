//! An axum application that keeps its own `axum::serve`. The layer [`InFlight`](lifecycle::InFlight) counts its
//! requests. At its turn, the resource waits for them, and for what comes meanwhile; what comes later is answered with
//! 503. While the application is draining, clients are asked to connect elsewhere. The maximum number of requests is set
//! with tower's own layers: a concurrency limit and load shedding, mapped to 429.
//!
//! Run it with `cargo run --example in_flight`, request <http://127.0.0.1:8080/slow?ms=5000> three times at once to see
//! the 429, and press Ctrl-C while a request is under way.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{BoxError, Router};
use lifecycle::{Acquire, Resource, Result, resource};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;

/// The maximum number of concurrent requests; more are refused.
const AT_ONCE: usize = 2;

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
        tracing::info!("listening on http://{}", listener.local_addr()?);
        let limits = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(too_many))
            .load_shed()
            .layer(GlobalConcurrencyLimitLayer::new(AT_ONCE));
        // The outermost layer counts everything, including the refusals.
        let routes =
            Router::new().route("/slow", get(slow)).layer(limits).route("/", get("OK")).layer(cx.in_flight());
        cx.spawn("server", |stopping| async {
            axum::serve(listener, routes).with_graceful_shutdown(stopping).await
        });
        Ok(Self)
    }
}

/// The load was shed; the client may retry.
async fn too_many(_: BoxError) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "too many requests\n")
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "done\n"
}

#[lifecycle::main]
async fn main() {}
