use actix_web::{App, HttpResponse, HttpServer, web};
use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
pub struct Http {
    pub address: std::net::SocketAddr,
}

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = HttpServer::new(|| App::new().route("/jobs/{id}", web::get().to(job)))
            .disable_signals() // they are the application's
            .shutdown_timeout(3_600) // the application cuts it off earlier
            .listen(listener)?
            .run();
        cx.spawn("server", |stopping| async move {
            let (handle, mut server) = (server.handle(), std::pin::pin!(server));
            tokio::select! {
                ended = &mut server => return ended,
                () = stopping => {}
            }
            // The server has to be polled while it is being stopped.
            tokio::join!(server, handle.stop(true)).0
        });
        Ok(Self { address })
    }
}

async fn job(id: web::Path<u64>) -> HttpResponse {
    super::work().await;
    HttpResponse::Ok().body(format!("done: {id}"))
}
