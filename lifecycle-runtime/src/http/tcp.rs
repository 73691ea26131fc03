//! The options of accepted TCP sockets.

use std::io;

use tokio::net::TcpStream;

/// A connection is usable even if an option cannot be set.
pub(super) fn set_options(stream: &TcpStream) {
    // Small responses are sent without delay.
    let _ = stream.set_nodelay(true);
    let _ = notice_vanished_peers(stream);
}

/// A peer that has lost its power or its network says nothing. If nothing is ever sent to it, only probes tell; if
/// something was sent, the kernel would repeat it for a quarter of an hour.
///
/// The times are those of the documentation of [`lifecycle::http`](super). Once the limit on what is not acknowledged is
/// set, it alone decides how many probes are sent. So it is as long as the probes take: see
/// <https://blog.cloudflare.com/when-tcp-sockets-refuse-to-die/>.
#[cfg(target_os = "linux")]
fn notice_vanished_peers(stream: &TcpStream) -> io::Result<()> {
    use std::time::Duration;

    use rustix::net::sockopt;

    const IDLE: Duration = Duration::from_secs(60);
    const INTERVAL: Duration = Duration::from_secs(10);
    const PROBES: u32 = 6;
    const UNACKNOWLEDGED_MS: u32 = 120_000;
    sockopt::set_tcp_keepidle(stream, IDLE)?;
    sockopt::set_tcp_keepintvl(stream, INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MS)?;
    sockopt::set_socket_keepalive(stream, true)?;
    Ok(())
}

/// Elsewhere the system decides.
#[cfg(not(target_os = "linux"))]
fn notice_vanished_peers(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
