//! What `payments` records: at `/metrics`, at a gateway that it is pushed to, and as a trace.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use rustix::process::Signal;
use serde_json::Value;

use crate::http::{Response, answered, connect, get};
use crate::machine;
use crate::program::{Process, Program, wait_until};
use crate::scratch::Scratch;

fn payments(scratch: &Scratch) -> Program {
    Program::example("payments")
        .env("PORT", "0")
        .env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0")
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "25s")
        .env("TMPDIR", scratch.path())
}

fn scrape(process: &Process) -> Response {
    answered(connect(process.address_after("the probe answers at http://")).get("/metrics"))
}

/// The series of a text for Prometheus. Every line has to be well-formed.
#[track_caller]
fn series(text: &str) -> BTreeMap<String, f64> {
    let is_name = |name: &str| {
        name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            assert!(["HELP", "TYPE"].contains(&words[0]) && is_name(words[1]), "{line:?}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        let name = series.split('{').next().unwrap();
        assert!(is_name(name), "{line:?}");
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} has no type");
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(all.insert(series.to_owned(), value).is_none(), "{line:?} comes twice");
    }
    all
}

#[test]
fn the_probe_has_a_page_for_prometheus() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let process = payments(&scratch).spawn();
    process.wait_for_line("running: everything");
    let slow = connect(process.address());
    let address = process.address();
    wait_until("the metrics of a running service with a request", || {
        // What is in flight is counted once a second.
        let _ = connect(address).get("/");
        let answer = scrape(&process);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
        let series = series(&answer.body);
        series.get(r#"lifecycle_phase{phase="running"}"#) == Some(&1.0)
            && series.get(r#"lifecycle_idle_connections{resource="Http"}"#) >= Some(&1.0)
    });
    drop(slow);
    let answer = scrape(&process);
    let series = series(&answer.body);
    assert_eq!(series["lifecycle_shutdowns_begun_total"], 0.0);
    assert_eq!(series["lifecycle_shutdowns_completed_total"], 0.0);
    assert_eq!(series[r#"lifecycle_phase{phase="starting"}"#], 0.0);
    assert!(series[r#"lifecycle_in_flight{resource="Http",kind="tasks"}"#] >= 1.0, "{}", answer.body);
    assert!(
        series[r#"lifecycle_resource_duration_seconds{resource="Database",stage="acquire"}"#] > 0.0,
        "{}",
        answer.body
    );
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// Stands in for a Pushgateway: the last text of each group.
struct Gateway {
    address: SocketAddr,
    groups: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Gateway {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let groups: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let kept = Arc::clone(&groups);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    let mut client = BufReader::new(stream);
                    while let Some((path, text)) = read_put(&mut client) {
                        kept.lock().unwrap().insert(path, text);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        if client.get_mut().write_all(answer).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, groups }
    }

    /// The sum of a counter over all groups: `sum(NAME)`.
    fn sum(&self, name: &str) -> f64 {
        self.groups.lock().unwrap().values().map(|text| series(text).get(name).copied().unwrap_or(0.0)).sum()
    }

    /// The groups for which `lifecycle_shutdowns_begun_total - lifecycle_shutdowns_completed_total > 0`.
    fn alerts(&self) -> usize {
        let groups = self.groups.lock().unwrap();
        let value = |text: &String, name: &str| series(text)[&format!("lifecycle_shutdowns_{name}_total")];
        groups.values().filter(|text| value(text, "begun") - value(text, "completed") > 0.0).count()
    }
}

/// The path and the body of one PUT; nothing if the client has gone.
fn read_put(client: &mut impl BufRead) -> Option<(String, String)> {
    let mut first = String::new();
    client.read_line(&mut first).ok().filter(|length| *length > 0)?;
    let path = first.strip_prefix("PUT ")?.split(' ').next()?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        client.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    Some((path, String::from_utf8(body).ok()?))
}

/// Lives that end in order count in neither; those that are killed while they stop count once each.
#[test]
fn an_alert_counts_the_stops_that_were_killed() {
    let _machine = machine::shared();
    let gateway = Gateway::new();
    let scratch = Scratch::new();
    let start = || {
        let url = format!("http://{}", gateway.address);
        let process = payments(&scratch).env("METRICS_PUSH_URL", url).spawn();
        process.wait_for_line("running: everything");
        process
    };
    for lives in 1..=2 {
        let process = start();
        process.signal(Signal::TERM);
        let exit = process.wait_for_exit();
        assert_eq!(exit.code(), Some(0), "{}", exit.stdout());
        assert_eq!(gateway.sum("lifecycle_shutdowns_begun_total"), f64::from(lives));
        assert_eq!(gateway.sum("lifecycle_shutdowns_completed_total"), f64::from(lives));
    }
    assert_eq!(gateway.alerts(), 0);
    for killed in 1..=2 {
        let process = start();
        let mut slow = connect(process.address());
        slow.send(&get("/slow?ms=15000")).unwrap();
        process.signal(Signal::TERM);
        let begun = f64::from(2 + killed);
        wait_until("the beginning of the stop at the gateway", || {
            gateway.sum("lifecycle_shutdowns_begun_total") == begun
        });
        process.signal(Signal::KILL);
        assert_eq!(process.wait_for_exit().killed_by(), Some(9));
        assert_eq!(gateway.alerts(), killed as usize);
    }
    assert_eq!(gateway.sum("lifecycle_shutdowns_completed_total"), 2.0);
    assert_eq!(gateway.groups.lock().unwrap().len(), 4, "one group for each life");
}

#[test]
fn a_gateway_that_is_not_there_changes_nothing_but_a_warning() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    // Nothing listens at a port that was just given back.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = payments(&scratch).env("METRICS_PUSH_URL", format!("http://{address}")).spawn();
    process.wait_for_line("running: everything");
    process.wait_for_line("the metrics could not be pushed");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

#[test]
fn the_trace_of_payments_has_each_acquisition_turn_and_release() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("trace.json");
    let process = payments(&scratch).env("TRACE", &path).spawn();
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
    let text = fs::read_to_string(path).unwrap();
    // The format does without the last bracket.
    let text = format!("{}]", text.trim_end().trim_end_matches(','));
    let events: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
    let spans = |name: &str| -> Vec<&Value> { events.iter().filter(|event| event["name"] == name).collect() };
    let resources = ["Scratch", "AuditLog", "Database", "Cache", "Queue", "Client", "Worker", "Http"];
    for name in ["acquire", "turn", "release"] {
        let spans = spans(name);
        for resource in resources {
            let found: Vec<_> = spans.iter().filter(|span| span["args"]["resource"] == resource).collect();
            assert_eq!(found.len(), 1, "{name} of {resource} in {text}");
            assert_eq!(found[0]["args"]["outcome"], "clean", "{text}");
            assert!(found[0]["ts"].is_u64() && found[0]["dur"].is_u64(), "{text}");
        }
    }
    assert_eq!(spans("start")[0]["args"]["outcome"], "running");
    assert_eq!(spans("stop")[0]["args"]["exit_code"], 0);
    let rows = spans("thread_name");
    assert!(rows.iter().any(|row| row["args"]["name"] == "Database"), "{text}");
}

#[test]
fn a_recorder_that_hangs_holds_up_no_stop() {
    let _machine = machine::shared();
    let process = Program::new(env!("CARGO_BIN_EXE_hanging_recorder")).spawn();
    process.wait_for_line("running: everything");
    process.wait_for_line("the recorder hangs");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0), "{}{}", exit.stdout(), exit.stderr());
    exit.assert_in_order(&["released Service", "released Exporter"]);
}
