//! `/status`: its fields, who sees it, and what is never in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use lifecycle_tests::harness::program::wait_until;
use rustix::process::Signal;
use serde_json::Value;

use crate::client::{connect, get, parse, request_of, send};
use crate::process::{start, start_program};

#[test]
fn every_field_that_is_documented_is_there() {
    let process = start(&[("HOLD", "acquire")]);
    let probe = process.probe();
    process.line("acquiring Db");
    let starting = json(probe);
    assert_eq!(starting["phase"], "starting");
    assert!(starting["left_ms"].as_u64().is_some_and(|left| left > 30_000 && left <= 60_000), "{starting}");
    assert!(starting["deadline"].is_string());
    assert!(starting["reason"].is_null());
    assert_eq!(resource(&starting, "Db")["state"], "acquiring");
    assert_eq!(resource(&starting, "Server")["state"], "waiting");
    process.order("go acquire");
    process.line("body runs");
    assert_eq!(get(probe, "/readyz").code, 200);
    let running = json(probe);
    let fields = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    let mut expected = vec![
        "version",
        "program",
        "pid",
        "started",
        "now",
        "phase",
        "since",
        "reason",
        "deadline",
        "left_ms",
        "total_ms",
        "delay_left_ms",
        "reload",
        "main",
        "resources",
        "lines",
    ];
    expected.sort_unstable();
    assert_eq!(fields(&running).unwrap_or_default(), expected);
    assert_eq!((&running["phase"], &running["deadline"]), (&Value::from("running"), &Value::Null));
    let mut expected = vec!["under_way", "resource", "count", "failed", "last", "last_failed"];
    expected.sort_unstable();
    assert_eq!(fields(&running["reload"]).unwrap_or_default(), expected);
    let db = resource(&running, "Db");
    let mut expected = vec![
        "name",
        "state",
        "since",
        "after",
        "foundation",
        "acquire_ms",
        "drain_ms",
        "release_ms",
        "left_ms",
        "in_flight",
        "idle",
        "connections",
        "tasks",
        "outcome",
        "check",
    ];
    expected.sort_unstable();
    assert_eq!(fields(&db).unwrap_or_default(), expected);
    assert_eq!((&db["state"], &db["check"]["result"]), (&Value::from("ready"), &Value::from("passed")));
    assert!(db["connections"].is_null(), "it serves nothing");
    let server = resource(&running, "Server");
    let in_flight = r#"{"requests":0,"streams":0,"tasks":2,"upgraded":0}"#;
    assert_eq!((server["in_flight"].to_string().as_str(), &server["idle"]), (in_flight, &Value::from(0)));
    assert_eq!(server["tasks"], Value::from(vec!["serving", "blocker"]));
    process.stop();
}

#[test]
fn a_stop_says_why_and_until_when_each_resource_has_time() {
    let process = start(&[("HOLD", "drain")]);
    let probe = process.probe();
    process.line("body runs");
    process.signal(Signal::TERM);
    process.line("server drains");
    let stopping = json(probe);
    assert_eq!(stopping["reason"], "SIGTERM received");
    let left = |value: &Value| value["left_ms"].as_u64().unwrap_or_default();
    let beneath = ["Log", "Db", "Cache", "Server"].map(|name| left(&resource(&stopping, name)));
    // A second is set aside for each of the resources beneath.
    let deadline = left(&stopping);
    assert_eq!(beneath, [0, 1_000, 2_000, 3_000].map(|reserves| deadline - reserves), "{stopping}");
    let server = resource(&stopping, "Server");
    assert_eq!(server["tasks"], Value::from(vec!["serving"]), "a background task is dropped at the turn");
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn the_drain_delay_is_told_from_the_pre_stop_hook_on() {
    let process = start(&[("PROBE", "prestop"), ("LIFECYCLE_DRAIN_DELAY", "5s")]);
    let probe = process.probe();
    process.line("body runs");
    assert!(json(probe)["delay_left_ms"].is_null());
    let hook = thread::spawn(move || get(probe, "/prestop").code);
    let left = || json(probe)["delay_left_ms"].as_u64();
    wait_until("the delay has begun", || left().is_some());
    assert!(left().is_some_and(|left| left <= 5_000));
    assert_eq!(json(probe)["phase"], "running");
    process.signal(Signal::TERM);
    wait_until("the stop has begun", || json(probe)["phase"] == "draining");
    let draining = json(probe);
    assert!(draining["delay_left_ms"].as_u64().is_some_and(|left| left <= 5_000), "{draining}");
    assert_eq!(draining["total_ms"], 20_000);
    let (code, printed) = process.end();
    assert_eq!((code, hook.join().ok()), (Some(0), Some(200)), "{printed}");
}

/// An application that leaves signals alone and has no log says nothing.
#[test]
fn the_last_lines_are_there_without_a_log() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let probe = free.unwrap_or_else(|error| panic!("no address: {error}"));
    let address = probe.to_string();
    let variables =
        [("QUIET", "1"), ("RESOURCES", "60"), ("LIFECYCLE_PROBE_ADDR", &address), ("HOLD", "release")];
    let process = start_program(env!("CARGO_BIN_EXE_board"), &variables);
    process.line("body runs");
    let lines = || json(probe)["lines"].as_array().cloned().unwrap_or_default();
    let texts = || {
        lines().iter().map(|line| line["text"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    wait_until("the last is that it runs", || {
        texts().last().is_some_and(|text| text.starts_with("running: everything was acquired in "))
    });
    assert_eq!(lines().len(), 50);
    process.order("end");
    process.line("Config is held");
    let texts = texts();
    assert!(texts.iter().any(|text| text == "releasing Config"), "{texts:?}");
    assert!(!texts.join("").contains("hunter2"), "{texts:?}");
    process.order("go release");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains("lifecycle: "), "{printed}");
}

#[test]
fn requests_are_told_apart_from_idle_connections() {
    let process = start(&[("WEB", "serve")]);
    let (probe, web) = (process.probe(), process.web());
    process.line("body runs");
    let idle: Vec<TcpStream> = (0..20).map(|_| connect(web)).collect();
    let request = "GET /slow HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    let request = thread::spawn(move || parse(&send(web, request)).map(|answer| answer.code));
    process.line("a request hangs");
    let server = || resource(&json(probe), "Server");
    let kinds = ["requests", "streams", "upgraded", "tasks"];
    let in_flight = |server: &Value| kinds.map(|kind| server["in_flight"][kind].as_u64());
    wait_until("every connection was accepted", || server()["idle"] == 20);
    // The task of the server, which accepts, is one of the three.
    assert_eq!(in_flight(&server()), [1, 0, 0, 3].map(Some));
    assert_eq!(server()["connections"]["open"], 21);
    assert!(server()["connections"]["max"].as_u64().is_some_and(|max| max > 21));
    assert_eq!(server()["tasks"], Value::from(vec!["serving", "server", "blocker"]));
    process.order("go request");
    assert_eq!(request.join().ok(), Some(Some(200)));
    wait_until("nothing is asked any more", || in_flight(&server()) == [0, 0, 0, 3].map(Some));
    drop(idle);
    process.stop();
}

#[test]
fn the_log_tells_requests_from_tasks_while_they_are_waited_for() {
    let process = start(&[("WEB", "serve"), ("HOLD", "drain")]);
    let web = process.web();
    process.line("body runs");
    let request = "GET /slow HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    let request = thread::spawn(move || parse(&send(web, request)).map(|answer| answer.code));
    process.line("a request hangs");
    process.signal(Signal::TERM);
    let waiting = process.line("still stopping");
    assert!(
        waiting.contains("waiting for Server (2 in flight: 1 request, 1 task: serving) for"),
        "{waiting}"
    );
    process.order("go request");
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!((code, request.join().ok()), (Some(0), Some(Some(200))), "{printed}");
}

/// A name that was made to point here is how a web page gets to read what answers on this machine (DNS rebinding).
#[test]
fn a_web_page_of_another_host_does_not_see_it() {
    for (options, code) in [("", 403), ("all", 200)] {
        let process = start(&[("PROBE", options)]);
        let probe = process.probe();
        process.line("body runs");
        let port = probe.port();
        let others =
            ["rebound.example", "127.0.0.1.rebound.example", "localhost.example:80", "2130706433", ""];
        for host in others {
            let answer = request_of(probe, host, "GET", "/status");
            assert_eq!(answer.code, code, "{host:?}: {answer:?}");
            assert_eq!(answer.body.contains("Db"), code == 200, "{host:?}");
            assert_eq!(answer.body.contains("Probe::status_for_all"), code == 403, "{host:?}");
            for open in ["/livez", "/readyz", "/servingz", "/startupz"] {
                assert_eq!(request_of(probe, host, "GET", open).code, 200, "{host:?} {open}");
            }
        }
        let two = format!("GET /status HTTP/1.1\r\nHost: {probe}\r\nHost: rebound.example\r\n\r\n");
        let by_proxy = format!("GET http://rebound.example/status HTTP/1.1\r\nHost: {probe}\r\n\r\n");
        for other in [two, by_proxy] {
            assert_eq!(parse(&send(probe, &other)).map(|answer| answer.code), Some(code), "{other}");
        }
        let ours = [
            format!("127.0.0.1:{port}"),
            "127.0.0.1".to_owned(),
            format!("[::1]:{port}"),
            "[::1]".to_owned(),
        ];
        for host in ours.into_iter().chain([format!("localhost:{port}"), "LocalHost".to_owned()]) {
            assert_eq!(request_of(probe, &host, "GET", "/status").code, 200, "{host}");
        }
        let without = send(probe, "GET /status HTTP/1.0\r\n\r\n");
        assert_eq!(parse(&without).map(|answer| answer.code), Some(200), "{without}");
        process.stop();
    }
}

#[test]
fn no_answer_holds_a_credential_unless_it_was_asked_for() {
    for (options, is_shown) in [("", false), ("errors", true)] {
        let process = start(&[("PROBE", options)]);
        let probe = process.probe();
        process.line("body runs");
        process.order("check fail");
        for path in ["/readyz", "/status", "/livez", "/startupz", "/nothing"] {
            let answer = get(probe, path);
            let is_there = answer.body.contains("hunter2");
            assert_eq!(is_there, is_shown && path == "/status", "{path}: {}", answer.body);
        }
        let lines = json(probe)["lines"].to_string();
        assert!(lines.contains("the check of Db fails: "), "{lines}");
        assert_eq!(lines.contains("its text is not shown here"), !is_shown, "{lines}");
        process.stop();
    }
}

#[test]
fn only_this_machine_sees_it_unless_all_may() {
    let Some(address) = own_address() else {
        eprintln!("not tested: this machine has no address but the loopback's");
        return;
    };
    for (options, code) in [("", 403), ("all", 200)] {
        let process = start(&[("PROBE", options), ("LIFECYCLE_PROBE_ADDR", "0.0.0.0:0")]);
        let port = process.probe().port();
        process.line("body runs");
        let outside = SocketAddr::new(address, port);
        let answer = get(outside, "/status");
        assert_eq!(answer.code, code, "{answer:?}");
        assert_eq!(answer.body.contains("Db"), code == 200);
        assert_eq!(get(outside, "/readyz").code, 200);
        assert_eq!(get(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), "/status").code, 200);
        process.stop();
    }
}

/// The address that this machine would talk to others from; nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[track_caller]
fn json(probe: SocketAddr) -> Value {
    let body = get(probe, "/status").body;
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {body}"))
}

#[track_caller]
fn resource(status: &Value, name: &str) -> Value {
    let resources = status["resources"].as_array().cloned().unwrap_or_default();
    let found = resources.into_iter().find(|resource| resource["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {status}"))
}
