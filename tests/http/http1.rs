//! Every kind of connection of HTTP/1 ends: by itself if it can, and at the cut-off if not.

use std::convert::Infallible;
use std::io::Write;

use axum::body::{Body, Bytes};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream;
use lifecycle::Stopping;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::support::{Gate, Peer, bounded, impatient, patient, serve};

fn root() -> Router {
    Router::new().route("/", get("OK"))
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed() {
    bounded(async {
        let running = serve(patient(), root()).await;
        let silent = running.connect().await;
        let known = running.known().await;
        running.stop().await;
        silent.sees_close().await;
        known.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_the_turn() {
    bounded(async {
        let running = serve(patient(), root()).await;
        let idle = running.known().await;
        running.stop().await;
        idle.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

/// The reactor of this runtime has heard of neither request when the turn begins.
#[tokio::test]
async fn what_an_idle_connection_has_sent_just_before_the_turn_is_answered() {
    bounded(async {
        let running = serve(patient(), root()).await;
        let mut peers = Vec::new();
        for _ in 0..10 {
            peers.push(running.known().await.0.into_std().unwrap());
        }
        for peer in &mut peers {
            peer.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        }
        running.app.shutdown("the test says so");
        for peer in peers {
            let mut peer = Peer(TcpStream::from_std(peer).unwrap());
            let answer = peer.answer().await;
            assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
            peer.sees_close().await;
        }
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn half_a_head_may_be_finished_and_is_answered() {
    bounded(async {
        let running = serve(patient(), root()).await;
        let mut new = running.connect().await;
        new.send("GET / HT").await;
        let mut old = running.known().await;
        old.send("GET / HT").await;
        running.known().await;
        running.stop().await;
        new.send("TP/1.1\r\nhost: test\r\n\r\n").await;
        let answer = new.answer().await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        new.sees_close().await;
        old.send("TP/1.1\r\nhost: test\r\n\r\n").await;
        let answer = old.answer().await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn half_a_head_that_is_never_finished_is_cut_off_and_does_not_count() {
    bounded(async {
        let running = serve(impatient(), root()).await;
        let mut peer = running.connect().await;
        peer.send("GET / HT").await;
        running.known().await;
        running.stop().await;
        peer.sees_end().await;
        running.ends_cut(1, 1).await;
    })
    .await;
}

fn upload(gate: &Gate) -> Router {
    let gate = gate.clone();
    let handler = |body: Body| async move {
        gate.arrive();
        let body = axum::body::to_bytes(body, 1000).await.unwrap();
        format!("{} bytes", body.len())
    };
    root().route("/upload", post(handler))
}

#[tokio::test]
async fn a_slow_upload_may_be_finished_and_is_answered() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), upload(&gate)).await;
        let mut peer = running.connect().await;
        peer.send("POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345").await;
        gate.begun(1).await;
        running.stop().await;
        peer.send("67890").await;
        let answer = peer.answer().await;
        assert_eq!((answer.body.as_str(), answer.says_close()), ("10 bytes", true), "{answer:?}");
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_is_never_finished_is_cut_off_and_counts() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(impatient(), upload(&gate)).await;
        let mut peer = running.connect().await;
        peer.send("POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345").await;
        gate.begun(1).await;
        running.stop().await;
        peer.sees_end().await;
        running.ends_cut(1, 0).await;
    })
    .await;
}

/// More than all the buffers between the two ends hold.
const LARGE: usize = 32 << 20;

fn large(gate: &Gate) -> Router {
    let gate = gate.clone();
    let handler = || async move {
        gate.arrive();
        Bytes::from(vec![b'x'; LARGE])
    };
    root().route("/large", get(handler))
}

#[tokio::test]
async fn a_slow_reader_has_all_of_a_large_response() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(patient(), large(&gate)).await;
        let mut peer = running.connect().await;
        peer.get("/large").await;
        gate.begun(1).await;
        running.stop().await;
        assert_eq!(peer.answer().await.body.len(), LARGE);
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_off_and_counts() {
    bounded(async {
        let gate = Gate::new();
        let running = serve(impatient(), large(&gate)).await;
        let mut peer = running.connect().await;
        peer.get("/large").await;
        gate.begun(1).await;
        running.stop().await;
        running.ends_cut(1, 0).await;
        peer.sees_end().await;
    })
    .await;
}

#[tokio::test]
async fn of_pipelined_requests_the_one_under_way_is_answered_and_the_client_is_told_that_it_is_the_last() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let routes = root().route(
            "/slow",
            get(|| async move {
                passing.pass().await;
                "slow"
            }),
        );
        let running = serve(patient(), routes).await;
        let mut peer = running.connect().await;
        peer.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\nGET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        gate.begun(1).await;
        running.stop().await;
        gate.open(1);
        let answer = peer.answer().await;
        assert_eq!((answer.body.as_str(), answer.says_close()), ("slow", true), "{answer:?}");
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

fn chunks() -> (Router, mpsc::Sender<Result<String, Infallible>>) {
    let (sender, receiver) = mpsc::channel(4);
    let body = std::sync::Mutex::new(Some(Body::from_stream(ReceiverStream::new(receiver))));
    let body = std::sync::Arc::new(body);
    let handler = move || async move { body.lock().unwrap().take().unwrap() };
    (root().route("/chunks", get(handler)), sender)
}

#[tokio::test]
async fn a_chunked_response_goes_on_to_its_end() {
    bounded(async {
        let (routes, chunks) = chunks();
        let running = serve(patient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/chunks").await;
        chunks.send(Ok("one".to_owned())).await.unwrap();
        peer.until("3\r\none\r\n").await;
        running.stop().await;
        chunks.send(Ok("last".to_owned())).await.unwrap();
        drop(chunks);
        assert_eq!(peer.until("0\r\n\r\n").await, "4\r\nlast\r\n0\r\n\r\n");
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn server_sent_events_end_with_the_notice_that_is_in_the_request() {
    bounded(async {
        let events = |Extension(stopping): Extension<Stopping>| async move {
            let first = Event::default().data("first");
            let events = stream::unfold((Some(first), stopping), |(next, stopping)| async move {
                match next {
                    Some(event) => Some((Ok::<_, Infallible>(event), (None, stopping))),
                    None if stopping.is_stopping() => None,
                    None => {
                        stopping.clone().await;
                        Some((Ok(Event::default().data("goodbye")), (None, stopping)))
                    }
                }
            });
            Sse::new(events)
        };
        let running = serve(patient(), root().route("/events", get(events))).await;
        let mut peer = running.connect().await;
        peer.get("/events").await;
        peer.until("data: first\n\n\r\n").await;
        running.stop().await;
        assert!(peer.until("0\r\n\r\n").await.contains("data: goodbye"));
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_ignores_everything_is_cut_off_and_counts() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let routes = root().route("/never", get(|| async move { passing.pass().await }));
        let running = serve(impatient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/never").await;
        gate.begun(1).await;
        running.stop().await;
        peer.sees_end().await;
        running.ends_cut(1, 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_does_not_keep_the_application() {
    bounded(async {
        let gate = Gate::new();
        let (free, blocked) = std::sync::mpsc::channel::<()>();
        let (blocked, arriving) = (std::sync::Arc::new(std::sync::Mutex::new(blocked)), gate.clone());
        let routes = root().route(
            "/block",
            get(|| async move {
                arriving.arrive();
                let _ = blocked.lock().unwrap().recv();
            }),
        );
        let running = serve(impatient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/block").await;
        gate.begun(1).await;
        running.stop().await;
        running.ends_cut(1, 0).await;
        drop(free);
        peer.sees_end().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_and_no_more() {
    bounded(async {
        let routes = root().route("/panic", get(panics));
        let running = serve(patient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/panic").await;
        peer.sees_end().await;
        running.known().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

async fn panics() -> &'static str {
    panic!("as the test wants it")
}
