//! What `lifecycle doctor` says of units, played by systemd: each with the unit that it complains of, and the one that is
//! right.

use crate::machine;
use crate::pairs::{pair, text};
use crate::systemd::{Probed, UNIT};

const FIXTURE: &str = env!("CARGO_BIN_EXE_probed");

/// The unit of a pair, with this command as its program, and with these settings besides.
#[track_caller]
fn boot(file: &str, program: &str, settings: &str) -> Probed {
    // bash, where sh is bash, would become the program.
    let unit = text(file).replace("/bin/sh ", "/bin/dash ").replace("/usr/bin/shop", program);
    let unit = unit.replace("[Service]\n", "");
    Probed::boot_with(&format!("{unit}{settings}"))
}

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
    let [wrong, right] = pair("kill-mode", "service");
    let probed = boot(&wrong, FIXTURE, "TimeoutStopSec=2");
    probed.start();
    probed.systemd.systemctl(&["stop", UNIT]);
    assert!(probed.runs(), "it was not asked to stop, and holds its ports");
    let probed = boot(&right, FIXTURE, "");
    probed.start();
    probed.systemd.systemctl(&["stop", UNIT]);
    assert!(!probed.runs());
    probed.systemd.assert_shows(UNIT, &[("Result", "success")]);
}

#[test]
fn behind_a_shell_the_sign_of_the_start_is_not_heard() {
    let _machine = machine::shared();
    let [wrong, right] = pair("never-started", "service");
    let probed = boot(&wrong, FIXTURE, "TimeoutStartSec=2");
    assert_eq!(probed.systemd.within("systemctl", &["start", UNIT]), None);
    probed.systemd.assert_shows(UNIT, &[("Result", "timeout")]);
    let probed = boot(&right, FIXTURE, "TimeoutStartSec=2");
    probed.start();
    probed.systemd.assert_shows(UNIT, &[("ActiveState", "active")]);
}

#[test]
fn a_unit_that_does_not_wait_for_the_start_is_up_before_it() {
    let _machine = machine::shared();
    let [wrong, right] = pair("ready-unheard", "service");
    let probed = boot(&wrong, FIXTURE, "Environment=HOLD=acquire");
    probed.start();
    probed.systemd.assert_shows(UNIT, &[("ActiveState", "active")]);
    let probed = boot(&right, FIXTURE, "Environment=HOLD=acquire");
    probed.systemd.systemctl(&["start", "--no-block", UNIT]);
    probed.systemd.wait_for(UNIT, "StatusText", "starting: acquiring Db");
    probed.systemd.assert_shows(UNIT, &[("ActiveState", "activating")]);
}

/// A program without the feature `systemd` says nothing, as one that does not know the socket.
#[test]
fn a_watchdog_kills_a_program_that_does_not_know_it() {
    let _machine = machine::shared();
    let [wrong, right] = pair("watchdog-starves", "service");
    let deaf = format!("/usr/bin/env -u NOTIFY_SOCKET {FIXTURE}");
    let probed = boot(&wrong, &deaf, "");
    probed.start();
    probed.systemd.wait_for(UNIT, "Result", "watchdog");
    let probed = boot(&right, &deaf, "");
    probed.start();
    probed.stays("active");
}
