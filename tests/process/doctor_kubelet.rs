//! What the rules for Kubernetes are for, with what a kubelet does: it is played here, by what the manifests of a pair say.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::http::{answered, connect};
use crate::machine;
use crate::pairs::{pair, value};
use crate::program::{Process, Program};
use crate::scratch::Scratch;

/// The first number behind `mark`.
#[track_caller]
fn number(file: &str, mark: &str) -> u64 {
    let behind = value(file, mark).unwrap_or_else(|| panic!("{file} has no {mark}"));
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{file}: {mark}{behind}"))
}

/// A program whose start takes longer than the kubelet waits by the wrong manifest, by one check.
#[test]
fn a_slow_start_is_killed_or_is_waited_for() {
    let _machine = machine::shared();
    let [wrong, right] = pair("start-cut-short", "yaml");
    let threshold = |file: &str| number(file, "failureThreshold: ");
    let slow = threshold(&wrong) + 1;
    let start = |file: &str| {
        let limit = value(file, "LIFECYCLE_STARTUP_TIMEOUT, value: \"").expect("it is there");
        let limit = limit.split('"').next().expect("it ends");
        let program = Program::new(env!("CARGO_BIN_EXE_probed")).env("LIFECYCLE_STARTUP_TIMEOUT", limit);
        program.env("HOLD", "acquire").with_open_stdin().spawn()
    };
    // Whether the startup probe has passed before the kubelet has lost its patience.
    let has_started = |file: &str, process: &Process| {
        let probe = process.address_after("the probe answers at http://");
        process.wait_for_line("acquiring Db");
        (1..=threshold(file)).any(|check| {
            thread::sleep(Duration::from_secs(number(file, "periodSeconds: ")));
            if check == slow {
                process.write_line("go acquire");
            }
            answered(connect(probe).get("/startupz")).status == 200
        })
    };
    let process = start(&wrong);
    assert!(!has_started(&wrong, &process));
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert!(!exit.stdout().contains("body runs"), "it has started: {}", exit.stdout());
    // It begins again, and nothing is different.
    start(&wrong).wait_for_line("acquiring Db");

    let process = start(&right);
    assert!(has_started(&right, &process));
    process.wait_for_line("body runs");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// The hook is over when the pod is out of service. With the right manifest, the stop begins then.
#[test]
fn after_a_hook_that_waits_the_drain_delay_waits_again() {
    let _machine = machine::shared();
    let [wrong, right] = pair("delay-twice", "yaml");
    // Whether something is waited for between the hook and the stop.
    let waits_again = |file: &str| {
        let scratch = Scratch::new();
        let pod = start_payments(file, scratch.path());
        let seconds = number(file, "preStop: { exec: { command: [sleep, \"").to_string();
        assert!(Command::new("sleep").arg(seconds).status().expect("there is sleep").success());
        assert_eq!(answered(connect(pod.address()).get("/")).status, 200);
        pod.signal(Signal::TERM);
        !pod.wait_for_line_or_end("draining: SIGTERM received; serving for another 5.0 s, then stopping")
    };
    assert!(waits_again(&wrong));
    assert!(!waits_again(&right));
}

fn start_payments(file: &str, temporary: &Path) -> Process {
    let program = Program::example("payments").env("PORT", "0").env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0");
    let program = program.env("TMPDIR", temporary).env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    let program = match value(file, "LIFECYCLE_DRAIN_DELAY, value: \"") {
        Some(delay) => program.env("LIFECYCLE_DRAIN_DELAY", delay.split('"').next().expect("it ends")),
        None => program,
    };
    let process = program.spawn();
    process.wait_for_line("running: everything was acquired");
    process
}
