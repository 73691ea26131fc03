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

pub(crate) const UNIT: &str = "probed.service";

/// The fixture as a service.
pub(crate) struct Probed {
    pub(crate) systemd: Systemd,
    /// What the service reads on stdin.
    orders: File,
}

impl Probed {
    /// Boots a systemd with a service that runs the fixture, with these settings.
    #[track_caller]
    fn boot(settings: &str) -> Self {
        Self::boot_with(&format!("Type=notify\nExecStart={}\n{settings}", env!("CARGO_BIN_EXE_probed")))
    }

    /// The same, with no other settings.
    #[track_caller]
    pub(crate) fn boot_with(settings: &str) -> Self {
        let scratch = Scratch::new();
        let fifo = scratch.path().join("orders");
        let is_made = Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success());
        assert!(is_made, "cannot make {}", fifo.display());
        // Open at both ends, so that nobody who opens one of them has to wait for the other.
        let orders = OpenOptions::new().read(true).write(true).open(&fifo);
        let orders = orders.unwrap_or_else(|error| panic!("cannot open {}: {error}", fifo.display()));
        let output = scratch.path().join("output");
        let service = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nStandardInput=file:{}\n\
             StandardOutput=append:{output}\nStandardError=append:{output}\n{settings}\n",
            fifo.display(),
            output = output.display(),
        );
        Self { systemd: Systemd::boot(scratch, &[(UNIT, &service)]), orders }
    }

    /// Asserts that the service is in a state all the time, for a long time.
    #[track_caller]
    pub(crate) fn stays(&self, state: &str) {
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
