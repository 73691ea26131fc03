//! What `lifecycle doctor` says of units, played: each with the unit that it complains of, and the one that is right.

use crate::machine;
use crate::systemd::{Probed, UNIT};

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
