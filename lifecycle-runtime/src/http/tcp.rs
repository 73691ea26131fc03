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

    use rustix::net::sockopt;

    const IDLE: Duration = Duration::from_secs(60);
    const INTERVAL: Duration = Duration::from_secs(10);
    const PROBES: u32 = 6;
    const UNACKNOWLEDGED_MS: u32 = 120_000;

    /// Small responses are sent without delay.
    ///
    /// A peer that has lost its power or its network says nothing. If nothing is ever sent to it, only probes tell; if
    /// something was sent, the kernel would repeat it for a quarter of an hour. The times are those of the documentation
    /// of [`lifecycle::http`](super::super). Once the limit on what is not acknowledged is set, it alone decides how many
    /// probes are sent. So it is as long as the probes take: see
    /// <https://blog.cloudflare.com/when-tcp-sockets-refuse-to-die/>.
    pub(super) fn set(socket: impl AsFd) -> io::Result<()> {
        let socket = socket.as_fd();
        let _ = sockopt::set_tcp_nodelay(socket, true);
        sockopt::set_tcp_keepidle(socket, IDLE)?;
        sockopt::set_tcp_keepintvl(socket, INTERVAL)?;
        sockopt::set_tcp_keepcnt(socket, PROBES)?;
        sockopt::set_socket_keepalive(socket, true)?;
        // The last one: see `are_set`.
        sockopt::set_tcp_user_timeout(socket, UNACKNOWLEDGED_MS)?;
        Ok(())
    }

    /// Whether they are set: then the last one is.
    pub(super) fn are_set(socket: impl AsFd) -> bool {
        sockopt::tcp_user_timeout(socket).is_ok_and(|timeout| timeout == UNACKNOWLEDGED_MS)
    }
}
