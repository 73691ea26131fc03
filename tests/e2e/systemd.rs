//! The feature `systemd` under a real systemd, which runs a fixture that does what it is told.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::machine;
use crate::scratch::Scratch;
use crate::servers::systemd::Systemd;

/// Longer than the limits that the units have, and shorter than those of the application.
const LONG: Duration = Duration::from_secs(4);

const UNIT: &str = "probed.service";

/// The fixture as a service.
struct Probed {
    systemd: Systemd,
    /// What the service reads on stdin.
    orders: File,
}

impl Probed {
    /// Boots a systemd with a service that runs the fixture, with these settings.
    #[track_caller]
    fn boot(settings: &str) -> Self {
        let scratch = Scratch::new();
        let fifo = scratch.path().join("orders");
        let is_made = Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success());
        assert!(is_made, "cannot make {}", fifo.display());
        // Open at both ends, so that nobody who opens one of them has to wait for the other.
        let orders = OpenOptions::new().read(true).write(true).open(&fifo);
        let orders = orders.unwrap_or_else(|error| panic!("cannot open {}: {error}", fifo.display()));
        let output = scratch.path().join("output");
        let service = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart={}\nStandardInput=file:{}\n\
             StandardOutput=append:{output}\nStandardError=append:{output}\n{settings}\n",
            env!("CARGO_BIN_EXE_probed"),
            fifo.display(),
            output = output.display(),
        );
        Self { systemd: Systemd::boot(scratch, &[(UNIT, &service)]), orders }
    }

    /// Asserts that the service is in a state all the time, for a long time.
    #[track_caller]
    fn stays(&self, state: &str) {
        let began = Instant::now();
        while began.elapsed() < LONG {
            self.systemd.assert_shows(UNIT, &[("ActiveState", state)]);
        }
    }

    #[track_caller]
    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap_or_else(|error| panic!("cannot order {order:?}: {error}"));
    }
}

#[test]
fn start_waits_for_readiness_and_may_take_longer_than_systemd_gives() {
    let _machine = machine::shared();
    let mut probed = Probed::boot("Environment=HOLD=acquire\nTimeoutStartSec=2");
    probed.systemd.systemctl(&["start", "--no-block", UNIT]);
    probed.systemd.wait_for(UNIT, "StatusText", "starting: acquiring Db");
    probed.stays("activating");
    probed.order("go acquire");
    probed.systemd.wait_for(UNIT, "ActiveState", "active");
    probed.systemd.wait_for(UNIT, "StatusText", "running");
    probed.systemd.systemctl(&["stop", UNIT]);
    probed.systemd.assert_shows(UNIT, &[("ActiveState", "inactive"), ("Result", "success")]);
}

#[test]
fn a_start_that_passes_its_own_limit_fails() {
    let _machine = machine::shared();
    let probed = Probed::boot("Environment=HOLD=acquire LIFECYCLE_STARTUP_TIMEOUT=1s");
    let started = probed.systemd.within("systemctl", &["start", UNIT]);
    assert_eq!(started, None, "it never said READY");
    probed.systemd.assert_shows(UNIT, &[("ActiveState", "failed"), ("Result", "exit-code")]);
}

#[test]
fn a_stop_may_take_longer_than_systemd_gives() {
    let _machine = machine::shared();
    let mut probed = Probed::boot("Environment=HOLD=drain\nTimeoutStopSec=2");
    probed.systemd.systemctl(&["start", UNIT]);
    probed.systemd.systemctl(&["stop", "--no-block", UNIT]);
    probed.systemd.wait_for(UNIT, "StatusText", "stopping: draining Server");
    probed.stays("deactivating");
    probed.order("go drain");
    probed.systemd.wait_for(UNIT, "ActiveState", "inactive");
    probed.systemd.assert_shows(UNIT, &[("Result", "success")]);
}

#[test]
fn a_stop_that_the_application_began_is_no_surprise() {
    let _machine = machine::shared();
    let mut probed = Probed::boot("Environment=HOLD=drain\nTimeoutStopSec=2\nRestart=always");
    probed.systemd.systemctl(&["start", UNIT]);
    probed.order("shut down");
    probed.systemd.wait_for(UNIT, "ActiveState", "deactivating");
    probed.stays("deactivating");
}

#[test]
fn the_watchdog_ends_a_process_whose_workers_are_stuck() {
    let _machine = machine::shared();
    let mut probed = Probed::boot("WatchdogSec=2");
    probed.systemd.systemctl(&["start", UNIT]);
    probed.stays("active");
    probed.order("block workers");
    probed.systemd.wait_for(UNIT, "Result", "watchdog");
}

/// What `lifecycle doctor` says of units, played: each with the unit that it complains of, and the one that is right.
mod doctor {
    use super::*;

    impl Probed {
        #[track_caller]
        fn start(&self) {
            self.systemd.systemctl(&["start", UNIT]);
        }

        /// Whether a process of the fixture is there.
        fn runs(&self) -> bool {
            let names = self.systemd.within("sh", &["-c", "cat /proc/[0-9]*/comm"]);
            names.is_some_and(|names| names.lines().any(|name| name == "probed"))
        }
    }

    #[test]
    fn with_a_kill_mode_of_none_a_stop_leaves_the_program_running() {
        let _machine = machine::shared();
        let probed = Probed::boot("KillMode=none\nTimeoutStopSec=2");
        probed.start();
        probed.systemd.systemctl(&["stop", UNIT]);
        assert!(probed.runs(), "it was not asked to stop, and holds its ports");
        let probed = Probed::boot("KillMode=mixed");
        probed.start();
        probed.systemd.systemctl(&["stop", UNIT]);
        assert!(!probed.runs());
        probed.systemd.assert_shows(UNIT, &[("Result", "success")]);
    }

    #[test]
    fn behind_a_shell_the_sign_of_the_start_is_not_heard() {
        let _machine = machine::shared();
        let through_a_shell =
            |line: &str| format!("TimeoutStartSec=2\nExecStart=\nExecStart=/bin/sh -c \"{line}\"");
        let program = env!("CARGO_BIN_EXE_probed");
        let probed = Probed::boot(&through_a_shell(&format!("{program}; exit")));
        assert_eq!(probed.systemd.within("systemctl", &["start", UNIT]), None);
        probed.systemd.assert_shows(UNIT, &[("Result", "timeout")]);
        let probed = Probed::boot(&through_a_shell(&format!("exec {program}")));
        probed.start();
        probed.systemd.assert_shows(UNIT, &[("ActiveState", "active")]);
    }

    #[test]
    fn a_unit_that_does_not_wait_for_the_start_is_up_before_it() {
        let _machine = machine::shared();
        let probed = Probed::boot("Type=exec\nEnvironment=HOLD=acquire");
        probed.start();
        probed.systemd.assert_shows(UNIT, &[("ActiveState", "active")]);
        let probed = Probed::boot("Environment=HOLD=acquire");
        probed.systemd.systemctl(&["start", "--no-block", UNIT]);
        probed.systemd.wait_for(UNIT, "StatusText", "starting: acquiring Db");
        probed.systemd.assert_shows(UNIT, &[("ActiveState", "activating")]);
    }

    /// A program without the feature `systemd` says nothing, as one that does not know the socket.
    #[test]
    fn a_watchdog_kills_a_program_that_does_not_know_it() {
        let _machine = machine::shared();
        let deaf =
            format!("Type=exec\nExecStart=\nExecStart=env -u NOTIFY_SOCKET {}", env!("CARGO_BIN_EXE_probed"));
        let probed = Probed::boot(&format!("{deaf}\nWatchdogSec=1"));
        probed.start();
        probed.systemd.wait_for(UNIT, "Result", "watchdog");
        let probed = Probed::boot(&deaf);
        probed.start();
        probed.stays("active");
    }
}
