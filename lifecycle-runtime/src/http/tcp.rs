//! The options of accepted TCP sockets.

use tokio::net::TcpStream;

/// Sets the options of a socket that `listener` has accepted. A connection is usable even if one cannot be set.
///
/// On Linux, a socket has the options that its listener had when the connection was made. So they are set on the listener,
/// too, and then most connections have them from the beginning: to ask takes one call in place of six.
#[cfg(target_os = "linux")]
pub(super) fn set_options(stream: &TcpStream, listener: Option<&tokio::net::TcpListener>) {
    if linux::are_set(stream) {
        return;
    }
    let _ = linux::set(stream);
    if let Some(listener) = listener.filter(|listener| !linux::are_set(listener)) {
        let _ = linux::set(listener);
    }
}

/// Elsewhere the system decides what becomes of peers that have vanished.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_options(stream: &TcpStream, _: Option<&tokio::net::TcpListener>) {
    // Small responses are sent without delay.
    let _ = stream.set_nodelay(true);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use socket2::{SockRef, TcpKeepalive};

    const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(6);
    const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

    /// Small responses are sent without delay.
    ///
    /// A peer that has lost its power or its network says nothing. If nothing is ever sent to it, only probes tell; if
    /// something was sent, the kernel would repeat it for a quarter of an hour. The times are those of the documentation
    /// of [`lifecycle::http`](super::super). Once the limit on what is not acknowledged is set, it alone decides how many
    /// probes are sent. So it is as long as the probes take: see
    /// <https://blog.cloudflare.com/when-tcp-sockets-refuse-to-die/>.
    pub(super) fn set(socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let _ = socket.set_tcp_nodelay(true);
        socket.set_tcp_keepalive(&KEEPALIVE)?;
        // The last one: see `are_set`.
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))
    }

    /// Whether they are set: then the last one is.
    pub(super) fn are_set(socket: &impl AsFd) -> bool {
        SockRef::from(socket).tcp_user_timeout().is_ok_and(|timeout| timeout == Some(UNACKNOWLEDGED))
    }
}
