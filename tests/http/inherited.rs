//! A listening socket that somebody else holds as well, as systemd does: it outlives the process that accepts from it.

use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};

use super::support::{Gate, Peer, Running, begin, bounded, patient};

/// The owner of a socket, from whom one process after the other inherits it.
struct Owner(StdListener);

impl Owner {
    fn new() -> Self {
        Self(StdListener::bind("127.0.0.1:0").unwrap())
    }

    async fn connect(&self) -> Peer<TcpStream> {
        Peer(TcpStream::connect(self.0.local_addr().unwrap()).await.unwrap())
    }

    /// An application that serves on the socket, this many connections at a time.
    async fn bequeath(&self, connections: usize, routes: Router) -> Running {
        let inherited = self.0.try_clone().unwrap();
        inherited.set_nonblocking(true).unwrap();
        let inherited = TcpListener::from_std(inherited).unwrap();
        begin(patient(), move |cx, _| {
            cx.http().max_connections(connections).serve(inherited, routes);
        })
        .await
    }
}

#[tokio::test]
async fn what_comes_before_the_turn_is_served_and_what_comes_later_is_the_next_ones() {
    bounded(async {
        let owner = Owner::new();
        let gate = Gate::new();
        let passing = gate.clone();
        let slow = || async move {
            passing.pass().await;
            "first"
        };
        let routes = Router::new().route("/", get("first")).route("/slow", get(slow));
        let first = owner.bequeath(1, routes).await;
        let mut busy = owner.connect().await;
        busy.get("/slow").await;
        gate.begun(1).await;
        let mut early = Vec::new();
        for _ in 0..20 {
            let mut peer = owner.connect().await;
            peer.get("/").await;
            early.push(peer);
        }
        assert_eq!(first.in_flight(), 2, "the server and one connection");
        first.stop().await;
        for mut peer in early {
            assert_eq!(peer.answer().await.body, "first", "it came before the turn");
            peer.sees_close().await;
        }
        while first.in_flight() > 1 {
            tokio::task::yield_now().await;
        }

        // The server has left the socket. It still has a request to answer, and does not hear of new ones.
        let mut late = Vec::new();
        for _ in 0..20 {
            let mut peer = owner.connect().await;
            peer.get("/").await;
            late.push(peer);
        }
        assert_eq!(first.in_flight(), 1, "only the request under way");
        gate.open(1);
        assert_eq!(busy.answer().await.body, "first");
        first.ends_clean().await;

        let next = owner.bequeath(100, Router::new().route("/", get("next"))).await;
        for mut peer in late {
            assert_eq!(peer.answer().await.body, "next");
        }
        next.stop().await;
        next.ends_clean().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_one_process_to_the_next_no_connection_is_lost() {
    const PROCESSES: usize = 20;
    bounded(async {
        let owner = Arc::new(Owner::new());
        let is_over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (owner, is_over, answered) = (owner.clone(), is_over.clone(), answered.clone());
                tokio::spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        let mut peer = owner.connect().await;
                        assert_eq!(peer.ask("/").await.status, 200);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..PROCESSES {
            let process = owner.bequeath(100, Router::new().route("/", get("OK"))).await;
            let goal = answered.load(Ordering::Relaxed) + 20;
            while answered.load(Ordering::Relaxed) < goal {
                assert!(clients.iter().all(|client| !client.is_finished()), "a client has failed");
                tokio::task::yield_now().await;
            }
            process.stop().await;
            process.ends_clean().await;
        }
        let last = owner.bequeath(100, Router::new().route("/", get("OK"))).await;
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.expect("every connection was answered");
        }
        println!("{} connections through {PROCESSES} processes", answered.load(Ordering::Relaxed));
        last.stop().await;
        last.ends_clean().await;
    })
    .await;
}
