//! The certificate, if there is one: read from files, and again at every reload. Connections that are open keep the one
//! they began with.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use lifecycle::http::Listener;
use lifecycle::{Acquire, Reload, Resource, Result, Skip, resource};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use crate::settings::{Certificate, Settings};

#[resource(after = Settings, skippable, reload, acquire_timeout = "10s")]
pub(crate) struct Tls {
    files: Certificate,
    config: RwLock<Arc<ServerConfig>>,
}

impl Resource for Tls {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let Some(files) = cx.get::<Settings>().certificate.clone() else { return Err(Skip.into()) };
        let config = RwLock::new(read(files.clone()).await?);
        Ok(Self { files, config })
    }

    /// A certificate that cannot be read, or that the key does not fit, leaves the old one in use.
    async fn reload(&self, _: &Reload) -> Result {
        let config = read(self.files.clone()).await?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }
}

impl Tls {
    fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

async fn read(Certificate { chain, key }: Certificate) -> Result<Arc<ServerConfig>> {
    spawn_blocking(move || config(&chain, &key).map(Arc::new)).await?
}

fn config(chain: &Path, key: &Path) -> Result<ServerConfig> {
    let of = |path: &Path| {
        let path: PathBuf = path.into();
        move |error| format!("{}: {error}", path.display())
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(chain).map_err(of(chain))?.collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(of(key))?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// TLS between the sockets of another listener and HTTP. Each handshake uses the certificate of its moment.
pub(crate) struct TlsListener<L> {
    pub(crate) inner: L,
    pub(crate) tls: Arc<Tls>,
}

type Handshake<L> = Pin<Box<dyn Future<Output = io::Result<TlsStream<<L as Listener>::Io>>> + Send>>;

impl<L: Listener> Listener for TlsListener<L> {
    type Io = TlsStream<L::Io>;
    type Addr = L::Addr;
    type Handshake = Handshake<L>;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, L::Addr)> {
        let (handshake, peer) = self.inner.accept().await?;
        Ok((self::handshake::<L>(self.tls.acceptor(), handshake), peer))
    }

    fn file(&self) -> Option<PathBuf> {
        self.inner.file()
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, L::Addr)>> + Send {
        let Self { inner, tls } = self;
        inner.close().map(move |accepted| {
            let (handshake, peer) = accepted?;
            Ok((self::handshake::<L>(tls.acceptor(), handshake), peer))
        })
    }
}

fn handshake<L: Listener>(tls: TlsAcceptor, inner: L::Handshake) -> Handshake<L> {
    Box::pin(async move { tls.accept(inner.await?).await })
}
