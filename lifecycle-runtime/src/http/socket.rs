//! The I/O of a connection, which can be taken away from its current holder.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ledger::Connection;
use crate::driver::Token;
use crate::driver::lock;

/// Holds the I/O of a connection. The handler of an upgraded connection runs in a task of its own; at the cut-off the
/// connection is closed nevertheless, and the handler's reads and writes fail.
#[derive(Debug)]
pub(super) struct Socket<Io> {
    state: Mutex<State<Io>>,
    /// Cancelled when the stream was dropped.
    is_gone: Token,
}

#[derive(Debug)]
struct State<Io> {
    open: Option<Open<Io>>,
    /// Who waits to read and to write, so that the end can be told to them.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Open<Io> {
    io: Io,
    connection: Arc<Connection>,
}

impl<Io> Socket<Io> {
    pub(super) fn new() -> Arc<Self> {
        let state = State { open: None, reader: None, writer: None };
        Arc::new(Self { state: Mutex::new(state), is_gone: Token::default() })
    }

    /// Keeps `io`, and gives the stream to work with it.
    pub(super) fn open(self: &Arc<Self>, io: Io, connection: &Arc<Connection>) -> Stream<Io> {
        self.lock().open = Some(Open { io, connection: Arc::clone(connection) });
        Stream(Arc::clone(self))
    }

    /// Until the stream was dropped, by hyper or by the handler that it was upgraded for.
    pub(super) async fn is_gone(&self) {
        self.is_gone.raised().await;
    }

    /// Closes the connection, even if something else still holds the stream.
    pub(super) fn close(&self) {
        let (open, wakers) = {
            let mut state = self.lock();
            (state.open.take(), [state.reader.take(), state.writer.take()])
        };
        drop(open);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State<Io>> {
        lock(&self.state)
    }
}

/// The I/O of a connection as hyper and handlers see it.
#[derive(Debug)]
pub(super) struct Stream<Io>(Arc<Socket<Io>>);

impl<Io> Drop for Stream<Io> {
    fn drop(&mut self) {
        self.0.close();
        self.0.is_gone.raise();
    }
}

/// Which waker to keep.
#[derive(Clone, Copy)]
enum Side {
    Read,
    Write,
}

impl<Io> Stream<Io> {
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        act: impl FnOnce(&mut Open<Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.0.lock();
        let Some(open) = &mut state.open else { return Poll::Ready(Err(cut_off())) };
        let poll = act(open, cx);
        if poll.is_pending() {
            let waiting = match side {
                Side::Read => &mut state.reader,
                Side::Write => &mut state.writer,
            };
            match waiting {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waiting = Some(cx.waker().clone()),
            }
        }
        poll
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut off: the server has stopped")
}

impl<Io: AsyncRead + Unpin> AsyncRead for Stream<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(cx, Side::Read, |open, cx| {
            let before = buffer.filled().len();
            let poll = Pin::new(&mut open.io).poll_read(cx, buffer);
            open.connection.has_read(&buffer.filled()[before..]);
            poll
        })
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Stream<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, Side::Write, |open, cx| Pin::new(&mut open.io).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, Side::Write, |open, cx| Pin::new(&mut open.io).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().open.as_ref().is_some_and(|open| open.io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Side::Write, |open, cx| {
            let poll = Pin::new(&mut open.io).poll_flush(cx);
            if let Poll::Ready(Ok(())) = poll {
                open.connection.has_flushed();
            }
            poll
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Side::Write, |open, cx| Pin::new(&mut open.io).poll_shutdown(cx))
    }
}
