//! Payments under PM2, which asks with SIGINT and kills 1.6 s later, unless it was told otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::http::{answered, connect, get};
use crate::program::wait_until;
use crate::scratch::Scratch;
use crate::servers::free_port;
use crate::servers::pm2::Pm2;
use crate::{examples, machine};

/// Payments under a PM2 of its own.
struct Payments {
    pm2: Pm2,
    address: SocketAddr,
    scratch: Scratch,
}

impl Payments {
    #[track_caller]
    fn start(settings: &Value) -> Self {
        let scratch = Scratch::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let env = json!({
            "PORT": address.port().to_string(), "LIFECYCLE_PROBE_ADDR": "127.0.0.1:0",
            "TMPDIR": scratch.path(), "NO_COLOR": "1",
        });
        let payments =
            Self { pm2: Pm2::start(examples::executable("payments"), &env, settings), address, scratch };
        payments.runs_for_the(1);
        payments
    }

    /// Waits until the application runs, for the first time, the second, and so on.
    #[track_caller]
    fn runs_for_the(&self, time: usize) {
        wait_until("payments runs", || {
            self.pm2.log().matches("running: everything was acquired").count() == time
        });
    }

    /// Asserts that the application has ended by itself with this code, as PM2 sees it.
    #[track_caller]
    fn ended_with(&self, code: i32) {
        // PM2 says SIGINT where there was no signal.
        let end = format!("exited with code [{code}] via signal [SIGINT]");
        wait_until("PM2 sees the end", || self.pm2.own_log().contains(&end));
        assert!(!self.pm2.own_log().contains("SIGKILL"), "PM2 lost its patience");
        let report = format!("SIGINT received; exit code {code}");
        assert!(self.pm2.log().contains(&report), "there is no report that says {report:?}");
        // The last but the foundations, and after everything else.
        assert!(self.pm2.log().contains("released Scratch in"), "not everything was released");
        assert_eq!(self.scratch.content(), [""; 0], "the temporary directory was left behind");
    }
}

#[test]
fn it_starts_reloads_and_stops_cleanly() {
    let _machine = machine::shared();
    let payments = Payments::start(&json!({}));
    assert_eq!(answered(connect(payments.address).get("/")).body, "OK");
    payments.pm2.reload();
    payments.runs_for_the(2);
    assert_eq!(answered(connect(payments.address).get("/")).body, "OK");
    payments.pm2.stop();
    payments.ended_with(0);
    assert!(payments.pm2.log().contains(" of 1.3 s: SIGINT received"), "the budget is not 0.8 of 1.6 s");
    assert_eq!(payments.pm2.knows("exit_code"), 0);
    assert_eq!(payments.pm2.own_log().matches("exited with code [0]").count(), 2);
    payments.pm2.end();
}

#[test]
fn what_never_ends_is_cut_off_before_pm2_kills() {
    let _machine = machine::alone();
    let payments = Payments::start(&json!({}));
    let mut endless = connect(payments.address);
    endless.send(&get("/slow?ms=3600000")).expect("the server reads it");
    payments.pm2.stop();
    payments.ended_with(124);
    assert_eq!(payments.pm2.knows("exit_code"), 124);
    let log = payments.pm2.log();
    assert!(log.contains(" of 1.3 s: SIGINT received"), "the budget is not 0.8 of 1.6 s");
    assert!(log.contains(", 1 cut off"), "the report does not say what was cut off");
    payments.pm2.end();
}

#[test]
fn its_kill_timeout_is_followed() {
    let _machine = machine::alone();
    let payments = Payments::start(&json!({ "kill_timeout": 20_000 }));
    let mut slow = connect(payments.address);
    // Longer than PM2's default, and not too long for this one.
    slow.send(&get("/slow?ms=6000")).expect("the server reads it");
    let answer = thread::spawn(move || slow.read_response());
    let began = Instant::now();
    payments.pm2.stop();
    println!("`pm2 stop` took {:.1?} with a request of 6 s under way", began.elapsed());
    let answer = answered(answer.join().expect("the client does not panic"));
    assert_eq!((answer.status, answer.says_close()), (200, true));
    payments.ended_with(0);
    let log = payments.pm2.log();
    assert!(log.contains(" of 16.0 s: SIGINT received"), "the budget is not 0.8 of 20 s");
    payments.pm2.end();
}
