//! Payments in a container: PID 1, asked with SIGTERM, and killed 10 s later.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::http::{connect, get};
use crate::payments::Feed;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::service::on_free_ports;
use crate::{examples, machine, namespace};

/// What `docker stop` gives.
const GRACE: Duration = Duration::from_secs(10);

/// Payments as PID 1, after this line of a shell that prepares the place.
fn contained(preparation: &str) -> Program {
    let shell = namespace::as_pid_1("sh").arg("-c").arg(format!("{preparation} exec \"$0\""));
    shell.arg(examples::executable("payments"))
}

/// As `docker stop` does it, with a request that never ends, a feed, and one whose client does not answer any more.
#[track_caller]
fn is_stopped_in_time(program: Program) {
    let scratch = Scratch::new();
    let process = on_free_ports(program, &scratch).spawn();
    let address = process.address();
    process.wait_for_line("running: everything was acquired");
    let mut endless = connect(address);
    endless.send(&get("/slow?ms=3600000")).expect("the server reads it");
    let (mut feed, _deaf) = (Feed::open(address), Feed::open(address));

    let child = namespace::listening_child(&process);
    let asked = Instant::now();
    kill_process(child, Signal::TERM).expect("it is there");
    feed.hears_goodbye();
    let exit = process.wait_or_kill(GRACE);
    println!("it ended {:.1?} after SIGTERM", exit.at.duration_since(asked));
    assert_eq!((exit.code(), exit.killed_by()), (Some(124), None));
    let log = exit.stdout();
    let report = " of 8.0 s: SIGTERM received; exit code 124";
    assert!(log.contains(report), "there is no report that says {report:?}");
    let cut = "2 cut off: 1 request, 1 upgraded connection (not counted)";
    assert!(log.contains(cut), "the report does not say {cut:?}");
    exit.assert_in_order(&["released Worker in", "released Queue in"]);
    exit.assert_in_order(&["released AuditLog in", "released Scratch in", "released Settings in"]);
    exit.assert_in_order(&["database closed", "released Scratch in"]);
    assert_eq!(scratch.content(), [""; 0], "the temporary directory was left behind");
}

/// A container of podman, by its mark.
#[test]
fn a_container_is_known_and_its_10_s_suffice() {
    let _machine = machine::alone();
    is_stopped_in_time(contained("mount -t tmpfs tmpfs /run && touch /run/.containerenv &&"));
}

/// One that nobody recognises, such as a jail of one's own.
#[test]
fn a_grace_period_that_was_told_suffices() {
    let _machine = machine::alone();
    is_stopped_in_time(contained("").env("LIFECYCLE_GRACE_PERIOD", "10s"));
}
