//! Payments as PID 1 of a container, with a real Docker engine: asked with SIGTERM, and killed 10 s later.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{answered, connect, get};
use crate::payments::Feed;
use crate::program::wait_until;
use crate::servers::docker::{Container, Engine, Network};
use crate::{examples, machine};

/// On free ports, without colours.
const OPTIONS: [&str; 6] =
    ["--env", "PORT=0", "--env", "LIFECYCLE_PROBE_ADDR=127.0.0.1:0", "--env", "NO_COLOR=1"];

/// An engine with the image of payments.
#[track_caller]
pub(crate) fn engine() -> Engine {
    let engine = Engine::start(Network::Shared);
    engine.import(examples::executable("payments"));
    engine
}

/// Payments, with these options of `docker run` besides.
#[track_caller]
pub(crate) fn run<'a>(engine: &'a Engine, options: &[&str]) -> Container<'a> {
    let container = engine.container(&[&OPTIONS, options].concat());
    container.runs_for_the(1);
    container
}

impl Container<'_> {
    /// Where it listens in its present life.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        let log = self.log();
        let address =
            log.rsplit("listening on http://").next().and_then(|rest| rest.split_whitespace().next());
        address.and_then(|address| address.parse().ok()).expect("it says where it listens")
    }

    #[track_caller]
    fn assert_answers(&self) {
        assert_eq!(answered(connect(self.address()).get("/")).body, "OK");
    }

    /// Asserts that it has ended by itself with this code, with a report, and that no temporary file is left.
    #[track_caller]
    pub(crate) fn ended_with(&self, code: i32, report: &str) {
        assert_eq!(self.exit_code(), format!("exited {code}"));
        let (log, report) = (self.log(), format!("{report}; exit code {code}"));
        assert!(log.contains(&report), "there is no report that says {report:?}");
        // The last but the foundations, and after everything else.
        assert!(log.contains("released Scratch in"), "not everything was released");
        assert_eq!(self.temporary_files(), [""; 0], "temporary files are left");
    }
}

#[test]
fn a_request_under_way_is_answered_before_docker_stop_returns() {
    let _machine = machine::alone();
    let engine = engine();
    let container = run(&engine, &[]);
    let mut slow = connect(container.address());
    slow.send(&get("/slow?ms=2000")).expect("the server reads it");
    let answer = thread::spawn(move || slow.read_response());
    let began = Instant::now();
    container.run(&["stop"]);
    println!("`docker stop` took {:.1?} with a request of 2 s under way", began.elapsed());
    let answer = answered(answer.join().expect("the client does not panic"));
    assert_eq!((answer.status, answer.says_close()), (200, true));
    container.ended_with(0, " of 8.0 s: SIGTERM received");
}

/// A request that never ends, a feed, and one whose client does not answer any more.
#[test]
fn a_container_is_known_and_its_10_s_suffice() {
    let _machine = machine::alone();
    let engine = engine();
    let container = run(&engine, &[]);
    let address = container.address();
    let mut endless = connect(address);
    endless.send(&get("/slow?ms=3600000")).expect("the server reads it");
    let (mut feed, _deaf) = (Feed::open(address), Feed::open(address));
    let began = Instant::now();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| container.run(&["stop"]));
        feed.hears_goodbye();
        stopping.join().expect("`docker stop` succeeds");
    });
    println!("`docker stop` took {:.1?} with a request that never ends", began.elapsed());
    container.ended_with(124, " of 8.0 s: SIGTERM received");
    let cut = "2 cut off: 1 request, 1 upgraded connection (not counted)";
    assert!(container.log().contains(cut), "the report does not say {cut:?}");
}

/// Docker does not tell a container what `--stop-timeout` is.
#[test]
fn a_grace_period_that_was_told_suffices() {
    let _machine = machine::alone();
    let engine = engine();
    let told = ["--stop-timeout", "5", "--env", "LIFECYCLE_GRACE_PERIOD=5s"];
    let container = run(&engine, &told);
    let mut endless = connect(container.address());
    endless.send(&get("/slow?ms=3600000")).expect("the server reads it");
    container.run(&["stop"]);
    container.ended_with(124, " of 4.0 s: SIGTERM received");
}

/// Paused in the midst of its stop, until after the deadline (rule D13).
#[test]
fn after_a_pause_in_the_midst_of_its_stop_everything_is_released() {
    let _machine = machine::alone();
    let engine = engine();
    let container = run(&engine, &["--env", "LIFECYCLE_SHUTDOWN_TIMEOUT=2s"]);
    let mut endless = connect(container.address());
    endless.send(&get("/slow?ms=3600000")).expect("the server reads it");
    container.run(&["kill", "--signal", "TERM"]);
    wait_until("the stop has begun", || {
        container.log().contains("stopping: SIGTERM received; 2.0 s at most")
    });
    container.run(&["pause"]);
    // For longer than the deadline and the watchdog's second: that is what the test is about.
    thread::sleep(Duration::from_millis(3_500));
    container.run(&["unpause"]);
    container.run(&["wait"]);
    container.ended_with(124, " of 2.0 s: SIGTERM received");
    let log = container.log();
    for resource in ["Worker", "Queue", "Database", "AuditLog", "Settings"] {
        assert!(log.contains(&format!("released {resource} in")), "{resource} was not released");
    }
}

#[test]
fn after_a_pause_it_serves_and_stops_as_before() {
    let _machine = machine::shared();
    let engine = engine();
    let container = run(&engine, &[]);
    container.run(&["pause"]);
    // For longer than anything in the library waits for a sign of life, except for what a stuck runtime is given.
    thread::sleep(Duration::from_millis(2_500));
    container.run(&["unpause"]);
    container.assert_answers();
    container.run(&["stop"]);
    container.ended_with(0, " of 8.0 s: SIGTERM received");
}

/// What a killed process left behind is no obstacle, and is removed by the next.
#[test]
fn it_lives_again_after_a_restart_and_after_a_kill() {
    let _machine = machine::shared();
    let engine = engine();
    let container = run(&engine, &[]);
    container.run(&["restart"]);
    container.runs_for_the(2);
    assert_eq!(container.log().matches("SIGTERM received; exit code 0").count(), 1, "a clean end in between");
    container.assert_answers();
    container.run(&["kill"]);
    container.run(&["wait"]);
    assert_eq!(container.exit_code(), "exited 137");
    assert_ne!(
        container.temporary_files(),
        [""; 0],
        "a killed process leaves files, or this test says nothing"
    );
    container.run(&["start"]);
    container.runs_for_the(3);
    container.assert_answers();
    container.run(&["stop"]);
    container.ended_with(0, " of 8.0 s: SIGTERM received");
}
