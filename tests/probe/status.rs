//! `/status`: its fields, who sees it, and what is never in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use serde_json::Value;

use crate::client::get;
use crate::process::start;

#[test]
fn every_field_that_is_documented_is_there() {
    let process = start(&[("HOLD", "acquire")]);
    let probe = process.probe();
    process.line("acquiring Db");
    let starting = json(probe);
    assert_eq!(starting["phase"], "starting");
    assert!(starting["left_ms"].as_u64().is_some_and(|left| left > 30_000 && left <= 60_000), "{starting}");
    assert!(starting["deadline"].is_string());
    assert_eq!(resource(&starting, "Db")["state"], "acquiring");
    assert_eq!(resource(&starting, "Server")["state"], "waiting");
    process.order("go acquire");
    process.line("body runs");
    assert_eq!(get(probe, "/readyz").code, 200);
    let running = json(probe);
    let fields = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    let mut expected = vec!["phase", "since", "deadline", "left_ms", "resources"];
    expected.sort_unstable();
    assert_eq!(fields(&running).unwrap_or_default(), expected);
    assert_eq!((&running["phase"], &running["deadline"]), (&Value::from("running"), &Value::Null));
    let db = resource(&running, "Db");
    let mut expected = vec!["name", "state", "since", "in_flight", "outcome", "check"];
    expected.sort_unstable();
    assert_eq!(fields(&db).unwrap_or_default(), expected);
    assert_eq!((&db["state"], &db["check"]["result"]), (&Value::from("ready"), &Value::from("passed")));
    assert_eq!(resource(&running, "Server")["in_flight"], 2, "a task and a background task");
    process.stop();
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
