//! A server that is told its port.

use std::time::Duration;

use axum::{Router, routing::get};
use lifecycle::{Acquire, Resource, Result, resource};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Resources are acquired before the body of `main` runs. What they need from the command line, the environment or a
/// file is therefore read in a foundation, which is acquired before everything else.
#[resource(foundation)]
struct Settings {
    port: u16,
}

impl Resource for Settings {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        // With clap, `Arguments::parse()` here does the same, `--help` included.
        let port = std::env::args().nth(1).ok_or("usage: arguments PORT")?;
        let port = port.parse().map_err(|error| format!("the port {port:?} is not a number: {error}"))?;
        tracing_subscriber::fmt().with_ansi(false).log_internal_errors(false).init();
        Ok(Self { port })
    }
}

#[resource(after = Settings)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", cx.get::<Settings>().port)).await?;
        tracing::info!("listening on http://{}", listener.local_addr()?);
        let slow = get(async || {
            tracing::info!("a request has begun");
            sleep(Duration::from_millis(300)).await;
            "done"
        });
        cx.serve_http(listener, Router::new().route("/slow", slow));
        Ok(Self)
    }
}

#[lifecycle::main]
async fn main() {}
