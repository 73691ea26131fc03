//! An application that existed before it adopted the library.

use rustix::process::Signal;

use crate::http::{self, answered, connect};
use crate::machine;
use crate::program::Program;

#[test]
fn sigterm_ends_the_server_then_releases_and_exits_0() {
    ends_in_order(Signal::TERM, "SIGTERM");
}

#[test]
fn sigint_ends_the_server_then_releases_and_exits_0() {
    ends_in_order(Signal::INT, "SIGINT");
}

/// Step 1 of the adoption guide: a read of stdin blocks a thread of the runtime for ever. Under `#[tokio::main]`, the
/// process would stay.
#[test]
fn d10_a_task_that_reads_an_open_stdin_does_not_keep_the_process() {
    let _machine = machine::shared();
    for signal in [Signal::TERM, Signal::INT] {
        let server = Program::example("existing_app").env("PORT", "0").with_open_stdin().spawn();
        let address = server.address();
        assert_eq!(answered(connect(address).get("/")).body, "hit 1\n");
        server.write_line("");
        server.wait_for_line("1 hits so far");
        server.signal(signal);
        let exit = server.wait_for_exit();
        assert_eq!(exit.code(), Some(0));
        exit.assert_in_order(&["released Hits", "exit code 0"]);
        assert_eq!(exit.stderr(), "");
    }
}

fn ends_in_order(signal: Signal, name: &str) {
    let _machine = machine::shared();
    let server = Program::example("existing_app").env("PORT", "0").spawn();
    let address = server.address();
    let mut idle = connect(address);
    assert_eq!(answered(idle.get("/")).body, "hit 1\n");
    assert_eq!(answered(idle.get("/")).body, "hit 2\n");
    assert!(!server.has_printed("2 hits"));

    server.signal(signal);
    http::wait_until_refused(address);
    idle.wait_until_closed();
    let exit = server.wait_for_exit();

    assert_eq!(exit.code(), Some(0));
    // D5: the server is the body of `main`, which has its turn before any resource: all hits are counted.
    exit.assert_in_order(&["2 hits", "released Hits", &format!(": {name} received; exit code 0")]);
    assert_eq!(exit.stderr(), "");
}

#[test]
fn port_taken_releases_names_the_cause_and_exits_1() {
    let _machine = machine::shared();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let exit = Program::example("existing_app").env("PORT", port.to_string()).spawn().wait_for_exit();
    exit.assert_in_order(&["ERROR lifecycle: `main` failed: Address already in use", "0 hits"]);
    // E1: something failed. A supervisor that restarts what has failed has to see it.
    assert_eq!(exit.code(), Some(1));
}
