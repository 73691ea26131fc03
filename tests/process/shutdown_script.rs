//! `examples/test-graceful-shutdown.sh`: the examples pass it, and servers that stop badly do not.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::Signal;

use crate::examples;
use crate::machine;
use crate::program::{Exit, Process, Program};
use crate::scratch::Scratch;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/test-graceful-shutdown.sh");

/// Every example that serves.
const EXAMPLES: [&str; 7] =
    ["existing_app", "go_equivalent", "grpc", "in_flight", "payments", "tls", "websocket"];

const SLOW: &str = "/slow?ms=2000";

#[test]
fn every_example_stops_gracefully() {
    // Built first: the script has limits of time.
    let examples = EXAMPLES.map(|name| (name, examples::executable(name)));
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let scripts = examples.map(|(name, server)| {
        let script = match name {
            "grpc" => watching(&scratch),
            "tls" => script("https", SLOW, 15, &scratch).arg("--insecure"),
            _ => script("http", SLOW, 15, &scratch),
        };
        script.arg("--").arg(server).spawn()
    });
    for (name, script) in EXAMPLES.iter().zip(scripts) {
        println!("{name}");
        passes(&script.wait_for_exit());
    }
}

/// Asks for a stream of gRPC, which goes on until the server's turn.
fn watching(scratch: &Scratch) -> Program {
    // An empty message, not compressed.
    let message = scratch.path().join("message");
    fs::write(&message, [0; 5]).expect("there is room");
    let message = format!("@{}", message.display());
    let script =
        script("http", "/grpc.health.v1.Health/Watch", 15, scratch).env("LIFECYCLE_DRAIN_DELAY", "3s");
    let curl =
        ["--http2-prior-knowledge", "--header", "content-type: application/grpc", "--data-binary", &message];
    script.args(curl.into_iter().flat_map(|argument| ["--curl", argument]))
}

/// Shells start jobs in the background with SIGINT ignored, and processes inherit that.
#[test]
fn it_works_where_sigint_is_ignored() {
    let example = examples::executable("existing_app");
    let _machine = machine::shared();
    let port = free_port();
    let script = Program::new("sh")
        .arg("-c")
        .arg("trap '' INT; exec \"$@\"")
        .args(["sh", SCRIPT, "--url", &format!("http://127.0.0.1:{port}/slow?ms=2000"), "--"])
        .arg(example)
        .env("PORT", port.to_string());
    passes(&script.spawn().wait_for_exit());
}

#[track_caller]
fn passes(exit: &Exit) {
    assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), ""));
    exit.assert_in_order(&["SIGTERM: ok: answered with 200", "SIGINT: ok: answered with 200"]);
}

#[test]
fn a_server_that_stops_badly_fails_and_is_told_why() {
    const CASES: [(&str, &[&str]); 9] = [
        ("has_no_handler", &["to be answered in full", "curl: (52)", "it ended with 143, as by SIGTERM"]),
        ("drops_requests", &["to be answered in full", "curl: (52)"]),
        ("truncates", &["to be answered in full", "curl: (18)"]),
        ("answers_503", &["to be answered with 2xx", "it was answered with 503"]),
        ("exits_with_3", &["the server to end with exit code 0", "it ended with 3"]),
        ("never_ends", &["the server to end within 5 s of the signal", "it is still there"]),
        ("is_quick", &["to be under way when the signal is sent", "give --url one that takes longer"]),
        ("never_listens", &["an answer from http://127.0.0.1:", "curl: (7)"]),
        ("is_no_mode_and_has_no_port", &["the server to answer", "it ended with exit code 1"]),
    ];
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let scripts = CASES.map(|(mode, _)| {
        let env: &[_] = if mode == "is_no_mode_and_has_no_port" { &[("PORT", "none")] } else { &[] };
        graceless(mode, env, &scratch)
    });
    for ((mode, told), script) in CASES.iter().zip(scripts) {
        let exit = script.wait_for_exit();
        assert_eq!(exit.code(), Some(1), "{mode}: {}", exit.stderr());
        for text in *told {
            assert!(exit.stderr().contains(text), "{mode}: no {text:?} in {}", exit.stderr());
        }
        // What the server has printed is shown, and the server is gone.
        let server = started(&exit.stdout());
        if *mode != "is_no_mode_and_has_no_port" {
            let printed = format!("    | {mode} is here, as process {server}\n");
            assert!(exit.stderr().contains(&printed), "{mode}: no {printed:?} in {}", exit.stderr());
        }
        assert_gone(server);
    }
    assert_eq!(scratch.content(), [""; 0]);
}

#[test]
fn interrupted_it_leaves_no_process_behind() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let script = graceless("never_listens", &[], &scratch);
    let server = started(&script.wait_for_line("(pid ").text);
    script.signal(Signal::TERM);
    let exit = script.wait_for_exit();
    assert_eq!(exit.code(), Some(143));
    assert_gone(server);
    assert_eq!(scratch.content(), [""; 0]);
}

#[test]
fn bad_usage_exits_2_and_says_what_is_wrong() {
    const CASES: [(&[&str], &str); 10] = [
        (&[], "--url is missing"),
        (&["--curl"], "--curl needs a value"),
        (&["--url"], "--url needs a value"),
        (&["--url", "--", "true"], "--url needs a value"),
        (&["--url", "http://localhost/"], "the command of the server is missing"),
        (&["--url", "localhost:80", "--", "true"], "'localhost:80' is no URL"),
        (&["--url", "http://localhost/", "--timeout", "1.5", "--", "true"], "--timeout is '1.5'"),
        (&["--url", "http://localhost/", "--slow", "--", "true"], "unknown option '--slow'"),
        (&["--url", "http://localhost/", "true"], "'true' is no option: the command comes after --"),
        (&["--url", "http://localhost/", "--", "no-such-program"], "there is no program 'no-such-program'"),
    ];
    let _machine = machine::shared();
    for (arguments, told) in CASES {
        let exit = Program::new(SCRIPT).args(arguments).spawn().wait_for_exit();
        assert_eq!((exit.code(), exit.stdout().as_str()), (Some(2), ""), "{arguments:?}");
        assert!(exit.stderr().contains(told), "{arguments:?}: {}", exit.stderr());
    }
}

#[test]
fn a_server_that_was_there_before_is_not_taken_for_the_one_to_test() {
    let _machine = machine::shared();
    let before = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = before.local_addr().expect("it has an address").port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = before.accept()?;
        let _ = stream.read(&mut [0; 1_024])?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    });
    let url = format!("http://127.0.0.1:{port}/slow");
    let exit = Program::new(SCRIPT).args(["--url", &url, "--", "true"]).spawn().wait_for_exit();
    assert_eq!((exit.code(), exit.stdout().as_str()), (Some(2), ""));
    assert!(exit.stderr().contains("answers at"), "{}", exit.stderr());
}

/// The script under way, with a server of the fixture.
fn graceless(mode: &str, env: &[(&str, &str)], scratch: &Scratch) -> Process {
    let script =
        script("http", SLOW, 5, scratch).arg("--").arg(env!("CARGO_BIN_EXE_graceless")).env("MODE", mode);
    env.iter().fold(script, |script, (variable, value)| script.env(variable, value)).spawn()
}

/// The script, but for the server. Only for what fails does it matter how many seconds of patience it has.
fn script(scheme: &str, path: &str, timeout: u32, scratch: &Scratch) -> Program {
    let port = free_port();
    let url = format!("{scheme}://127.0.0.1:{port}{path}");
    let script = Program::new(SCRIPT).args(["--url", &url, "--timeout", &timeout.to_string()]);
    let script = script.env("PORT", port.to_string()).env("TMPDIR", scratch.path());
    // For the one that has a probe.
    script.env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0")
}

/// A port that is free, and outside of what the system gives to whoever asks for any.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other processes that run these tests at the same time begin elsewhere.
    let first = (process::id() * 50 % 10_000) as u16;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The process that the script says it has started.
#[track_caller]
fn started(stdout: &str) -> u32 {
    let pid = stdout.split_once("(pid ").and_then(|(_, rest)| rest.split(')').next()?.parse().ok());
    pid.unwrap_or_else(|| panic!("no pid in {stdout:?}"))
}

#[track_caller]
pub(crate) fn assert_gone(pid: u32) {
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "process {pid} was left behind");
}
