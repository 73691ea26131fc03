//! When the notice of the turn is heard of by connections: once it is known what had arrived before.

#[cfg(target_os = "linux")]
use std::io::{self, Write};
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::time::sleep;

#[cfg(target_os = "linux")]
use crate::driver::CatchPanic;

/// Waits until the runtime has learned from the system of everything that has arrived by now. A connection that looks
/// idle may already have a request in its buffer, which would be reset.
///
/// A byte is sent to a socket of our own. Linux reports sockets in the order in which they became ready, and the runtime
/// takes its reports in that order: once it has seen this one, it has seen all that were ready before.
///
/// A runtime without I/O panics; there the connections are somebody's own, and a moment does. So it does under virtual
/// time, which must not pass while real I/O is waited for.
#[cfg(target_os = "linux")]
pub(super) async fn all_that_has_arrived(has_real_time: bool) {
    let has_heard = has_real_time && matches!(CatchPanic::new(byte_has_arrived()).await, Ok(Ok(())));
    if !has_heard {
        next_poll().await;
    }
}

#[cfg(target_os = "linux")]
async fn byte_has_arrived() -> io::Result<()> {
    let (socket, peer) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UnixStream::from_std(socket)?;
    // The runtime may take a new socket for ready without a report. From here on it does not.
    let _nothing = socket.try_read(&mut [0]);
    (&peer).write_all(&[0])?;
    socket.readable().await
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn all_that_has_arrived(_: bool) {
    next_poll().await;
}

/// A timer achieves the same: the runtime polls for I/O before it fires timers.
async fn next_poll() {
    sleep(Duration::from_millis(1)).await;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_without_io_hears_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(all_that_has_arrived(true));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_has_arrived_before_is_known() {
        for _ in 0..100 {
            let (sockets, peers): (Vec<_>, Vec<_>) = (0..50).map(|_| UnixStream::pair().unwrap()).unzip();
            let register = |socket: UnixStream| {
                socket.set_nonblocking(true).unwrap();
                tokio::net::UnixStream::from_std(socket).unwrap()
            };
            let sockets: Vec<_> = sockets.into_iter().map(register).collect();
            peers.iter().for_each(|mut peer| peer.write_all(b"here").unwrap());
            byte_has_arrived().await.unwrap();
            // It reads only from a socket of which the runtime knows that it is ready.
            let read = sockets.iter().map(|socket| socket.try_read(&mut [0; 4]).unwrap());
            assert!(read.eq([4; 50]));
        }
    }
}
