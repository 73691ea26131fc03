//! A server with more clients than places or descriptors.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::http::Connection;
use crate::machine;
use crate::program::{Process, Program};

const FULL: &str = "which is its maximum";

fn program(max: usize, descriptors: usize) -> (Process, SocketAddr) {
    let limit = format!("--nofile={descriptors}");
    let program = Program::new("prlimit").arg(limit).arg(env!("CARGO_BIN_EXE_crowded"));
    let process = program.env("MAX", max.to_string()).spawn();
    let address = process.address_after("serving at http://");
    process.wait_for_line("running: ");
    (process, address)
}

/// A client with an answer, that stays.
fn client(address: SocketAddr) -> Connection {
    let mut client = Connection::open(address).unwrap();
    assert_eq!(client.get("/").unwrap().status, 200);
    client
}

/// Clients whose request waits in the queue.
fn waiting(address: SocketAddr, clients: usize) -> Vec<Connection> {
    let connect = |_| {
        let mut client = Connection::open(address).unwrap();
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        client
    };
    (0..clients).map(connect).collect()
}

#[test]
fn a_server_whose_places_are_all_taken_says_so_once_until_it_has_recovered() {
    let _machine = machine::shared();
    let (process, address) = program(20, 1_024);
    let mut clients: Vec<Connection> = (0..20).map(|_| client(address)).collect();
    process.wait_for_line(FULL);
    let mut probe = Connection::open(process.address_after("the probe answers at http://")).unwrap();
    let status = probe.get("/status").unwrap().json();
    let http = status["resources"].as_array().unwrap().iter().find(|it| it["name"] == "Http").unwrap();
    assert_eq!(http["connections"].to_string(), "{\"max\":20,\"open\":20}");
    // Full again each time, and never recovered.
    for _ in 0..5 {
        clients.remove(0);
        clients.push(client(address));
    }
    drop(clients);
    let clients: Vec<Connection> = (0..20).map(|_| client(address)).collect();
    drop(clients);
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    let printed = exit.stdout();
    assert_eq!(printed.matches(FULL).count(), 2, "{printed}");
    assert!(
        printed.contains("WARN Http has 20 connections, which is its maximum: further clients wait"),
        "{printed}"
    );
}

/// There are descriptors for some of those who wait, and those of the others become free when these are served.
#[test]
fn all_who_wait_at_the_turn_are_served_although_there_are_too_few_descriptors() {
    let _machine = machine::shared();
    let (process, address) = program(1, 64);
    let mut held = Connection::open(address).unwrap();
    held.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    process.wait_for_line("held");
    let waiting = waiting(address, 100);
    process.signal(Signal::TERM);
    process.wait_for_line("Http cannot accept connections, and tries again in 50 ms: Too many open files");
    assert_eq!(held.read_response().unwrap().body, "held");
    drop(held);
    for mut client in waiting {
        assert_eq!(client.read_response().unwrap().body, "OK");
    }
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    let printed = exit.stdout();
    assert_eq!(printed.matches("cannot accept").count(), 1, "{printed}");
}

#[test]
fn without_descriptors_a_stop_for_which_nobody_waits_is_not_held_up() {
    let _machine = machine::shared();
    let (process, address) = program(10, 64);
    let mut hoarder = client(address);
    assert!(hoarder.get("/hoard").unwrap().body.parse::<usize>().unwrap() > 1);
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    let printed = exit.stdout();
    assert!(!printed.contains("cannot accept"), "{printed}");
    assert!(!printed.contains("did not drain"), "{printed}");
}
