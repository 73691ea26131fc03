//! A response: what its end is, and its body on the way out.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, HeaderValue};
use http::{Response, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::ledger::{Debt, Exchange};

/// Whether a response has no known end. Such a response is not unfinished, however long it lasts (rule E1).
pub(super) fn is_stream(body: &impl Body) -> bool {
    !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// Asks the client to use another connection for its next request (rule D4). HTTP/2 has GOAWAY instead of this header.
pub(super) fn close_after<B>(version: Version, response: &mut Response<B>) {
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

pin_project! {
    /// The body of a response, and with it the rest of its request.
    pub(super) struct ResponseBody<B> {
        #[pin]
        pub(super) body: B,
        pub(super) exchange: Exchange,
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Chunk<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let owed = |data| Chunk { data, _debt: this.exchange.debt() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(owed))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of a response, and the debt to write it out. hyper drops it after writing it.
#[derive(Debug)]
pub(super) struct Chunk<D> {
    data: D,
    _debt: Option<Debt>,
}

impl<D: Buf> Buf for Chunk<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.data.copy_to_bytes(length)
    }
}
