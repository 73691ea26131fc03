//! Servers under load: many connections at once, and one worker or two.

use std::net::SocketAddr;
use std::thread;

use super::client::{Client, Requests};
use super::runtime;
use super::server::{Server, Way};
use crate::options::Options;
use crate::peers::compare;
use crate::rounds::{Taken, time};
use crate::table::Table;

/// What the clients do.
#[derive(Clone, Copy)]
struct Load {
    about: &'static str,
    workers: usize,
    connections: usize,
    /// So many at once on each connection, with HTTP/2; otherwise one after the other, with HTTP/1.
    streams: Option<u32>,
}

const LOADS: [Load; 3] = [
    Load { about: "HTTP/1, 8 connections, 1 worker", workers: 1, connections: 8, streams: None },
    Load { about: "HTTP/1, 8 connections, 2 workers", workers: 2, connections: 8, streams: None },
    Load {
        about: "HTTP/2, 8 connections of 32 streams, 2 workers",
        workers: 2,
        connections: 8,
        streams: Some(32),
    },
];

/// The time is that from the first request to the last response, and the CPU time that of the server and its clients,
/// who do the same for each. Everybody sends at once what they have (TCP_NODELAY), hyper-util's loop included.
pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let peers = Way::ALL.map(|way| (way.name(), way));
    let count = if options.is_quick { 64 } else { 6_400 };
    let table =
        |load: Load| compare(options, load.about.to_owned(), peers, count, |way| serve(way, load, count));
    LOADS.map(table).into()
}

fn serve(way: Way, load: Load, count: usize) -> Taken {
    let server =
        tokio::runtime::Builder::new_multi_thread().worker_threads(load.workers).enable_all().build();
    let server = server.expect("the system gives threads");
    let served = server.block_on(server.spawn(Server::start(way))).expect("the server starts");
    let address = served.address;
    let ((), taken) = time(|| {
        let clients = thread::spawn(move || runtime().block_on(send(address, load, count)));
        clients.join().expect("the clients do not panic");
    });
    server.block_on(served.stop());
    taken
}

async fn send(address: SocketAddr, load: Load, count: usize) {
    let each = count / load.connections;
    let clients = (0..load.connections).map(|_| {
        tokio::spawn(async move {
            match load.streams {
                None => Requests::Http1.send(address, each).await,
                Some(streams) => Client::connect(address).await.get_streams(each, streams).await,
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("the client does not panic");
    }
}
