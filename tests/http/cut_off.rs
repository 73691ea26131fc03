//! A response that is cut off in the middle is never reported as clean, whatever it looks like (rule E1).

use std::convert::Infallible;
use std::future::{Pending, pending};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Request, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use lifecycle::http::RequestBody;
use tower::Service;
use tower_http::compression::CompressionLayer;

use super::support::{Gate, Running, begin, bounded, impatient, serve};
use super::units::{http2, request, routes};

/// Its handler is in the middle of it.
fn begun() -> Body {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from(vec![b'x'; 1 << 16]))]);
    Body::from_stream(first.chain(stream::pending()))
}

/// The request is cut off, by HTTP/1 and by HTTP/2, and it counts.
async fn counts(routes: Router) {
    let one = async {
        let running = serve(impatient(), routes.clone()).await;
        let mut peer = running.connect().await;
        peer.send("GET / HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip\r\n\r\n").await;
        peer.until("\r\n\r\n").await;
        is_cut_off(running).await;
        peer.sees_end().await;
    };
    let two = async {
        let running = serve(impatient(), routes.clone()).await;
        let mut client = http2(&running).await;
        let mut request = request("/");
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let answer = client.send_request(request).await.unwrap();
        is_cut_off(running).await;
        assert!(answer.into_body().collect().await.is_err());
    };
    bounded(async { tokio::join!(one, two) }).await;
}

async fn is_cut_off(running: Running) {
    running.stop().await;
    let report = running.ends_cut(1, 0).await;
    assert!(report.contains(", 1 cut off: 1 request\n"), "{report}");
}

#[tokio::test]
async fn a_response_of_known_length_counts() {
    counts(Router::new().route("/", get(|| async { ([(CONTENT_LENGTH, "100000")], begun()) }))).await;
}

#[tokio::test]
async fn a_response_in_chunks_counts() {
    counts(Router::new().route("/", get(|| async { begun() }))).await;
}

#[tokio::test]
async fn a_response_that_is_compressed_on_the_way_counts() {
    let compressed = Router::new().route("/", get(|| async { begun() })).layer(CompressionLayer::new());
    counts(compressed).await;
}

#[tokio::test]
async fn a_complete_response_that_is_not_read_counts() {
    counts(Router::new().route("/", get(|| async { Bytes::from(vec![b'x'; 32 << 20]) }))).await;
}

#[tokio::test]
async fn of_several_streams_the_one_that_is_cut_off_counts() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(impatient(), routes(&gate)).await;
        let mut client = http2(&running).await;
        let mut answers: Vec<_> =
            (0..3).map(|_| tokio::spawn(client.send_request(request("/slow")))).collect();
        gate.begun(3).await;
        running.stop().await;
        gate.open(2);
        let report = running.ends_cut(1, 0).await;
        assert!(report.contains("4 (3 requests, 1 task), 1 cut off: 1 request\n"), "{report}");
        let mut answered = 0;
        for answer in answers.drain(..) {
            answered += usize::from(answer.await.unwrap().is_ok());
        }
        assert_eq!(answered, 2);
    })
    .await;
}

/// A service that is never ready: the head of the request was read, and no handler has begun.
#[derive(Clone)]
struct NeverReady(Gate);

impl Service<Request<RequestBody>> for NeverReady {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pending<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.arrive();
        Poll::Pending
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        pending()
    }
}

#[tokio::test]
async fn a_request_whose_handler_has_not_begun_counts() {
    bounded(async {
        let gate = Gate::new();
        let service = NeverReady(gate.clone());
        let running = begin(impatient(), |cx, listener| cx.serve_http(listener, service)).await;
        let mut peer = running.connect().await;
        peer.get("/").await;
        gate.begun(1).await;
        is_cut_off(running).await;
        peer.sees_end().await;
    })
    .await;
}
