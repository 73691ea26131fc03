//! A make-service where a service is expected: it belongs to `serve_make_service`.

use axum::Router;
use lifecycle::{Acquire, Resource, Result, resource};
use tokio::net::TcpListener;

#[resource]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        cx.serve_http(listener, Router::new().into_make_service());
        Ok(Http)
    }
}

fn main() {}
