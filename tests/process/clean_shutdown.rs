//! The Go-equivalent under load is asked to stop: rules D1, D5 and E1 on real requests.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::http::{self, answered, connect};
use crate::machine;
use crate::program::Program;
use crate::scratch::Scratch;

/// From the last answer or job to the end of the process.
const PROMPTLY: Duration = Duration::from_millis(100);

/// What the server has to do when the signal arrives.
struct Load {
    slow_ms: u64,
    receipt_ms: u64,
    /// The lines of the shutdown, in their order.
    steps: &'static [&'static str],
}

const THE_JOB_ENDS_LAST: Load = Load {
    slow_ms: 1500,
    receipt_ms: 3000,
    steps: &[
        "server stopped",
        "released Http",
        "receipt for payment under-way written",
        "worker stopped",
        "released Worker",
        "database closed",
        "released Db",
    ],
};

const THE_RESPONSE_COMES_LAST: Load = Load {
    slow_ms: 3000,
    receipt_ms: 1500,
    steps: &[
        "receipt for payment under-way written",
        "server stopped",
        "released Http",
        "worker stopped",
        "released Worker",
        "database closed",
        "released Db",
    ],
};

#[test]
fn sigterm_under_load_finishes_request_then_job_then_database_and_exits_0_at_once() {
    stops_in_order(Signal::TERM, &THE_JOB_ENDS_LAST);
}

#[test]
fn sigint_under_load_finishes_request_then_job_then_database_and_exits_0_at_once() {
    stops_in_order(Signal::INT, &THE_JOB_ENDS_LAST);
}

#[test]
fn sigterm_exits_0_within_100_ms_of_the_last_response() {
    stops_in_order(Signal::TERM, &THE_RESPONSE_COMES_LAST);
}

#[test]
fn sigint_exits_0_within_100_ms_of_the_last_response() {
    stops_in_order(Signal::INT, &THE_RESPONSE_COMES_LAST);
}

/// The machine is the test's own: the end is asserted as it is seen, once.
fn stops_in_order(signal: Signal, load: &Load) {
    // Built before the machine is ours.
    let program = Program::example("go_equivalent");
    let _machine = machine::alone();
    let took = stop_under_load(program, signal, load);
    println!("the process ended {took:?} after the last response and the last job");
    assert!(took < PROMPTLY, "the process ended {took:?} after the last response and the last job");
}

/// How long the process took from the last response or job to its end.
fn stop_under_load(program: Program, signal: Signal, load: &Load) -> Duration {
    let scratch = Scratch::in_memory();
    let server = program
        .env("PORT", "0")
        .env("TMPDIR", scratch.path())
        .env("RECEIPT_MS", load.receipt_ms.to_string())
        .spawn();
    let address = server.address();
    server.wait_for_line("running:");

    let mut idle = connect(address);
    assert_eq!(answered(idle.get("/")).body, "OK");

    // Both requests are in the one piece that the server reads. When it has answered the first, it has taken up the
    // second before it looks at anything else, a signal included: the slow one is under way.
    let mut slow = connect(address);
    let asked = Instant::now();
    let two_requests = http::get("/") + &http::get(&format!("/slow?ms={}", load.slow_ms));
    slow.send(&two_requests).expect("the requests can be sent");
    assert_eq!(answered(slow.read_response()).body, "OK");

    // The receipt takes longer than it takes to send the signal; the worker has the time of the slow request to take
    // it up, since the turn of the server comes first.
    let paid = answered(connect(address).post_json("/payments", r#"{"id": "under-way", "amount_cents": 1}"#));
    assert_eq!(paid.status, 201);

    server.signal(signal);
    http::wait_until_refused(address);
    idle.wait_until_closed();
    assert!(slow.is_silent(), "the slow request was answered too early to prove anything");

    let response = answered(slow.read_response());
    assert_eq!((response.status, response.body.as_str()), (200, "OK"));
    slow.wait_until_closed();
    let stopped = server.wait_for_line("server stopped");
    let waited = stopped.at.duration_since(asked);
    assert!(
        waited >= Duration::from_millis(load.slow_ms),
        "the server did not wait for its request: {waited:?}"
    );
    let receipt = server.wait_for_line("receipt for payment under-way written");
    let exit = server.wait_for_exit();

    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(load.steps);
    let last = response.at.max(receipt.at);
    assert_eq!(exit.stderr(), "");
    assert!(scratch.content().is_empty(), "the temporary database is still there: {:?}", scratch.content());
    exit.at.saturating_duration_since(last)
}
