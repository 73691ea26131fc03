//! A response: what its end is, and its body on the way out.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::debts::{Exchange, Piece};

/// Marks a response that has no end, in its extensions. If it is cut off at the end of the turn, that does not count for
/// the exit code (rule E1).
///
/// Server-sent events, `multipart/x-mixed-replace` and gRPC need no mark; see [`lifecycle::http`](crate::http) for what
/// becomes of each. Use it for a stream of another type that goes on until the client has enough: a feed of JSON
/// lines, a live log, a radio station. Do not use it for a response that is merely large, slow or of unknown length:
/// its client needs all of it, and the exit code is to say so if it gets only a part.
///
/// The mark only excuses; the handler still has to end the stream at its notice to end it well.
///
/// ```
/// use std::io;
/// use axum::Extension;
/// use axum::body::{Body, Bytes};
/// use axum::response::IntoResponse;
/// use futures_util::{StreamExt, stream};
/// use lifecycle::Stopping;
/// use lifecycle::http::Endless;
///
/// async fn feed(Extension(stopping): Extension<Stopping>) -> impl IntoResponse {
///     let lines = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(b"{}\n"))).take_until(stopping);
///     (Extension(Endless), Body::from_stream(lines))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endless;

/// Whether a response says that it has no end. Such a response is not unfinished, however long it lasts (rule E1). That
/// its length is unknown says nothing: so it is of every response that is compressed on the way. One whose length is known
/// has an end, whatever its type.
pub(super) fn is_endless<B: Body>(response: &Response<B>, known_length: Option<u64>) -> bool {
    let is_marked = || response.extensions().get::<Endless>().is_some();
    let is_of_type = || known_length.is_none() && is_of_an_endless_type(response.headers());
    !response.body().is_end_stream() && (is_marked() || is_of_type())
}

/// The length of the body of a response, if it is known from its beginning.
pub(super) fn known_length<B: Body>(response: &Response<B>) -> Option<u64> {
    response.body().size_hint().exact()
}

fn is_of_an_endless_type(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) else { return false };
    let content_type = content_type.trim_ascii_start();
    let behind = |start: &str| {
        let (begin, rest) = content_type.split_at_checked(start.len())?;
        begin.eq_ignore_ascii_case(start.as_bytes()).then_some(rest)
    };
    // Parameters may follow.
    let is = |name| behind(name).is_some_and(|rest| matches!(rest.trim_ascii_start(), [] | [b';', ..]));
    match content_type.first().map(u8::to_ascii_lowercase) {
        Some(b't') => is("text/event-stream"),
        Some(b'm') => is("multipart/x-mixed-replace"),
        // With its variants `application/grpc+proto`, `application/grpc-web` and so on.
        Some(b'a') => behind("application/grpc").is_some(),
        _ => false,
    }
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
        body: B,
        // The last piece takes it along.
        exchange: Option<Exchange>,
        // The last frame was the last one: to ask the body again would cost a call.
        is_at_end: bool,
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(body: B, mut exchange: Exchange) -> Self {
        exchange.waits_for_client();
        Self { body, exchange: Some(exchange), is_at_end: false }
    }

    /// Nobody waits for it any more.
    pub(super) fn forgive(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.is_endless();
        }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Chunk<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let mut this = self.project();
        let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
            this.exchange.iter_mut().for_each(Exchange::waits_for_handler);
            return Poll::Pending;
        };
        let is_last = this.body.is_end_stream();
        *this.is_at_end = is_last;
        let chunk = |data| Chunk { data, piece: Exchange::hand_on(this.exchange, is_last) };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_at_end || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of a response. hyper drops it after writing it.
pub(super) struct Chunk<D> {
    data: D,
    /// Of HTTP/2.
    piece: Option<Piece>,
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
        self.piece.iter().for_each(Piece::advance);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.piece.iter().for_each(Piece::advance);
        self.data.copy_to_bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_response_says_whether_it_ends() {
        let is_endless = |content_type: &'static str| {
            let content_type = HeaderValue::from_static(content_type);
            is_of_an_endless_type(&HeaderMap::from_iter([(CONTENT_TYPE, content_type)]))
        };
        for endless in [
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            "text/event-stream ;charset=utf-8",
            " multipart/x-mixed-replace;boundary=b",
            "application/grpc",
            "application/grpc-web+proto",
        ] {
            assert!(is_endless(endless), "{endless}");
        }
        for other in
            ["", "text/event", "text/event-streams", "text/plain; of=text/event-stream", "application/json"]
        {
            assert!(!is_endless(other), "{other}");
        }
        assert!(!is_of_an_endless_type(&HeaderMap::new()));
    }
}
