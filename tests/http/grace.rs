//! At the turn, a connection that is in use is not closed under its next request, and one that is not is closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use lifecycle_tests::harness::path::path_to;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::support::{Peer, Running, begin, bounded, impatient, patient};

/// More than a test takes, so that a pause of the machine changes nothing.
const LONG: Duration = Duration::from_secs(10);
const CLIENTS: u32 = 60;

async fn serve(grace: Duration) -> Running {
    begin(patient(), move |cx, listener| {
        cx.http().idle_grace(grace).serve(listener, Router::new().route("/", get("OK")));
    })
    .await
}

/// Asks again and again, until it is told that the connection ends. Returns whether a request was lost.
async fn loses_a_request(address: SocketAddr, pause: Duration, answered: Arc<Semaphore>) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    loop {
        if stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.is_err() {
            return true;
        }
        let mut head = String::new();
        while !head.ends_with("\r\n\r\nOK") {
            match stream.read_u8().await {
                Ok(byte) => head.push(char::from(byte)),
                Err(_) => return true,
            }
        }
        if head.contains("connection: close") {
            return false;
        }
        answered.add_permits(1);
        tokio::time::sleep(pause).await;
    }
}

async fn no_request_is_lost(delay: Duration, pause: Duration) {
    bounded(async {
        let running = serve(LONG).await;
        let address = path_to(running.address, delay);
        let answered = Arc::new(Semaphore::new(0));
        let client = |_| tokio::spawn(loses_a_request(address, pause, Arc::clone(&answered)));
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        answered.acquire_many(3 * CLIENTS).await.unwrap().forget();
        running.stop().await;
        let mut lost = 0;
        for client in clients {
            lost += u32::from(client.await.unwrap());
        }
        assert_eq!(lost, 0, "of {CLIENTS} clients, at {delay:?}");
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn on_a_path_of_2_ms_no_request_is_lost() {
    no_request_is_lost(Duration::from_millis(2), Duration::ZERO).await;
}

#[tokio::test]
async fn on_a_path_of_10_ms_no_request_is_lost() {
    no_request_is_lost(Duration::from_millis(10), Duration::ZERO).await;
}

#[tokio::test]
async fn on_a_path_of_50_ms_no_request_is_lost() {
    no_request_is_lost(Duration::from_millis(50), Duration::ZERO).await;
}

#[tokio::test]
async fn with_a_pause_between_requests_none_is_lost() {
    no_request_is_lost(Duration::from_millis(2), Duration::from_millis(100)).await;
}

#[tokio::test]
async fn within_the_grace_the_next_request_is_answered_and_told_that_it_is_the_last() {
    bounded(async {
        let running = serve(LONG).await;
        let address = path_to(running.address, Duration::from_millis(20));
        let mut busy = Peer(TcpStream::connect(address).await.unwrap());
        busy.ask("/").await;
        running.stop().await;
        let answer = busy.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        busy.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn when_the_grace_is_over_the_connection_is_closed_properly() {
    bounded(async {
        let running = serve(Duration::from_millis(50)).await;
        let idle = running.known().await;
        running.stop().await;
        idle.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

/// If it lingered, its client, which does not close its side, would have it cut off.
#[tokio::test]
async fn an_idle_connection_does_not_linger() {
    bounded(async {
        let builder = lifecycle::App::builder().shutdown_timeout(Duration::from_secs(2));
        let running = begin(builder, |cx, listener| {
            cx.http().idle_grace(Duration::ZERO).serve(listener, Router::new().route("/", get("OK")));
        })
        .await;
        let idle = running.known().await;
        running.stop().await;
        running.ends_clean().await;
        idle.sees_close().await;
    })
    .await;
}

/// Some clients send an empty line after a request.
#[tokio::test]
async fn an_empty_line_is_not_the_beginning_of_a_head() {
    bounded(async {
        let running = begin(impatient(), |cx, listener| {
            cx.http().idle_grace(Duration::ZERO).serve(listener, Router::new().route("/", get("OK")));
        })
        .await;
        let mut new = running.connect().await;
        new.send("\r\n").await;
        let mut idle = running.known().await;
        idle.send("\r").await;
        let mut at_once = running.connect().await;
        at_once.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n\r\n").await;
        assert_eq!(at_once.answer().await.status, 200);
        running.known().await;
        running.stop().await;
        new.sees_end().await;
        idle.sees_end().await;
        at_once.sees_end().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn after_an_empty_line_a_request_is_answered() {
    bounded(async {
        let running = serve(LONG).await;
        let mut peer = running.known().await;
        peer.send("\r\n").await;
        running.known().await;
        assert_eq!(peer.ask("/").await.status, 200);
        running.stop().await;
        peer.send("\r\n").await;
        assert_eq!(peer.ask("/").await.status, 200);
        running.ends_clean().await;
    })
    .await;
}

/// What half a head may come behind: no body, and bodies whose length is known or not.
const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 6\r\n\r\nbody\r\n";
const CHUNKED: &str =
    "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
const HALF_A_HEAD: &str = "GET / HT";

async fn half_a_head_has_the_same_time_as_the_first(behind: &'static str) {
    bounded(async {
        let running = begin(patient(), move |cx, listener| {
            let server = cx.http().header_read_timeout(Duration::from_millis(100));
            server.serve(listener, Router::new().route("/", any("OK")));
        })
        .await;
        let mut peer = running.connect().await;
        peer.send(&format!("{behind}{HALF_A_HEAD}")).await;
        assert_eq!(peer.answer().await.status, 200);
        peer.sees_end().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Its last request was answered long ago, as the idle grace is zero.
async fn half_a_head_may_be_finished_and_is_answered(behind: &'static str) {
    bounded(async {
        let running = begin(patient(), move |cx, listener| {
            let server = cx.http().idle_grace(Duration::ZERO);
            server.serve(listener, Router::new().route("/", any("OK")));
        })
        .await;
        let mut peer = running.connect().await;
        peer.send(&format!("{behind}{HALF_A_HEAD}")).await;
        assert_eq!(peer.answer().await.status, 200);
        let idle = running.known().await;
        running.stop().await;
        idle.sees_close().await;
        peer.send("TP/1.1\r\nhost: test\r\n\r\n").await;
        let answer = peer.answer().await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        peer.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn half_a_pipelined_head_has_the_same_time_as_the_first() {
    half_a_head_has_the_same_time_as_the_first(GET).await;
}

#[tokio::test]
async fn half_a_head_behind_a_body_has_the_same_time_as_the_first() {
    half_a_head_has_the_same_time_as_the_first(POST).await;
}

#[tokio::test]
async fn half_a_head_behind_a_body_in_chunks_has_the_same_time_as_the_first() {
    half_a_head_has_the_same_time_as_the_first(CHUNKED).await;
}

#[tokio::test]
async fn half_a_pipelined_head_may_be_finished_and_is_answered() {
    half_a_head_may_be_finished_and_is_answered(GET).await;
}

#[tokio::test]
async fn half_a_head_behind_a_body_may_be_finished_and_is_answered() {
    half_a_head_may_be_finished_and_is_answered(POST).await;
}

#[tokio::test]
async fn half_a_head_behind_a_body_in_chunks_may_be_finished_and_is_answered() {
    half_a_head_may_be_finished_and_is_answered(CHUNKED).await;
}

/// The body ends in anything, so its end is not half a head.
#[tokio::test]
async fn a_body_is_not_the_beginning_of_a_head() {
    bounded(async {
        let routes = Router::new().route("/", axum::routing::post(|body: String| async { body }));
        let running = begin(impatient(), |cx, listener| {
            cx.http().idle_grace(Duration::ZERO).serve(listener, routes);
        })
        .await;
        let mut peer = running.connect().await;
        let mut chunked = running.connect().await;
        for _ in 0..3 {
            peer.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbo").await;
            running.known().await;
            peer.send("dy").await;
            assert_eq!(peer.answer().await.body, "body");
            chunked.send(CHUNKED).await;
            assert_eq!(chunked.answer().await.body, "body");
        }
        running.stop().await;
        running.ends_clean().await;
        peer.sees_close().await;
        chunked.sees_close().await;
    })
    .await;
}
