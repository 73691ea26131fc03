//! TLS, by a listener of one's own. Clients insist on a proper end: one without `close_notify` is an error to them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use lifecycle::http::{HttpServer, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::linger::read_slowly;
use super::support::{Gate, Peer, Running, begin, bounded, patient};

struct TlsListener<L> {
    inner: L,
    tls: TlsAcceptor,
}

type Handshake<L> = Pin<Box<dyn Future<Output = io::Result<server::TlsStream<<L as Listener>::Io>>> + Send>>;

impl<L: Listener> Listener for TlsListener<L> {
    type Io = server::TlsStream<L::Io>;
    type Addr = L::Addr;
    type Handshake = Handshake<L>;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, L::Addr)> {
        let (handshake, peer) = self.inner.accept().await?;
        Ok((shake::<L>(self.tls.clone(), handshake), peer))
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, L::Addr)>> + Send {
        let Self { inner, tls } = self;
        inner.close().map(move |accepted| {
            let (handshake, peer) = accepted?;
            Ok((shake::<L>(tls.clone(), handshake), peer))
        })
    }
}

fn shake<L: Listener>(tls: TlsAcceptor, inner: L::Handshake) -> Handshake<L> {
    Box::pin(async move { tls.accept(inner.await?).await })
}

/// A server, and what its clients trust.
async fn serve(routes: Router) -> (Running, TlsConnector) {
    serve_with(routes, |server| server).await
}

async fn serve_with(
    routes: Router,
    options: impl FnOnce(HttpServer) -> HttpServer + Send + 'static,
) -> (Running, TlsConnector) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let certificate = certified.cert.der().clone();
    let connector = connector(certificate.clone());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let running = begin(patient(), |cx, inner| {
        options(cx.http()).serve(TlsListener { inner, tls }, routes);
    })
    .await;
    (running, connector)
}

fn connector(certificate: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(running: &Running, tls: &TlsConnector) -> Peer<client::TlsStream<TcpStream>> {
    let socket = running.connect().await.0;
    Peer(tls.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap())
}

#[tokio::test]
async fn a_request_under_way_is_answered_and_the_session_ends_properly() {
    bounded(async {
        let gate = Gate::new();
        let handler = gate.clone();
        let slow = get(|| async move {
            handler.pass().await;
            "slow"
        });
        let (running, tls) = serve(Router::new().route("/slow", slow)).await;
        let mut peer = connect(&running, &tls).await;
        peer.get("/slow").await;
        gate.begun(1).await;
        running.stop().await;
        gate.open(1);
        let answer = peer.answer().await;
        assert_eq!((answer.status, answer.body.as_str(), answer.says_close()), (200, "slow", true));
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn an_idle_session_ends_properly_at_the_turn() {
    bounded(async {
        let (running, tls) = serve(Router::new().route("/", get("OK"))).await;
        let mut idle = connect(&running, &tls).await;
        assert_eq!(idle.ask("/").await.body, "OK");
        running.stop().await;
        idle.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_has_not_begun_at_the_turn_is_made_and_answered() {
    bounded(async {
        let (running, tls) = serve(Router::new().route("/", get("OK"))).await;
        let socket = running.connect().await.0;
        // Connected, but nothing was sent when the turn begins.
        running.stop().await;
        let name = ServerName::try_from("localhost").unwrap();
        let mut peer = Peer(tls.connect(name, socket).await.unwrap());
        assert_eq!(peer.ask("/").await.body, "OK");
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

/// Without the limit of a head, only the turn ends it.
#[tokio::test]
async fn a_handshake_that_never_begins_holds_up_no_stop() {
    bounded(async {
        let routes = Router::new().route("/", get("OK"));
        let (running, tls) = serve_with(routes, |server| server.header_read_timeout(None)).await;
        let silent = running.connect().await;
        // The server knows the silent one, which came before.
        assert_eq!(connect(&running, &tls).await.ask("/").await.body, "OK");
        running.stop().await;
        silent.sees_end().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_holds_up_no_stop() {
    bounded(async {
        let routes = Router::new().route("/", get("OK"));
        let limit = Duration::from_secs(2);
        let (running, tls) = serve_with(routes, move |server| server.header_read_timeout(limit)).await;
        let mut half = running.connect().await;
        // A record of a handshake begins.
        half.send("\u{16}\u{3}").await;
        assert_eq!(connect(&running, &tls).await.ask("/").await.body, "OK");
        running.stop().await;
        half.sees_end().await;
        running.ends_clean().await;
    })
    .await;
}

/// When the turn has come, it goes on for longer than a client has for its first byte.
#[tokio::test]
async fn half_a_handshake_may_be_finished_at_the_turn_and_is_answered() {
    bounded(async {
        let routes = Router::new().route("/", get("OK"));
        let (running, tls) = serve_with(routes, |server| server.header_read_timeout(None)).await;
        let mut socket = running.connect().await.0;
        let silent = running.connect().await;
        let (near, mut far) = duplex(64 << 10);
        let name = ServerName::try_from("localhost").unwrap();
        let connector = tls.clone();
        let half = tokio::spawn(async move { connector.connect(name, near).await });
        let mut hello = [0; 10];
        far.read_exact(&mut hello).await.unwrap();
        socket.write_all(&hello).await.unwrap();
        assert_eq!(connect(&running, &tls).await.ask("/").await.body, "OK");
        running.stop().await;
        // It has sent nothing, and its time is over.
        silent.sees_end().await;
        let forward = tokio::spawn(async move { copy_bidirectional(&mut far, &mut socket).await });
        let mut peer = Peer(half.await.unwrap().unwrap());
        assert_eq!(peer.ask("/").await.body, "OK");
        peer.sees_close().await;
        let _ = forward.await.unwrap();
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_response_is_complete_although_more_requests_were_sent() {
    const LARGE: usize = 12 << 20;
    bounded(async {
        let gate = Gate::new();
        let handler = gate.clone();
        let large = get(|| async move {
            handler.arrive();
            vec![b'x'; LARGE]
        });
        let (running, tls) = serve(Router::new().route("/large", large)).await;
        let mut peer = connect(&running, &tls).await;
        peer.get("/large").await;
        gate.begun(1).await;
        // They arrive one after the other.
        peer.get("/large").await;
        drop(connect(&running, &tls).await);
        peer.get("/large").await;
        running.stop().await;
        let length = read_slowly(peer.0).await;
        assert!(length > LARGE, "{length} of {LARGE} bytes and a head");
        running.ends_clean().await;
    })
    .await;
}
