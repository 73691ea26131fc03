use lifecycle::{Acquire, Resource, Result, resource};
use tokio::net::TcpListener;
use warp::Filter;

#[resource]
pub struct Http {
    pub address: std::net::SocketAddr,
}

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = warp::path!("jobs" / u64).then(job);
        cx.serve_http(listener, warp::service(routes)); // in place of `warp::serve(routes).run(…)`
        Ok(Self { address })
    }
}

async fn job(id: u64) -> String {
    super::work().await;
    format!("done: {id}")
}
