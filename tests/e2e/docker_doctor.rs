//! What `lifecycle doctor` says of containers, played by Docker: with what the file says that it complains of, and with
//! what the right one says.

use std::net::TcpStream;
use std::thread;

use crate::docker::{engine, run};
use crate::http::{answered, connect};
use crate::machine;
use crate::pairs::{pair, value};
use crate::program::wait_until;

const PAYMENT: &str = r#"{ "id": "p", "amount_cents": 1 }"#;

/// A request whose body the client sends later: the server cannot answer it before.
fn without_body() -> String {
    let length = PAYMENT.len();
    format!(
        "POST /payments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// The right container has the same request under way when the wrong one has cut it off.
#[test]
fn a_request_is_cut_off_although_the_engine_would_have_waited() {
    let _machine = machine::alone();
    let files = pair("grace-unused", "compose.yaml");
    let engine = engine();
    let begin = |file: &str| {
        let grace = value(file, "stop_grace_period: ").expect("it is there");
        let name = "LIFECYCLE_GRACE_PERIOD=";
        let told = value(file, name).map(|period| format!("{name}{}", period.trim_end_matches(']')));
        let mut options = vec!["--stop-timeout", grace.trim_end_matches('s')];
        options.extend(told.iter().flat_map(|told| ["--env", told]));
        let container = run(&engine, &options);
        let mut client = connect(container.address());
        client.send(&without_body()).expect("the server reads it");
        (container, client)
    };
    let [(wrong, mut cut_off), (right, mut served)] = files.map(|file| begin(&file));
    thread::scope(|scope| {
        let stop = scope.spawn(|| right.run(&["stop"]));
        wrong.run(&["stop"]);
        wrong.ended_with(124, " of 8.0 s: SIGTERM received");
        assert!(wrong.log().contains("1 cut off: 1 request"), "the report does not say what was cut off");
        let answer = cut_off.read_response();
        assert!(answer.is_err(), "{answer:?}");
        served.send(PAYMENT).expect("the server reads it");
        assert_eq!(answered(served.read_response()).status, 201);
        stop.join().expect("`docker stop` succeeds");
    });
    right.ended_with(0, " of 24.0 s: SIGTERM received");
}

/// The image has nothing but the program, as one that is made from scratch. A node that has not heard of the deletion yet
/// sends a request, which is answered as long as there is a delay.
#[test]
fn what_the_image_does_not_have_is_neither_a_hook_nor_a_health_check() {
    let _machine = machine::shared();
    let [wrong, right] = pair("hook-not-in-image", "yaml");
    let engine = engine();
    let begin = |file: &str| {
        let delay = value(file, "LIFECYCLE_DRAIN_DELAY, value: \"").expect("it is there");
        let delay = format!("LIFECYCLE_DRAIN_DELAY={}", delay.split('"').next().expect("it ends"));
        run(&engine, &["--env", &delay])
    };
    let container = begin(&wrong);
    let hook = value(&wrong, "preStop: { exec: { command: [").expect("it is there");
    let hook: Vec<&str> = hook.split(']').next().expect("it ends").split(", ").collect();
    let hook = hook.iter().map(|word| word.trim_matches('"')).collect::<Vec<_>>();
    let output = container.exec(&hook);
    let said = format!("{output:?}");
    assert!(!output.status.success() && said.contains("executable file not found"), "{said}");
    let address = container.address();
    container.run(&["stop"]);
    container.ended_with(0, " of 8.0 s: SIGTERM received");
    assert!(TcpStream::connect(address).is_err(), "somebody answers");

    // Here the kubelet waits by itself, which takes no program.
    assert!(value(&right, "preStop: { sleep: {").is_some());
    let container = begin(&right);
    assert_eq!(answered(connect(container.address()).get("/")).status, 200);
    container.run(&["stop"]);
    container.ended_with(0, " of 8.0 s: SIGTERM received");

    let [wrong, right] = pair("hook-not-in-image", "compose.yaml");
    let check = value(&wrong, "test: [\"CMD\", ").expect("it is there");
    let check = check.trim_end_matches(']').replace("\", \"", " ");
    let often = ["--health-interval=100ms", "--health-retries=1", "--health-cmd", check.trim_matches('"')];
    let container = run(&engine, &often);
    let health = ["inspect", "--format", "{{if .State.Health}}{{.State.Health.Status}}{{end}}"];
    wait_until("it is taken to be ill", || container.run(&health) == "unhealthy");
    assert_eq!(answered(connect(container.address()).get("/")).status, 200, "and it is well");
    assert_eq!(value(&right, "healthcheck"), None);
    assert_eq!(run(&engine, &[]).run(&health), "");
}
