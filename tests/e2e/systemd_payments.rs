//! Payments as a service of systemd.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use serde_json::Value;

use crate::http::{answered, connect, get};
use crate::load::{Connections, Load, Tally};
use crate::program::wait_until;
use crate::scratch::Scratch;
use crate::servers::free_port;
use crate::servers::systemd::Systemd;
use crate::{examples, machine};

const SERVICE: &str = "payments.service";
const RESTARTS: u32 = 10;

/// A systemd with payments in it.
struct Payments {
    systemd: Systemd,
    address: SocketAddr,
    output: std::path::PathBuf,
}

impl Payments {
    /// Boots a systemd with the service, and with its socket, if there is one; both with these settings.
    #[track_caller]
    fn boot(environment: &str, settings: &str, socket: Option<&str>) -> Self {
        let scratch = Scratch::in_memory();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let directory = scratch.path().display().to_string();
        let output = scratch.path().join("output");
        // Without a limit to starts: there are many in a short time.
        let service = format!(
            "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n\
             [Service]\nType=notify\nExecStart={payments}\nLimitCORE=0\n\
             Environment=NO_COLOR=1 TMPDIR={directory} DATABASE_URL=sqlite://{directory}/payments.db?mode=rwc\n\
             Environment=PORT={port} LIFECYCLE_PROBE_ADDR=127.0.0.1:0 {environment}\n\
             StandardOutput=append:{output}\nStandardError=append:{output}\n{settings}\n",
            payments = examples::executable("payments").display(),
            port = address.port(),
            output = output.display(),
        );
        let mut units = vec![(SERVICE, service)];
        units.extend(socket.map(|settings| {
            let socket = format!(
                "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream={address}\nTriggerLimitIntervalSec=0\n{settings}\n"
            );
            ("payments.socket", socket)
        }));
        let units: Vec<(&str, &str)> = units.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Self { systemd: Systemd::boot(scratch, &units), address, output }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    #[track_caller]
    fn totals(&self) -> Value {
        answered(connect(self.address).get("/payments")).json()
    }
}

/// Our deadline is what counts, also where systemd's own is shorter, and nobody is killed.
#[test]
fn a_request_that_never_ends_is_cut_off_and_everything_is_released() {
    let _machine = machine::alone();
    let payments = Payments::boot("LIFECYCLE_SHUTDOWN_TIMEOUT=6s", "TimeoutStopSec=2", None);
    payments.systemd.systemctl(&["start", SERVICE]);
    let mut endless = connect(payments.address);
    endless.send(&get("/slow?ms=3600000")).expect("the server reads it");
    let began = Instant::now();
    payments.systemd.systemctl(&["stop", SERVICE]);
    let took = began.elapsed();
    println!("the stop took {took:.1?}, systemd gives 2 s");
    assert!(took.as_secs() >= 2, "the request was cut off after {took:?} already");
    // 1 is `CLD_EXITED`, as opposed to a signal.
    let ended = [("Result", "exit-code"), ("ExecMainCode", "1"), ("ExecMainStatus", "124")];
    payments.systemd.assert_shows(SERVICE, &ended);
    let log = payments.log();
    assert!(log.contains("SIGTERM received; exit code 124"), "there is no report");
    assert!(log.contains(", 1 cut off"), "the report does not say what was cut off");
    for resource in ["Worker", "Queue", "Database", "AuditLog", "Scratch", "Settings"] {
        assert!(log.contains(&format!("released {resource} in")), "{resource} was not released");
    }
}

#[test]
fn a_process_that_is_stuck_is_replaced_and_serves_again() {
    let _machine = machine::shared();
    let payments = Payments::boot("", "WatchdogSec=2\nRestart=on-watchdog\nRestartSec=50ms", None);
    payments.systemd.systemctl(&["start", SERVICE]);
    let payment = r#"{"id": "before", "amount_cents": 1}"#;
    assert_eq!(answered(connect(payments.address).post_json("/payments", payment)).status, 201);
    payments.systemd.systemctl(&["kill", "--kill-who=main", "--signal=STOP", SERVICE]);
    let stopped = Instant::now();
    payments.systemd.wait_for(SERVICE, "NRestarts", "1");
    payments.systemd.wait_for(SERVICE, "ActiveState", "active");
    println!("stopped with SIGSTOP; ready again after {:.1?}", stopped.elapsed());
    assert_eq!(answered(connect(payments.address).post_json("/payments", payment)).status, 200);
    assert_eq!(payments.totals()["count"], 1);
    wait_until("the new process has swept what the old one left behind", || {
        payments.log().contains("which somebody has left behind")
    });
}

/// Restarts the service again and again under load, with a socket that is systemd's: nothing is lost.
fn restart_under_load(environment: &str) -> Tally {
    let payments = Payments::boot(environment, "", Some(""));
    payments.systemd.systemctl(&["start", "payments.socket"]);
    // The first connection starts the service.
    assert_eq!(payments.totals()["count"], 0);
    let load = Load::start(&[payments.address], &[(Connections::KeepAlive, 4), (Connections::Fresh, 4)]);
    for _ in 0..RESTARTS {
        load.wait_for(100);
        payments.systemd.systemctl(&["restart", SERVICE]);
    }
    let tally = load.end();
    println!("{RESTARTS} restarts, {environment:?}: {}", tally.figures());
    assert!(tally.lost.is_empty(), "lost: {:#?}", tally.lost);
    assert_eq!(payments.totals()["count"], tally.charged.len(), "what is charged is what was acknowledged");
    payments.systemd.systemctl(&["stop", "payments.socket", SERVICE]);
    payments.systemd.assert_shows(SERVICE, &[("Result", "success"), ("ExecMainStatus", "0")]);
    let clean = payments.log().matches("SIGTERM received; exit code 0").count();
    assert_eq!(clean, RESTARTS as usize + 1, "not every stop was clean");
    tally
}

/// Whoever keeps a connection takes a risk: at the turn the server closes idle connections, and a request may be on its
/// way just then. Clients ask again on a fresh connection, and that one is never refused.
#[test]
fn restarts_with_a_socket_of_systemd_lose_no_connection() {
    let _machine = machine::alone();
    restart_under_load("");
}

/// During the delay responses say `Connection: close`: nobody has an idle connection at the turn.
#[test]
fn with_a_delay_nobody_has_to_ask_again() {
    let _machine = machine::alone();
    let tally = restart_under_load("LIFECYCLE_DRAIN_DELAY=1500ms");
    assert_eq!(tally.repeated, 0, "a kept connection was closed under a request");
}

/// This systemd does not know `Type=notify-reload`, so the unit names the signal. Every other reload fails.
#[test]
fn systemctl_reload_under_load_loses_no_request() {
    let _machine = machine::alone();
    let files = Scratch::in_memory();
    let settings = files.path().join("settings");
    let write = |text: &str| fs::write(&settings, text).expect("the settings can be written");
    write("PAYMENT_MS=0\n");
    let environment = format!("SETTINGS_FILE={}", settings.display());
    let payments = Payments::boot(&environment, "ExecReload=/bin/kill -HUP $MAINPID", None);
    payments.systemd.systemctl(&["start", SERVICE]);
    let load = Load::start(&[payments.address], &[(Connections::KeepAlive, 4), (Connections::Fresh, 4)]);
    for round in 0..RESTARTS as usize {
        load.wait_for(100);
        write(if round % 2 == 0 { "PAYMENT_MS=soon\n" } else { "PAYMENT_MS=1\n" });
        payments.systemd.systemctl(&["reload", SERVICE]);
        let ended = || {
            let log = payments.log();
            log.matches("reloaded 1 resource in").count() + log.matches("reloaded 2 resources in").count()
        };
        wait_until("the end of the reload", || ended() > round);
    }
    let tally = load.end();
    assert!(tally.lost.is_empty(), "lost: {:#?}", tally.lost);
    assert_eq!(tally.repeated, 0, "a request had to be repeated");
    // A reload that fails ends nothing, and a unit that has reloaded is active.
    payments.systemd.wait_for(SERVICE, "ActiveState", "active");
    payments.systemd.assert_shows(SERVICE, &[("NRestarts", "0"), ("StatusText", "running")]);
    payments.systemd.systemctl(&["stop", SERVICE]);
    payments.systemd.assert_shows(SERVICE, &[("Result", "success"), ("ExecMainStatus", "0")]);
    assert!(payments.log().contains("reloads: 10, of which 5 failed"), "{}", payments.log());
}
