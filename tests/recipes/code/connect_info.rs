use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::map_request;
use axum::{Extension, Router, routing::get};
use lifecycle::http::Peer;
use lifecycle::{Acquire, Resource, Result, resource};
use tokio::net::TcpListener;

#[resource]
pub struct Http {
    pub address: SocketAddr,
}

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/whoami", get(whoami)).layer(map_request(connect_info));
        cx.serve_http(listener, routes);
        Ok(Self { address })
    }
}

/// `serve_http` puts the client's address into every request, as a `Peer`; axum looks for a `ConnectInfo`.
async fn connect_info(Extension(Peer(client)): Extension<Peer<SocketAddr>>, mut request: Request) -> Request {
    request.extensions_mut().insert(ConnectInfo(client));
    request
}

async fn whoami(ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
    super::work().await;
    client.to_string()
}
