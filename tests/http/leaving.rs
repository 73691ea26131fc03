//! Connections are asked to leave before the turn: those of HTTP/2 in the drain delay (rule D4), and those that are old.
//!
//! Time is virtual, and connections are in memory: nothing happens but what is due.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifecycle::http::HttpServer;
use lifecycle::{App, Builder, Phase};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::support::Running;
use super::wire::{self, Wire, bounded};

const DELAY: Duration = Duration::from_secs(10);
/// What the system takes for itself, in virtual time.
const MOMENT: Duration = Duration::from_millis(10);

/// A server whose connections are in memory.
struct Server {
    running: Running,
    wire: Wire,
}

fn with_delay(delay: Duration) -> Builder {
    App::builder().shutdown_timeout(Duration::from_secs(60)).drain_delay(delay)
}

/// `/` answers at once, `/slow` after 15 s.
async fn serve(builder: Builder, options: impl FnOnce(HttpServer) -> HttpServer + Send + 'static) -> Server {
    let slow = get(async || {
        sleep(Duration::from_secs(15)).await;
        "slow"
    });
    let routes = Router::new().route("/", get("OK")).route("/slow", slow);
    let (running, wire) =
        wire::serve_with(builder, move |cx, wires| options(cx.http()).serve(wires, routes)).await;
    Server { running, wire }
}

impl Server {
    /// A client of HTTP/2 that has had an answer.
    async fn client(&self) -> Client {
        let (requests, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(self.wire.connect().0)).await.unwrap();
        let end = tokio::spawn(async {
            connection.await.unwrap();
            Instant::now()
        });
        let mut client = Client { requests, end };
        assert_eq!(client.ask("/").await.unwrap(), "OK");
        client
    }

    async fn clients(&self, count: usize) -> Vec<Client> {
        join_all((0..count).map(|_| self.client())).await
    }
}

/// A connection of HTTP/2, and the moment in which the client was told that it ends.
struct Client {
    requests: SendRequest<Empty<Bytes>>,
    end: JoinHandle<Instant>,
}

impl Client {
    /// The request is sent before the answer is waited for.
    fn ask(&mut self, path: &str) -> impl Future<Output = hyper::Result<Bytes>> + use<> {
        let request = Request::get(format!("http://test{path}")).body(Empty::new()).unwrap();
        let answer = self.requests.send_request(request);
        async { Ok(answer.await?.into_body().collect().await?.to_bytes()) }
    }

    /// How long after `since` the client is told.
    async fn lasts(self, since: Instant) -> Duration {
        self.end.await.unwrap() - since
    }
}

async fn last(clients: Vec<Client>, since: Instant) -> Vec<Duration> {
    join_all(clients.into_iter().map(|client| client.lasts(since))).await
}

#[tokio::test(start_paused = true)]
async fn connections_of_http2_are_told_to_go_away_in_the_first_half_of_the_delay_each_at_its_own_moment() {
    bounded(async {
        let server = serve(with_delay(DELAY), |http| http).await;
        let clients = server.clients(100).await;
        server.running.drain().await;
        let ends = last(clients, Instant::now()).await;
        assert_eq!(server.running.app.phase(), Phase::Draining);
        assert!(ends.iter().all(|end| *end <= DELAY / 2 + MOMENT), "{ends:?}");
        for fifth in 0..5 {
            let (from, to) = (DELAY / 10 * fifth, DELAY / 10 * (fifth + 1));
            assert!(
                ends.iter().any(|end| *end >= from && *end < to),
                "none in the {fifth}. second: {ends:?}"
            );
        }
        server.running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http2_that_comes_in_the_delay_is_served() {
    bounded(async {
        let server = serve(with_delay(DELAY), |http| http).await;
        server.running.drain().await;
        let began = Instant::now();
        sleep(Duration::from_secs(2)).await;
        let clients = server.clients(20).await;
        let ends = last(clients, began).await;
        assert!(ends.iter().all(|end| *end <= DELAY / 2 + MOMENT), "in the first half: {ends:?}");
        sleep_until(began + DELAY / 2 + MOMENT).await;
        let mut clients = server.clients(20).await;
        sleep_until(began + DELAY - MOMENT).await;
        for client in &mut clients {
            assert_eq!(client.ask("/").await.unwrap(), "OK");
        }
        let ends = last(clients, began).await;
        assert!(ends.iter().all(|end| *end >= DELAY), "at the turn: {ends:?}");
        server.running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_have_begun_before_goaway_in_the_delay_finish() {
    bounded(async {
        let server = serve(with_delay(DELAY), |http| http).await;
        let mut client = server.client().await;
        let slow = client.ask("/slow");
        sleep(Duration::from_secs(1)).await;
        server.running.drain().await;
        let began = Instant::now();
        sleep(DELAY / 2 + MOMENT).await;
        assert!(client.ask("/").await.is_err(), "the client knows that it is to go elsewhere");
        assert_eq!(slow.await.unwrap(), "slow");
        assert_eq!(began.elapsed().as_secs(), 14);
        server.running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_goaway_comes_at_the_turn_and_after_one_that_a_failure_ends_too() {
    bounded(async {
        let server = serve(with_delay(Duration::ZERO), |http| http).await;
        let clients = server.clients(5).await;
        server.running.stop().await;
        let ends = last(clients, Instant::now()).await;
        assert!(ends.iter().all(|end| *end < MOMENT), "{ends:?}");
        server.running.ends_clean().await;

        let server = serve(with_delay(DELAY), |http| http).await;
        server.running.drain().await;
        sleep(DELAY / 2 + MOMENT).await;
        let clients = server.clients(5).await;
        server.running.app.fail("the test says so");
        let ends = last(clients, Instant::now()).await;
        assert!(ends.iter().all(|end| *end < MOMENT), "{ends:?}");
        assert_eq!(server.running.end().await.exit_code, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_of_http1_stays_for_the_delay() {
    bounded(async {
        let server = serve(with_delay(DELAY), |http| http).await;
        let mut peer = server.wire.connect();
        assert!(!peer.ask("/").await.says_close());
        server.running.drain().await;
        sleep(DELAY - MOMENT).await;
        let answer = peer.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        peer.sees_close().await;
        server.running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_of_http2_is_told_to_go_away_and_its_streams_finish() {
    bounded(async {
        let age = Duration::from_secs(10);
        let server = serve(with_delay(DELAY), move |http| http.max_connection_age(age)).await;
        let began = Instant::now();
        let mut clients = server.clients(50).await;
        let mut busy = clients.pop().unwrap();
        let slow = busy.ask("/slow");
        let ends = last(clients, began).await;
        let (least, most) = (*ends.iter().min().unwrap(), *ends.iter().max().unwrap());
        assert!(least >= age * 9 / 10 && most <= age * 11 / 10 + MOMENT, "{ends:?}");
        assert!(most - least > age / 10, "they are spread: {ends:?}");
        sleep_until(began + age * 11 / 10 + MOMENT).await;
        assert!(busy.ask("/").await.is_err(), "the client knows that it is to go elsewhere");
        assert_eq!(slow.await.unwrap(), "slow");
        assert_eq!(began.elapsed().as_secs(), 15);
        assert_eq!(server.running.app.phase(), Phase::Running);
        server.running.stop().await;
        server.running.ends_clean().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_of_http1_is_asked_to_leave_with_its_next_response() {
    bounded(async {
        let age = Duration::from_secs(10);
        let server = serve(with_delay(DELAY), move |http| http.max_connection_age(age)).await;
        let mut peer = server.wire.connect();
        let mut busy = server.wire.connect();
        busy.get("/slow").await;
        sleep(age * 9 / 10 - MOMENT).await;
        assert!(!peer.ask("/").await.says_close());
        sleep(age * 2 / 10 + MOMENT * 2).await;
        // It is idle, and was not closed: the next request may be on its way.
        let answer = peer.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        peer.sees_close().await;
        let answer = busy.answer().await;
        assert_eq!((answer.body.as_str(), answer.says_close()), ("slow", true), "{answer:?}");
        busy.sees_close().await;
        server.running.stop().await;
        server.running.ends_clean().await;
    })
    .await;
}

/// A stop does not make a connection younger.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_old_in_the_second_half_of_the_delay_is_told_to_go_away() {
    bounded(async {
        let age = Duration::from_secs(2);
        let server = serve(with_delay(DELAY), move |http| http.max_connection_age(age)).await;
        server.running.drain().await;
        sleep(DELAY / 2 + MOMENT).await;
        let began = Instant::now();
        let end = server.client().await.lasts(began).await;
        assert!(end >= age * 9 / 10 && end <= age * 11 / 10 + MOMENT, "{end:?}");
        assert_eq!(server.running.app.phase(), Phase::Draining);
        server.running.ends_clean().await;
    })
    .await;
}
