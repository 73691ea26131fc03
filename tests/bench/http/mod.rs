//! Requests, beside hyper-util's own loop and axum: what one costs by the clock and in instructions, and how long a
//! server with idle connections takes to exit.

mod client;
mod load;
mod server;
mod stop;

use std::sync::mpsc;
use std::thread;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use self::client::Requests;
use self::server::{Server, Way};
use crate::callgrind;
use crate::options::Options;
use crate::peers::compare;
use crate::rounds::{Taken, time_of_thread};
use crate::series::Series;
use crate::table::{Show, Table};

pub(crate) use self::load::measure as measure_load;
pub(crate) use self::stop::{measure as measure_stop, measure_first_answer};

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let mut tables = Vec::new();
    for requests in Requests::ALL {
        let peers = Way::ALL.map(|way| (way.name(), way));
        let count = match requests {
            _ if options.is_quick => 10,
            Requests::Fresh => 200,
            Requests::Http1 | Requests::Http2 => 2_000,
        };
        let title = format!("{}: the thread of the server", requests.about());
        tables.push(compare(options, title, peers, count, |way| serve(way, requests, count)));
        if options.is_callgrind {
            tables.push(instructions(requests, if options.is_quick { 10 } else { 500 }));
        }
    }
    tables
}

/// What a program of its own does, for [`instructions`] and [`measure_stop`]: `ARGUMENTS` are what those give it.
pub(crate) fn child(arguments: &[String]) {
    let way =
        |name: &String| Way::ALL.into_iter().find(|way| way.name() == name).expect("it is a way to serve");
    match arguments {
        [way_to_serve] => stop::child(way(way_to_serve)),
        [way_to_serve, requests, count] => {
            let requests = Requests::ALL.into_iter().find(|kind| kind.name() == requests);
            let (way, requests) = (way(way_to_serve), requests.expect("it is a kind of requests"));
            let count = count.parse().expect("it is a number of requests");
            // A process with one thread takes locks for less. Few servers are one.
            thread::spawn(thread::park);
            runtime().block_on(async {
                let server = Server::start(way).await;
                requests.send(server.address, count).await;
            });
        }
        _ => panic!("{arguments:?}: not what the benchmark asks for"),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system polls for I/O")
}

/// Serves so many requests on this thread, the client being another.
fn serve(way: Way, requests: Requests, count: usize) -> Taken {
    let runtime = runtime();
    let server = runtime.block_on(Server::start(way));
    let address = server.address;
    let (begin, begins) = mpsc::channel();
    let (done, is_done) = oneshot::channel();
    let client = thread::spawn(move || {
        // One request in advance: the first needs what is made only once.
        runtime_of_client(address, requests, 1);
        let () = begins.recv().expect("the server waits");
        runtime_of_client(address, requests, count);
        let _ = done.send(());
    });
    begin.send(()).expect("the client waits");
    let (_, taken) = time_of_thread(|| runtime.block_on(is_done));
    client.join().expect("the client does not panic");
    runtime.block_on(server.stop());
    taken
}

fn runtime_of_client(address: std::net::SocketAddr, requests: Requests, count: usize) {
    runtime().block_on(requests.send(address, count));
}

/// The instructions of one request, the client's included: the difference of a run with as many requests again. All of
/// it happens on one thread, so that nothing depends on the time.
fn instructions(requests: Requests, count: usize) -> Table {
    let all = Way::ALL.map(|way| (way, callgrind::instructions(&[way.name(), requests.name()], count)));
    let of = |wanted: Way| all.iter().find(|(way, _)| *way == wanted).map_or(f64::NAN, |(_, count)| *count);
    let row = |(way, instructions): (Way, f64)| {
        let bare = match way {
            Way::HyperUtil | Way::ServeHttp => Way::HyperUtil,
            Way::Axum | Way::EmptyLayer | Way::InFlight => Way::EmptyLayer,
        };
        let figures =
            [instructions, instructions - of(bare)].map(|figure| [figure].into_iter().collect::<Series>());
        (way.name().to_owned(), figures.to_vec())
    };
    Table {
        title: format!("{}: instructions, client included", requests.about()),
        columns: vec![
            ("instructions", Show::Median),
            ("more than hyper-util, or than an empty layer", Show::Median),
        ],
        rows: all.map(row).to_vec(),
    }
}
