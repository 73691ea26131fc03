//! A client that speaks HTTP/2, and asks for one thing after the other.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::http::Response;
use crate::program::PATIENCE;

/// One connection, without encryption and without an upgrade.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// It has a thread of its own, so that what the server says between requests is heard.
    runtime: Runtime,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build()?;
        let sender = runtime.block_on(within(PATIENCE, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) =
                handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other)?;
            // What goes wrong, a request is told.
            tokio::spawn(connection);
            Ok(sender)
        }))?;
        Ok(Self { sender, runtime })
    }

    /// Whether the server takes more requests, as far as it has said.
    pub(crate) fn is_open(&self) -> bool {
        self.sender.is_ready()
    }

    /// A GET, or a POST of this JSON.
    pub(crate) fn ask(&mut self, path: &str, json: Option<String>) -> io::Result<Response> {
        let method = if json.is_some() { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        if json.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let request = request.body(Full::from(json.unwrap_or_default())).map_err(io::Error::other)?;
        self.runtime.block_on(within(PATIENCE, async {
            let response = self.sender.send_request(request).await.map_err(io::Error::other)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let body = String::from_utf8(body.into()).map_err(io::Error::other)?;
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
            Ok(Response::new(head.status.as_u16(), headers.collect(), body))
        }))
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, future).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
