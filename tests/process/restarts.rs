//! The Go-equivalent is killed and restarted again and again under clients that do not give up.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use lifecycle_tests::harness::customers::{Closing, Random, Site, pay_until_closed, payment};
use lifecycle_tests::harness::examples;

use crate::http::{answered, connect};
use crate::machine;
use crate::program::{PATIENCE, Process, Program};
use crate::scratch::Scratch;

const ROUNDS: u32 = 40;
const CLIENTS: u64 = 3;

#[test]
fn no_acknowledged_payment_is_lost_and_none_is_charged_twice() {
    let _machine = machine::shared();
    // Built before anybody waits for it.
    examples::executable("go_equivalent");
    let mut random = Random::new();
    let scratch = Scratch::new();
    let url = format!("sqlite://{}", scratch.path().join("payments.db").display());
    let start = || {
        let program = Program::example("go_equivalent").env("PORT", "0").env("PAYMENT_MS", "10");
        program.env("DATABASE_URL", &url).spawn()
    };
    let site = &Site::default();

    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || pay_until_closed(site, client))).collect();
        let closing = Closing(site);
        for round in 0..ROUNDS {
            let server = start();
            let signal = random.signal();
            if random.below(4) > 0 {
                site.open_at(server.address());
                server.wait_for_line("running:");
                thread::sleep(Duration::from_millis(random.below(100)));
            } else {
                // In the midst of its start.
                thread::sleep(Duration::from_millis(random.below(40)));
            }
            end(server, signal, round);
        }
        let server = start();
        site.open_at(server.address());
        drop(closing);
        let acknowledged =
            clients.into_iter().flat_map(|client| client.join().expect("the client is content"));
        let acknowledged: HashMap<String, i64> = acknowledged.collect();
        println!("{} payments were acknowledged", acknowledged.len());
        assert!(acknowledged.len() > 20, "too few to prove anything: {}", acknowledged.len());

        check(&server, &acknowledged);
        end(server, Signal::TERM, ROUNDS);
    });
}

/// Sends the signal and judges the end.
fn end(server: Process, signal: Signal, round: u32) {
    // S1: the handlers are there before the first resource is, which is the log.
    let has_handlers = server.has_printed("");
    server.signal(signal);
    let exit = server.wait_for_exit();
    let is_clean = exit.code() == Some(0);
    let was_killed = exit.killed_by() == Some(signal.as_raw());
    let is_right = match signal {
        Signal::KILL => was_killed,
        // E1 and S5: an empty body is not interrupted, not even during start-up.
        _ if has_handlers => is_clean,
        _ => is_clean || was_killed,
    };
    let how = (exit.code(), exit.killed_by());
    assert!(is_right, "round {round}: {signal:?} ended the process with {how:?}; handlers: {has_handlers}");
}

/// Asserts that the database holds what was acknowledged: no less, no more.
fn check(server: &Process, acknowledged: &HashMap<String, i64>) {
    let mut connection = connect(server.address());
    let total: i64 = acknowledged.values().sum();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let totals = answered(connection.get("/payments")).json();
        assert_eq!(totals["count"], acknowledged.len());
        assert_eq!(totals["total_cents"], total);
        if totals["receipts"] == totals["count"] {
            break;
        }
        assert!(Instant::now() < deadline, "receipts are missing: {totals}");
        thread::sleep(Duration::from_millis(5));
    }
    for (id, amount_cents) in acknowledged {
        let again = answered(connection.post_json("/payments", &payment(id, 1).to_string()));
        assert_eq!((again.status, again.json()), (200, payment(id, *amount_cents)));
    }
    assert_eq!(answered(connection.get("/payments")).json()["total_cents"], total);
}
