//! What a server does not wait for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

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
        silent.sees_end().await;
        slow.sees_end().await;
        preface.sees_end().await;
        second.sees_end().await;
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
        running.known().await.sees_end().await;
        assert!(began.elapsed() >= SHORT, "after {:?}", began.elapsed());
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_used_is_not_idle() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            cx.http().keep_alive_timeout(20 * SHORT).serve(listener, root());
        })
        .await;
        let mut peer = running.connect().await;
        let began = std::time::Instant::now();
        while began.elapsed() < 30 * SHORT {
            assert_eq!(peer.ask("/").await.status, 200);
        }
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_not_idle_however_long_it_is_silent() {
    bounded(async {
        let (chunks, receiver) = mpsc::channel::<Result<String, std::io::Error>>(1);
        let body = Arc::new(Mutex::new(Some(Body::from_stream(ReceiverStream::new(receiver)))));
        let handler = get(move || async move { body.lock().unwrap().take().unwrap() });
        let running = begin(patient(), |cx, listener| {
            cx.http().keep_alive_timeout(SHORT).serve(listener, root().route("/chunks", handler));
        })
        .await;
        let mut peer = running.connect().await;
        peer.get("/chunks").await;
        chunks.send(Ok("one".to_owned())).await.unwrap();
        peer.until("3\r\none\r\n").await;
        // Another connection is idle from now on, so that its end tells that the time is over.
        running.known().await.sees_end().await;
        chunks.send(Ok("two".to_owned())).await.unwrap();
        peer.until("3\r\ntwo\r\n").await;
        drop(chunks);
        peer.until("0\r\n\r\n").await;
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
        peer.sees_end().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}
