//! What a peer may do, and no more.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lifecycle_tests::harness::program::wait_until;

use crate::client::{connect, get, rest, send};
use crate::process::{Process, start};

#[test]
fn a_head_has_two_seconds() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    let began = Instant::now();
    let mut silent = connect(probe);
    let mut slow = half_a_head(probe);
    assert_eq!(rest(&mut silent), "");
    assert!(!rest(&mut slow).contains("200"));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(4), "closed after {took:?}");
    process.stop();
}

#[test]
fn a_head_has_eight_kibibytes() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    let large = |bytes: usize| format!("GET /livez HTTP/1.1\r\nHost: p\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    assert!(send(probe, &large(7_000)).starts_with("HTTP/1.1 200"));
    let refused = send(probe, &large(9_000));
    assert!(!refused.contains(" 200 "), "{refused}");
    let endless = send(probe, &"x".repeat(100_000));
    assert!(!endless.contains(" 200 "), "{endless}");
    assert_eq!(get(probe, "/livez").code, 200);
    process.stop();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    let began = Instant::now();
    let refused = send(probe, "POST /livez HTTP/1.1\r\nHost: p\r\nContent-Length: 100000\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 405"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(7), "closed after {:?}", began.elapsed());
    process.stop();
}

#[test]
fn an_answer_has_five_seconds() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check hang");
    let began = Instant::now();
    assert_eq!(send(probe, "GET /readyz HTTP/1.1\r\nHost: p\r\n\r\n"), "", "there is nothing to say yet");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(4_900) && took < Duration::from_secs(7), "closed after {took:?}");
    process.stop();
}

/// Each check comes when every place has just been taken anew, so that it cannot be one that found places free.
#[test]
fn slow_clients_keep_no_check_out() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    let before = descriptors(&process);
    let mut slow: Vec<TcpStream> = (0..128).map(|_| half_a_head(probe)).collect();
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..20 {
        slow.extend((0..32).flat_map(|_| [half_a_head(probe), half_a_body(probe)]));
        let asked = Instant::now();
        assert_eq!(get(probe, "/livez").code, 200);
        took.push(asked.elapsed());
        let most = before + 65;
        assert!(descriptors(&process) <= most, "64 connections are the most, and one that arrives");
    }
    // A kubelet waits for a second. A pause of the machine may hit some of them; if slow clients had to be waited for, each
    // would take two seconds.
    let is_quick = |took: &Duration| *took < Duration::from_secs(1);
    assert!(took.iter().any(is_quick), "the checks took {took:?}");
    drop(slow);
    assert_eq!(get(probe, "/livez").code, 200);
    // The process hears of an end when it next looks, which is not when it answers somebody else.
    wait_until("no connection is left behind", || descriptors(&process) == before);
    process.stop();
}

/// As many as there are places ask, and wait for a check that hangs. What is asked after that is answered at once, and
/// those that made room for it hear why.
#[test]
fn checks_that_hang_keep_no_other_check_out() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check hang");
    let mut waiting: Vec<TcpStream> = (0..64).map(|_| asks_for_readiness(probe)).collect();
    process.line("checking Db");
    for path in ["/livez", "/startupz", "/status", "/livez"] {
        waiting.push(asks_for_readiness(probe));
        assert_eq!(get(probe, path).code, 200, "{path}");
    }
    process.order("go check");
    let answers: Vec<String> = waiting.iter_mut().map(rest).collect();
    let made_room = |answer: &String| {
        answer.starts_with("HTTP/1.1 503") && answer.contains("too many requests are waiting for an answer")
    };
    assert!(answers.iter().any(made_room), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    process.stop();
}

fn asks_for_readiness(probe: SocketAddr) -> TcpStream {
    let mut stream = connect(probe);
    let request = b"GET /readyz HTTP/1.1\r\nHost: p\r\n\r\n";
    stream.write_all(request).unwrap_or_else(|error| panic!("cannot send: {error}"));
    stream
}

/// A client that begins to ask, and stays.
fn half_a_head(probe: SocketAddr) -> TcpStream {
    let mut stream = connect(probe);
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost:").unwrap_or_else(|error| panic!("cannot send: {error}"));
    stream
}

/// The same, with a body that never comes whole.
fn half_a_body(probe: SocketAddr) -> TcpStream {
    let mut stream = connect(probe);
    let half = b"POST /livez HTTP/1.1\r\nContent-Length: 100000\r\n\r\nhalf";
    stream.write_all(half).unwrap_or_else(|error| panic!("cannot send: {error}"));
    stream
}

fn descriptors(process: &Process) -> usize {
    let directory = format!("/proc/{}/fd", process.pid().as_raw_pid());
    fs::read_dir(&directory).unwrap_or_else(|error| panic!("cannot read {directory}: {error}")).count()
}
