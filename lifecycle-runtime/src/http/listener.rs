//! Where connections come from.

use std::future::{Future, Ready, ready};
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(unix)]
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener as StdUnixListener};
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use super::tcp;

/// A listening socket, from which [`serve_http`](crate::Acquire::serve_http) accepts connections.
///
/// It is implemented for tokio's `TcpListener` and `UnixListener`. Implement it to put a layer such as TLS between the
/// socket and HTTP: accept from the inner listener, and return the handshake as the future.
///
/// ```
/// # use std::future::Future;
/// # use std::io;
/// # use std::path::PathBuf;
/// # use std::pin::Pin;
/// use lifecycle::http::Listener;
///
/// # type TlsStream<T> = T;
/// # struct TlsAcceptor;
/// # impl TlsAcceptor {
/// #     fn accept<F, T>(&self, f: F) -> Pin<Box<dyn Future<Output = io::Result<T>> + Send>>
/// #     where F: Future<Output = io::Result<T>> + Send + 'static { Box::pin(f) }
/// # }
/// struct TlsListener<L> { inner: L, tls: TlsAcceptor }
///
/// impl<L: Listener> Listener for TlsListener<L> {
///     type Io = TlsStream<L::Io>;
///     type Addr = L::Addr;
///     type Handshake = Pin<Box<dyn Future<Output = io::Result<Self::Io>> + Send>>;
///
///     async fn accept(&mut self) -> io::Result<(Self::Handshake, L::Addr)> {
///         let (socket, peer) = self.inner.accept().await?;
///         Ok((self.tls.accept(socket), peer))
///     }
///
///     fn file(&self) -> Option<PathBuf> {
///         self.inner.file()
///     }
///
///     fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, L::Addr)>> + Send {
///         let tls = self.tls;
///         self.inner.close().map(move |accepted| accepted.map(|(socket, peer)| (tls.accept(socket), peer)))
///     }
/// }
/// ```
///
/// `examples/tls.rs` does this with `tokio-rustls`.
pub trait Listener: Send + Sized + 'static {
    /// A connection that is ready for HTTP.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// The address of the peer. Handlers find it in the request's extensions, as [`Peer`](super::Peer).
    type Addr: Clone + Send + Sync + 'static;
    /// What must happen to an accepted connection before HTTP. It runs in the connection's own task, so a slow client
    /// does not delay the others, and it has the same time limit as reading a head. At the turn, one that has waited for
    /// its client in vain since the accept is dropped, 1 s after the accept.
    type Handshake: Future<Output = io::Result<Self::Io>> + Send + 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// An error does not end the server. If it concerns a single connection, it is ignored. After any other error, such
    /// as too many open files, the server logs it, waits a moment and tries again. Only if the listener itself is
    /// unusable (`InvalidInput`) has the server failed (rule R1).
    ///
    /// # Cancel safety
    ///
    /// Implementations must not lose a connection when the future is dropped.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Handshake, Self::Addr)>> + Send;

    /// The file to remove when the listener is closed, if it is still the one that is there when serving begins: the file
    /// of a Unix socket.
    ///
    /// The default is `None`. A layer around another listener passes on what that says.
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// Returns the connections in the accept queue, without waiting for more. The listener is closed when the iterator is
    /// dropped.
    ///
    /// It is called at the resource's turn. Closing a listener whose queue is not empty would reset every connection in
    /// it. `None` says that the queue is empty. After an error, such as too many open files, the server waits a moment
    /// and goes on with the iterator, as descriptors become free when connections end; only after `InvalidInput` it does
    /// not. It takes no more connections than a queue can hold, so that an endless stream of new ones cannot hold up the
    /// stop.
    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, Self::Addr)>> + Send;
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;
    type Handshake = Ready<io::Result<TcpStream>>;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        tcp::set_options(&stream, Some(self));
        Ok((ready(Ok(stream)), peer))
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, SocketAddr)>> + Send {
        waiting(self.into_std(), StdTcpListener::accept).map(|accepted| {
            let (stream, peer) = accepted?;
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            Ok((ready(stream.inspect(|stream| tcp::set_options(stream, None))), peer))
        })
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = UnixAddr;
    type Handshake = Ready<io::Result<UnixStream>>;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, UnixAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        Ok((ready(Ok(stream)), peer.into()))
    }

    fn file(&self) -> Option<PathBuf> {
        let address = self.local_addr().ok()?;
        // The working directory may change, so a relative path counts from now.
        let path = std::path::absolute(address.as_pathname()?).ok()?;
        is_our_own(self).then_some(path)
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, UnixAddr)>> + Send {
        waiting(self.into_std(), StdUnixListener::accept).map(|accepted| {
            let (stream, peer) = accepted?;
            let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
            Ok((ready(stream), peer))
        })
    }
}

/// Whether this process made the socket listen. An inherited one belongs to its owner, and so does its file. Linux says
/// who made a socket listen, as if that were its peer; where nobody says, it is not ours.
#[cfg(unix)]
fn is_our_own(listener: &UnixListener) -> bool {
    let Ok(socket) = listener.as_fd().try_clone_to_owned() else { return false };
    let owner = UnixStream::from_std(socket.into()).and_then(|socket| socket.peer_cred());
    let pid = owner.ok().and_then(|owner| owner.pid());
    pid.and_then(|pid| u32::try_from(pid).ok()) == Some(std::process::id())
}

/// The connections in the queue of a listener, which does not block. tokio's own `accept` only returns those that its
/// reactor already knows of.
fn waiting<L: Queue, T>(
    listener: io::Result<L>,
    accept: impl Fn(&L) -> io::Result<T>,
) -> impl Iterator<Item = io::Result<T>> {
    let listener = listener.ok();
    std::iter::from_fn(move || {
        let listener = listener.as_ref()?;
        match accept(listener) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // Without descriptors, there is an error even if nobody waits.
            Err(_) if listener.is_empty() => None,
            accepted => Some(accepted),
        }
    })
}

/// A listener that knows whether connections wait.
trait Queue {
    fn is_empty(&self) -> bool;
}

#[cfg(unix)]
impl<L: AsFd> Queue for L {
    fn is_empty(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut queue = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut queue, PollTimeout::ZERO) == Ok(0)
    }
}

/// Elsewhere, an error is that of a connection.
#[cfg(not(unix))]
impl Queue for StdTcpListener {
    fn is_empty(&self) -> bool {
        false
    }
}

/// Whether an error of `accept` is that of the connection, and not that of the listener.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
