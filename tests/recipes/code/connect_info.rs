use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::{Router, routing::get};
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
        let routes = Router::new().route("/whoami", get(whoami));
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        cx.http().serve_make_service(listener, routes);
        Ok(Self { address })
    }
}

async fn whoami(ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
    super::work().await;
    client.to_string()
}
