//! An existing application, with its own server and its own task, that adopts the framework in a few lines and keeps the
//! rest: `#[tokio::main]` became `#[lifecycle::main]`, the notice took the place of a signal handler, and what has to be
//! closed at the end is a resource.
//!
//! Run it with `cargo run --example existing_app`, request <http://127.0.0.1:8080/slow?ms=5000>, and press Ctrl-C. Press
//! Enter to see the hits.

use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use lifecycle::{Acquire, App, Release, Resource, Result, resource};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

/// Moved: the first lines of `main`. Resources are acquired before `main` runs, and the log shows how.
#[resource(foundation)]
struct Log;

impl Resource for Log {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let log = tracing_subscriber::fmt().log_internal_errors(false);
        // No colour codes in a file. At a terminal, `NO_COLOR` turns them off.
        let log = if stdout().is_terminal() { log } else { log.with_ansi(false) };
        log.init();
        Ok(Self)
    }
}

/// New: what used to be opened at the top of `main` and, on a good day, closed at the bottom.
#[resource]
struct Hits(AtomicU64);

impl Resource for Hits {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(AtomicU64::new(0)))
    }

    async fn release(&self, _: &Release) -> Result {
        tracing::info!("{} hits", self.0.load(Ordering::Relaxed));
        Ok(())
    }
}

#[lifecycle::main]
async fn main(app: App) -> Result {
    // New: with a notice, the body is waited for. Ask for it first: one that has not asked is dropped at a signal.
    let stopping = app.stopping();
    let hits: Arc<Hits> = app.get::<Hits>();
    // As before. It is never told to stop, and the read of stdin cannot be: neither keeps the process.
    tokio::spawn(show(Arc::clone(&hits)));
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    let hit = move || async move { format!("hit {}\n", hits.0.fetch_add(1, Ordering::Relaxed) + 1) };
    let routes = Router::new().route("/", get(hit)).route("/slow", get(slow));
    // As before, except for the graceful shutdown. The server ends before any resource is released.
    axum::serve(listener, routes).with_graceful_shutdown(stopping).await?;
    Ok(())
}

async fn show(hits: Arc<Hits>) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        tracing::info!("{} hits so far", hits.0.load(Ordering::Relaxed));
    }
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "done\n"
}
