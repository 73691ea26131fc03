//! TLS, by a listener of one's own. Clients insist on a proper end: one without `close_notify` is an error to them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use lifecycle::http::Listener;
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
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let certificate = certified.cert.der().clone();
    let connector = connector(certificate.clone());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let running = begin(patient(), |cx, inner| cx.serve_http(TlsListener { inner, tls }, routes)).await;
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
