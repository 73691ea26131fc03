//! The I/O of a connection, which can be taken away from its current holder.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tracing::debug;

use super::TARGET;
use super::ledger::{Connection, Protocol};
use super::patience::{Patience, Writing};
use crate::driver::Token;
use crate::driver::lock;

/// Holds the I/O of a connection. The handler of an upgraded connection runs in a task of its own; at the cut-off the
/// connection is closed nevertheless, and the handler's reads and writes fail.
///
/// A peer that takes nothing of what is written to it for too long is treated like one that has left: the connection is
/// closed, whoever holds it.
///
/// It outlives its stream: whoever drops the stream is done with the connection, but the peer may not have received
/// everything yet. See [`linger`](Self::linger).
pub(super) struct Socket<Io> {
    state: Mutex<State<Io>>,
    /// Cancelled when the stream was dropped.
    is_gone: Token,
}

struct State<Io> {
    open: Option<Open<Io>>,
    waiting: Waiting,
}

/// What does not depend on the kind of I/O.
struct Waiting {
    patience: Patience,
    /// The patience has ended.
    is_given_up: bool,
    /// Who waits to read and to write, so that the end can be told to them.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Open<Io> {
    io: Io,
    /// What was read while hyper did not ask for it.
    ahead: Vec<u8>,
    connection: Arc<Connection>,
    /// The connection need not know what else is read.
    is_http2: bool,
    /// The write side is shut.
    is_shut: bool,
    /// The peer has ended.
    has_ended: bool,
}

impl<Io> Socket<Io> {
    /// A peer may take nothing for so long.
    pub(super) fn new(write_timeout: Option<Duration>) -> Arc<Self> {
        let patience = Patience::new(write_timeout);
        let waiting = Waiting { patience, is_given_up: false, reader: None, writer: None };
        let state = State { open: None, waiting };
        Arc::new(Self { state: Mutex::new(state), is_gone: Token::default() })
    }

    /// Keeps `io`, and gives the stream to work with it.
    pub(super) fn open(self: &Arc<Self>, io: Io, connection: &Arc<Connection>) -> Stream<Io>
    where
        Io: AsyncWrite,
    {
        let is_write_vectored = io.is_write_vectored();
        let (ahead, connection) = (Vec::new(), Arc::clone(connection));
        self.lock().open =
            Some(Open { io, ahead, connection, is_http2: false, is_shut: false, has_ended: false });
        Stream { socket: Arc::clone(self), is_write_vectored }
    }

    /// Until the stream was dropped, by hyper or by the handler that it was upgraded for.
    pub(super) async fn is_gone(&self) {
        self.is_gone.raised().await;
    }

    /// Closes the connection, even if something else still holds the stream.
    pub(super) fn close(&self) {
        let (open, wakers) = {
            let mut state = self.lock();
            (state.open.take(), [state.waiting.reader.take(), state.waiting.writer.take()])
        };
        drop(open);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        act: impl FnOnce(&mut Open<Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.lock();
        let State { open: Some(open), waiting } = &mut *state else {
            return Poll::Ready(Err(if state.waiting.is_given_up { given_up() } else { cut_off() }));
        };
        let poll = act(open, cx);
        if waiting.gives_up(side, poll.is_pending(), cx) {
            drop(state);
            tell_of_giving_up();
            self.close();
            return Poll::Ready(Err(given_up()));
        }
        poll
    }

    fn lock(&self) -> MutexGuard<'_, State<Io>> {
        lock(&self.state)
    }
}

impl Waiting {
    /// Keeps the waker of a poll that is pending. Returns whether the peer has had its time.
    #[inline]
    fn gives_up(&mut self, side: Side, is_pending: bool, cx: &mut Context<'_>) -> bool {
        let waker = match (side, is_pending) {
            (Side::Read, false) => return false,
            (Side::Read, true) => &mut self.reader,
            (Side::Write(writing), false) => {
                self.patience.renew(writing);
                return false;
            }
            (Side::Write(writing), true) if self.patience.poll_end(writing, cx).is_ready() => {
                self.is_given_up = true;
                return true;
            }
            (Side::Write(_), true) => &mut self.writer,
        };
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        false
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket<Io> {
    /// Waits for something to read that hyper has not asked for, keeps it for later, and returns whether there was
    /// anything but the end. It keeps one piece; while that waits for hyper, this is pending.
    pub(super) fn poll_read_ahead(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let read = self.poll(cx, Side::Read, |open, cx| {
            if open.ahead.is_empty() { open.poll_read_ahead(cx) } else { Poll::Pending }
        });
        read.map(|read| read.unwrap_or(false))
    }

    /// Says that nothing more will be sent, and discards what the peer still sends until it has ended too, or until
    /// `patience` is over. What has arrived by now is discarded in any case.
    ///
    /// Without that, the kernel answers what was not read, or comes later, with a reset, and everything that has not
    /// reached the peer by then is lost.
    pub(super) async fn linger(&self, patience: Duration) {
        let end = async {
            poll_fn(|cx| self.poll(cx, Side::Write(Writing::Rest), Open::poll_shutdown)).await?;
            poll_fn(|cx| self.poll(cx, Side::Read, Open::poll_discard)).await
        };
        let _: Option<io::Result<()>> = wait_for(end, patience).await;
    }
}

impl<Io> Open<Io> {
    fn has_read(&mut self, bytes: &[u8]) {
        if !self.is_http2 && !bytes.is_empty() {
            self.is_http2 = self.connection.has_read(bytes) == Some(Protocol::Http2);
        }
    }
}

impl<Io: AsyncRead + Unpin> Open<Io> {
    /// Reads a piece, keeps it for later, and returns whether it was anything but the end.
    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [MaybeUninit::uninit(); 1024];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        self.has_read(buffer.filled());
        self.ahead.extend_from_slice(buffer.filled());
        self.has_ended |= buffer.filled().is_empty();
        Poll::Ready(Ok(!buffer.filled().is_empty()))
    }

    /// Reads to the end, and forgets it.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        while !self.has_ended {
            let mut buffer = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            self.has_ended = buffer.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> Open<Io> {
    /// Once is enough: hyper has usually done it when the connection lingers.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// The I/O of a connection as hyper and handlers see it.
pub(super) struct Stream<Io> {
    socket: Arc<Socket<Io>>,
    is_write_vectored: bool,
}

impl<Io: AsyncRead + Unpin> Stream<Io> {
    /// Reads, and keeps for later, until it is known which protocol the peer speaks. One that ends before is left to
    /// HTTP/1.
    pub(super) fn poll_protocol(&self, cx: &mut Context<'_>) -> Poll<io::Result<Protocol>> {
        self.socket.poll(cx, Side::Read, |open, cx| {
            loop {
                if let Some(protocol) = open.connection.protocol() {
                    return Poll::Ready(Ok(protocol));
                }
                if !ready!(open.poll_read_ahead(cx))? {
                    return Poll::Ready(Ok(Protocol::Http1));
                }
            }
        })
    }
}

impl<Io> Drop for Stream<Io> {
    fn drop(&mut self) {
        self.socket.is_gone.raise();
    }
}

/// Waits for `end` while there is patience. Without any, it is polled once: a timer takes a millisecond, even if it has no
/// time, and the turn of many idle connections would wake the runtime for each of them.
async fn wait_for<T>(end: impl Future<Output = T>, patience: Duration) -> Option<T> {
    if !patience.is_zero() {
        return timeout(patience, end).await.ok();
    }
    let mut end = pin!(end);
    poll_fn(|cx| match end.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Which waker to keep, and what is waited for.
#[derive(Clone, Copy)]
enum Side {
    Read,
    Write(Writing),
}

fn tell_of_giving_up() {
    debug!(target: TARGET, "a connection is closed: its client takes nothing of what is sent");
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut off: the server has stopped")
}

fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of what was sent for too long")
}

impl<Io: AsyncRead + Unpin> AsyncRead for Stream<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket.poll(cx, Side::Read, |open, cx| {
            if !open.ahead.is_empty() {
                let length = open.ahead.len().min(buffer.remaining());
                buffer.put_slice(&open.ahead[..length]);
                open.ahead.drain(..length);
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut open.io).poll_read(cx, buffer))?;
            open.has_read(&buffer.filled()[before..]);
            open.has_ended |= buffer.filled().len() == before && buffer.remaining() > 0;
            Poll::Ready(Ok(()))
        })
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Stream<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket
            .poll(cx, Side::Write(Writing::Bytes), |open, cx| Pin::new(&mut open.io).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll(cx, Side::Write(Writing::Bytes), |open, cx| {
            Pin::new(&mut open.io).poll_write_vectored(cx, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.is_write_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll(cx, Side::Write(Writing::Rest), |open, cx| {
            let poll = Pin::new(&mut open.io).poll_flush(cx);
            if let Poll::Ready(Ok(())) = poll {
                open.connection.has_flushed();
            }
            poll
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll(cx, Side::Write(Writing::Rest), Open::poll_shutdown)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn without_patience_nothing_is_waited_for_not_even_a_timer() {
        // A runtime without time has none.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(wait_for(ready(1), Duration::ZERO)), Some(1));
        assert_eq!(runtime.block_on(wait_for(pending::<()>(), Duration::ZERO)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_given_up() {
        assert_eq!(wait_for(ready(1), Duration::from_secs(1)).await, Some(1));
        assert_eq!(wait_for(pending::<()>(), Duration::from_secs(1)).await, None);
    }
}
