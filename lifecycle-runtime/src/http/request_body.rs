//! The body of a request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::model::failure::BoxError;

/// The body of a request to a service of [`serve_http`](crate::Acquire::serve_http): hyper's body, with a limit on how
/// long the client may pause.
///
/// If the client sends nothing for the time of [`idle_body_timeout`](super::HttpServer::idle_body_timeout) while the
/// handler waits for more, reading fails with an [`io::Error`] of kind `TimedOut`.
///
/// Answer when the body has been read. With HTTP/1, what a client still sends behind a response that is complete has to
/// arrive within the time of a head ([`header_read_timeout`](super::HttpServer::header_read_timeout)), also if a task of
/// yours goes on reading it.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    idle_timeout: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, idle_timeout: Option<Duration>) -> Self {
        Self { incoming, idle_timeout, timer: None, is_waiting: false }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = self.idle_timeout else { return Poll::Pending };
        let Some(end) = Instant::now().checked_add(timeout) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if !std::mem::replace(&mut self.is_waiting, true) {
            timer.as_mut().reset(end);
        }
        timer.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.is_waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.poll_timeout(cx));
        let error = io::Error::new(io::ErrorKind::TimedOut, "the client did not go on sending the body");
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
