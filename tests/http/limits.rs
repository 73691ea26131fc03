//! What a server does not wait for.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};

use super::support::{begin, bounded, patient};

const SHORT: Duration = Duration::from_millis(100);

fn root() -> Router {
    Router::new().route("/", get("OK"))
}

#[tokio::test]
async fn a_head_that_takes_too_long_closes_the_connection() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            cx.http().header_read_timeout(SHORT).serve(listener, root());
        })
        .await;
        let silent = running.connect().await;
        let mut slow = running.connect().await;
        slow.send("GET / HT").await;
        let mut preface = running.connect().await;
        preface.send("PRI * HT").await;
        let mut second = running.known().await;
        second.send("GET / HT").await;
        silent.is_gone().await;
        slow.is_gone().await;
        preface.is_gone().await;
        second.is_gone().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time_and_not_before() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            cx.http().header_read_timeout(SHORT / 10).keep_alive_timeout(SHORT).serve(listener, root());
        })
        .await;
        let began = std::time::Instant::now();
        running.known().await.is_gone().await;
        assert!(began.elapsed() >= SHORT, "after {:?}", began.elapsed());
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_an_error_for_the_handler() {
    bounded(async {
        let read = |body: Body| async {
            let error = axum::body::to_bytes(body, 1000).await.unwrap_err();
            format!("{:?}", std::error::Error::source(&error).map(ToString::to_string))
        };
        let running = begin(patient(), move |cx, listener| {
            cx.http().idle_body_timeout(SHORT).serve(listener, root().route("/upload", post(read)));
        })
        .await;
        let mut peer = running.connect().await;
        peer.send("POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345").await;
        let answer = peer.answer().await;
        assert!(answer.body.contains("the client did not go on sending the body"), "{answer:?}");
        peer.is_gone().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}
