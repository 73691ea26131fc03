//! An existing application, with its own `#[tokio::main]` and its own server, that adopts the framework in a few lines
//! and keeps the rest.
//!
//! Run it with `cargo run --example existing_app`, request <http://127.0.0.1:8080/slow?ms=5000>, and press Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use lifecycle::{Acquire, App, Release, Report, Resource, Result, resource};
use serde::Deserialize;
use tokio::net::TcpListener;

/// New: what used to be opened at the top of `main` and, on a good day, closed at the bottom.
#[resource]
struct Hits(AtomicU64);

impl Resource for Hits {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(AtomicU64::new(0)))
    }

    async fn release(&self, _: &Release) -> Result {
        println!("{} hits", self.0.load(Ordering::Relaxed));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Report {
    tracing_subscriber::fmt::init();
    // New: from here on signals are handled, and the resources are acquired.
    let app = match App::builder().handle_signals().start().await {
        Ok(app) => app,
        Err(report) => return report,
    };
    // As before, except for the graceful shutdown. The server ends before any resource is released.
    if let Err(error) = serve(&app).await {
        app.fail(error);
    }
    // New: the resources are released, and the report has the exit code.
    app.run().await
}

async fn serve(app: &App) -> Result {
    let hits: Arc<Hits> = app.get::<Hits>();
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let hit = move || async move { format!("hit {}\n", hits.0.fetch_add(1, Ordering::Relaxed) + 1) };
    let routes = Router::new().route("/", get(hit)).route("/slow", get(slow));
    axum::serve(listener, routes).with_graceful_shutdown(app.stopping()).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "done\n"
}
