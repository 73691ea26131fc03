//! A handler whose client has left: it is dropped, unless the server or the handler itself sees to it that it goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use axum::Router;
use axum::http::Method;
use axum::routing::get;
use lifecycle::Builder;

use super::support::{Gate, Running, begin, bounded, impatient, patient, web};
use super::units::{http2, request};

/// Says that it was dropped.
struct Dropped(Gate);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.arrive();
    }
}

/// What a test knows of the handler of `/slow`.
#[derive(Clone)]
struct Slow {
    gate: Gate,
    /// It was dropped or has returned.
    over: Gate,
    is_done: Arc<AtomicBool>,
}

impl Slow {
    fn new() -> Self {
        Self { gate: Gate::new(), over: Gate::new(), is_done: Arc::default() }
    }

    fn routes(&self) -> Router {
        let slow = self.clone();
        let handler = || async move {
            let _dropped = Dropped(slow.over.clone());
            slow.gate.pass().await;
            slow.is_done.store(true, Ordering::Relaxed);
        };
        Router::new().route("/", get("OK")).route("/slow", get(handler))
    }

    fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }
}

async fn finishing(builder: Builder, routes: Router) -> Running {
    begin(builder, |cx, listener| cx.http().finish_handlers(true).serve(listener, routes)).await
}

/// Asks by HTTP/2, and leaves once the handler is there: the connection ends with its only stream.
async fn asks_and_leaves(running: &Running, begun: &Gate) {
    let mut client = http2(running).await;
    let answer = tokio::spawn(client.send_request(request("/slow")));
    begun.begun(1).await;
    answer.abort();
    assert!(answer.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn by_default_that_of_http2_is_dropped() {
    bounded(async {
        let slow = Slow::new();
        let routes = slow.routes();
        let running = begin(patient(), |cx, listener| cx.serve_http(listener, routes)).await;
        asks_and_leaves(&running, &slow.gate).await;
        slow.over.begun(1).await;
        assert!(!slow.is_done());
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn by_default_that_of_http1_goes_on() {
    bounded(async {
        let slow = Slow::new();
        let routes = slow.routes();
        let running = begin(patient(), |cx, listener| cx.serve_http(listener, routes)).await;
        let mut peer = running.connect().await;
        peer.get("/slow").await;
        slow.gate.begun(1).await;
        // Away with a reset, as a client that is killed.
        peer.0.set_zero_linger().unwrap();
        drop(peer);
        running.stop().await;
        slow.gate.open(1);
        running.ends_clean().await;
        assert!(slow.is_done());
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_is_to_be_finished_goes_on_and_is_waited_for() {
    bounded(async {
        let slow = Slow::new();
        let running = finishing(patient(), slow.routes()).await;
        asks_and_leaves(&running, &slow.gate).await;
        running.stop().await;
        assert_eq!((running.units().requests, slow.is_done()), (1, false));
        slow.gate.open(1);
        running.ends_clean().await;
        assert!(slow.is_done());
    })
    .await;
}

/// The connection lives on, and owes nothing when the handler has ended.
#[tokio::test]
async fn so_does_that_of_a_stream_that_was_reset() {
    bounded(async {
        let slow = Slow::new();
        let running = finishing(patient(), slow.routes()).await;
        let mut client = http2(&running).await;
        let answer = tokio::spawn(client.send_request(request("/slow")));
        slow.gate.begun(1).await;
        answer.abort();
        assert!(answer.await.unwrap_err().is_cancelled());
        // Answered after the reset was read.
        client.send_request(request("/")).await.unwrap();
        assert_eq!(running.units().requests, 1);
        slow.gate.open(1);
        while running.units().idle != 1 {
            tokio::task::yield_now().await;
        }
        assert!(slow.is_done());
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Its handler has opened the tunnel for nobody.
#[tokio::test]
async fn so_does_one_that_opens_a_tunnel() {
    bounded(async {
        let (slow, gate) = (Slow::new(), Gate::new());
        let opened = gate.clone();
        let routes = slow.routes().fallback(|| async move { opened.pass().await });
        let running = finishing(patient(), routes).await;
        let mut client = http2(&running).await;
        let mut connect = request("/");
        *connect.method_mut() = Method::CONNECT;
        *connect.uri_mut() = "test:80".parse().unwrap();
        let answer = tokio::spawn(client.send_request(connect));
        gate.begun(1).await;
        answer.abort();
        assert!(answer.await.unwrap_err().is_cancelled());
        client.send_request(request("/")).await.unwrap();
        gate.open(1);
        while running.units().idle != 1 {
            tokio::task::yield_now().await;
        }
        // Nothing is left of it, and the connection goes on.
        client.send_request(request("/")).await.unwrap();
        while running.units().idle != 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!((running.units().streams, running.units().upgraded), (0, 0));
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn one_that_does_not_end_is_cut_off_and_counts() {
    bounded(async {
        let slow = Slow::new();
        let running = finishing(impatient(), slow.routes()).await;
        asks_and_leaves(&running, &slow.gate).await;
        running.stop().await;
        let report = running.ends_cut(1, 0).await;
        assert!(report.contains(", 1 cut off: 1 request\n"), "{report}");
        slow.over.begun(1).await;
        assert!(!slow.is_done());
    })
    .await;
}

/// A thread for blocking code cannot be dropped: without the option, the application would end under it.
#[tokio::test]
async fn its_blocking_work_is_waited_for_with_it() {
    bounded(async {
        let (begun, is_done) = (Gate::new(), Arc::new(AtomicBool::new(false)));
        let (sender, receiver) = mpsc::channel::<()>();
        let receiver = Arc::new(Mutex::new(receiver));
        let (arrives, done) = (begun.clone(), Arc::clone(&is_done));
        let handler = get(|| async move {
            let work = tokio::task::spawn_blocking(move || {
                arrives.arrive();
                receiver.lock().unwrap().recv().unwrap();
                done.store(true, Ordering::Relaxed);
            });
            work.await.unwrap();
        });
        let running = finishing(patient(), Router::new().route("/slow", handler)).await;
        asks_and_leaves(&running, &begun).await;
        running.stop().await;
        assert_eq!(running.units().requests, 1);
        sender.send(()).unwrap();
        running.ends_clean().await;
        assert!(is_done.load(Ordering::Relaxed));
    })
    .await;
}

#[tokio::test]
async fn with_the_option_responses_are_as_without_it() {
    async fn panics() -> &'static str {
        panic!("as the test wants it")
    }
    bounded(async {
        let slow = Slow::new();
        let running = finishing(patient(), slow.routes().route("/panic", get(panics))).await;
        let mut peer = running.known().await;
        assert_eq!(peer.ask("/").await.body, "OK");
        peer.get("/panic").await;
        peer.sees_close().await;
        assert_eq!(running.connect().await.ask("/").await.status, 200);
        let mut client = http2(&running).await;
        assert!(client.send_request(request("/panic")).await.is_err());
        assert_eq!(client.send_request(request("/")).await.unwrap().status(), 200);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// As the documentation of `lifecycle::http` has it.
#[tokio::test]
async fn a_handler_can_see_to_it_by_itself() {
    bounded(async {
        let slow = Slow::new();
        let spawned = slow.clone();
        let running = begin(patient(), |cx, listener| {
            let tasks = cx.tasks();
            let handler = get(|| async move {
                let (done, answer) = tokio::sync::oneshot::channel();
                tasks.spawn(async move {
                    spawned.gate.pass().await;
                    spawned.is_done.store(true, Ordering::Relaxed);
                    let _ = done.send("done");
                });
                answer.await.unwrap_or("cut off")
            });
            cx.serve_http(listener, Router::new().route("/", get("OK")).route("/slow", handler));
        })
        .await;
        asks_and_leaves(&running, &slow.gate).await;
        running.stop().await;
        slow.gate.open(1);
        let report = running.end().await;
        assert_eq!((report.exit_code, web(&report).cut), (0, 0), "{report}");
        assert!(slow.is_done());
    })
    .await;
}
