//! HTTPS with a custom [`Listener`], which puts TLS between the socket and HTTP. It accepts from another listener, and
//! returns the TLS handshake as a future. The handshake runs in the connection's task, so a slow client does not delay
//! the others. At the turn, connections in the accept queue are served, as they are without TLS.
//!
//! Run it with `cargo run --example tls`, request it with `curl --insecure 'https://127.0.0.1:8443/slow?ms=5000'`, and
//! press Ctrl-C.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use lifecycle::http::Listener;
use lifecycle::{Acquire, Resource, Result, resource};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

struct TlsListener<L> {
    inner: L,
    tls: TlsAcceptor,
}

impl<L: Listener> Listener for TlsListener<L> {
    type Io = TlsStream<L::Io>;
    type Addr = L::Addr;
    type Handshake = Handshake<L>;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, L::Addr)> {
        let (handshake, peer) = self.inner.accept().await?;
        Ok((self::handshake::<L>(self.tls.clone(), handshake), peer))
    }

    fn file(&self) -> Option<PathBuf> {
        self.inner.file()
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, L::Addr)>> + Send {
        let Self { inner, tls } = self;
        inner.close().map(move |accepted| {
            let (handshake, peer) = accepted?;
            Ok((self::handshake::<L>(tls.clone(), handshake), peer))
        })
    }
}

type Handshake<L> =
    std::pin::Pin<Box<dyn Future<Output = io::Result<TlsStream<<L as Listener>::Io>>> + Send>>;

fn handshake<L: Listener>(tls: TlsAcceptor, inner: L::Handshake) -> Handshake<L> {
    Box::pin(async move {
        let accept: Accept<L::Io> = tls.accept(inner.await?);
        accept.await
    })
}

#[resource]
struct Https;

impl Resource for Https {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let port = std::env::var("PORT").unwrap_or_else(|_| "8443".to_owned());
        let inner = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        println!("listening on https://{}", inner.local_addr()?);
        let listener = TlsListener { inner, tls: TlsAcceptor::from(Arc::new(config()?)) };
        cx.serve_http(listener, Router::new().route("/", get("OK\n")).route("/slow", get(slow)));
        Ok(Self)
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

/// A self-signed certificate for this run; a real server reads one from a file.
fn config() -> Result<ServerConfig> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[lifecycle::main]
async fn main() {}
