//! What is cut off in the middle counts, unless it says that it is endless (rule E1).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use lifecycle::http::Endless;

use super::support::{Running, bounded, impatient, own_server, serve};

/// A response that begins, and then neither goes on nor ends.
fn begun() -> Body {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"one"))]);
    Body::from_stream(first.chain(stream::pending()))
}

/// Whether a response that does not end is excused, by our server and by the layer on another one.
async fn check(response: fn() -> Response, is_excused: bool) {
    let routes = || Router::new().route("/", get(move || async move { response() }));
    let ours = async { cut_off(serve(impatient(), routes()).await, is_excused).await };
    let another = async { cut_off(own_server(impatient(), routes()).await, is_excused).await };
    bounded(async { tokio::join!(ours, another) }).await;
}

async fn cut_off(running: Running, is_excused: bool) {
    let mut peer = running.connect().await;
    peer.get("/").await;
    peer.until("one\r\n").await;
    running.stop().await;
    let report = running.ends_cut(1, usize::from(is_excused)).await;
    let what = if is_excused { "1 stream (not counted)" } else { "1 request" };
    assert!(report.contains(&format!(", 1 cut off: {what}\n")), "{report}");
}

#[tokio::test]
async fn a_response_of_unknown_length_counts() {
    check(|| begun().into_response(), false).await;
}

#[tokio::test]
async fn a_response_of_another_type_and_unknown_length_counts() {
    check(|| ([(CONTENT_TYPE, "application/json")], begun()).into_response(), false).await;
}

#[tokio::test]
async fn server_sent_events_are_excused() {
    check(|| ([(CONTENT_TYPE, "text/event-stream")], begun()).into_response(), true).await;
}

#[tokio::test]
async fn a_type_may_have_parameters_and_be_in_capitals() {
    check(|| ([(CONTENT_TYPE, "Text/Event-Stream ; charset=utf-8")], begun()).into_response(), true).await;
}

#[tokio::test]
async fn a_multipart_response_that_replaces_its_parts_is_excused() {
    check(|| ([(CONTENT_TYPE, "multipart/x-mixed-replace;boundary=frame")], begun()).into_response(), true)
        .await;
}

#[tokio::test]
async fn a_grpc_response_that_has_begun_is_excused() {
    check(|| ([(CONTENT_TYPE, "application/grpc+proto")], begun()).into_response(), true).await;
}

#[tokio::test]
async fn a_response_that_is_marked_is_excused() {
    check(|| (Extension(Endless), begun()).into_response(), true).await;
}

/// A body that is all there, more than the buffers between the two ends hold.
#[tokio::test]
async fn events_of_a_known_length_have_an_end_and_count() {
    bounded(async {
        let events = || ([(CONTENT_TYPE, "text/event-stream")], vec![b'x'; 1 << 25]);
        let routes = Router::new().route("/", get(move || async move { events() }));
        let running = serve(impatient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/").await;
        peer.until("\r\n\r\n").await;
        running.stop().await;
        running.ends_cut(1, 0).await;
        peer.sees_end().await;
    })
    .await;
}

/// More than the buffers between the two ends hold, and complete as far as the handler is concerned.
#[tokio::test]
async fn a_response_in_300_chunks_that_is_not_read_counts() {
    bounded(async {
        let chunks = || stream::iter(0..300).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b'x'; 1 << 17])));
        let routes = Router::new().route("/", get(move || async move { Body::from_stream(chunks()) }));
        let running = serve(impatient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/").await;
        peer.until("\r\n\r\n").await;
        running.stop().await;
        running.ends_cut(1, 0).await;
        peer.sees_end().await;
    })
    .await;
}
