use lifecycle::{Acquire, Resource, Result, resource};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::ServingStatus::{NotServing, Serving};

#[resource]
pub struct Grpc {
    pub address: std::net::SocketAddr,
}

impl Resource for Grpc {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mut health, service) = tonic_health::server::health_reporter();
        health.set_service_status("", Serving).await; // "" is the whole server
        let draining = cx.draining();
        cx.spawn("health", |stopping| async move {
            draining.await;
            health.set_service_status("", NotServing).await;
            stopping.await;
            health.clear_service_status("").await; // ends the streams of those who watch
        });
        cx.serve_http(listener, Routes::new(service)); // and `.add_service(…)` for your own
        Ok(Self { address })
    }
}
