//! The example `payments`, as the tests of its faults run it, and how they look at its end.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::scratch::Scratch;
use lifecycle_tests::harness::examples;
use rustix::process::Signal;
use serde_json::json;

use crate::http::{Connection, answered, connect};
use crate::program::{Exit, Process, Program};
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;

/// What a busy machine may add to a time that is asserted: the watchdog's second is the most that the library adds.
const SLACK: Duration = Duration::from_millis(1_500);

/// Resources that are otherwise than clean in the report of a life without a fault.
const USUAL: [(&str, &str); 3] =
    [("Telemetry", "still held"), ("Settings", "still held"), ("Registration", "skipped")];

const RESOURCES: [&str; 12] = [
    "Telemetry",
    "Settings",
    "Scratch",
    "AuditLog",
    "Database",
    "Cache",
    "Client",
    "Queue",
    "Worker",
    "Http",
    "Registration",
    "Settlement",
];

/// With temporary files in `scratch`.
pub(crate) fn on_free_ports(program: Program, scratch: &Scratch) -> Program {
    program.env("PORT", "0").env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0").env("TMPDIR", scratch.path())
}

/// What was charged, by the id of the payment.
pub(crate) fn ledger(postgres: &Postgres) -> HashMap<String, i64> {
    let rows = postgres.query("SELECT id, amount_cents FROM payments");
    let rows = rows.lines().map(|row| {
        let (id, amount) = row.split_once('|').expect("a row has two columns");
        (id.to_owned(), amount.parse().expect("an amount is a number"))
    });
    rows.collect()
}

/// The program, with a temporary directory of its own.
pub(crate) struct Setup {
    program: Program,
    scratch: Scratch,
}

impl Setup {
    /// With stand-ins for everything.
    pub(crate) fn new() -> Self {
        Self::of(Program::example("payments"))
    }

    /// With names that this resolver configuration is asked for, which only this process sees.
    pub(crate) fn with_resolver(configuration: &Path) -> Self {
        let script = r#"mount --bind "$1" /etc/resolv.conf && exec "$0""#;
        let program = Program::new("unshare").arg("--mount").arg("sh").arg("-c").arg(script);
        Self::of(program.arg(examples::executable("payments")).arg(configuration))
    }

    fn of(program: Program) -> Self {
        let scratch = Scratch::new();
        // It settles once at the start, and never again.
        let program = on_free_ports(program, &scratch).env("SETTLE_MS", "3600000");
        Self { program, scratch }
    }

    pub(crate) fn on(self, postgres: &Postgres, redis: &Redis) -> Self {
        self.env("DATABASE_URL", &postgres.url()).env("REDIS_URL", &redis.url())
    }

    pub(crate) fn env(self, variable: &str, value: &str) -> Self {
        Self { program: self.program.env(variable, value), ..self }
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn spawn(self) -> Payments {
        Payments { process: self.program.spawn(), scratch: self.scratch }
    }

    /// Starts it, and waits until it runs.
    #[track_caller]
    pub(crate) fn run(self) -> Payments {
        let payments = self.spawn();
        payments.process.wait_for_line("running: everything was acquired");
        payments
    }
}

pub(crate) struct Payments {
    pub(crate) process: Process,
    scratch: Scratch,
}

impl Payments {
    /// Asks for a payment of one cent. The status of the answer, if there is one.
    pub(crate) fn pay(&self, id: &str) -> io::Result<u16> {
        pay(self.process.address(), id)
    }

    /// The same, while others do something else.
    pub(crate) fn pay_meanwhile(&self, id: &'static str) -> JoinHandle<io::Result<u16>> {
        let address = self.process.address();
        thread::spawn(move || pay(address, id))
    }

    /// What the probe answers on this path.
    #[track_caller]
    pub(crate) fn probe(&self, path: &str) -> u16 {
        answered(connect(self.probe_address()).get(path)).status
    }

    #[track_caller]
    pub(crate) fn probe_address(&self) -> SocketAddr {
        self.process.address_after("the probe answers at http://")
    }

    /// Sends SIGTERM, and waits for the end.
    pub(crate) fn stop(self) -> End {
        self.terminate().wait()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(self) -> Stopping {
        let sent = Instant::now();
        self.process.signal(Signal::TERM);
        Stopping { payments: self, sent }
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn wait(self) -> End {
        Stopping { payments: self, sent: Instant::now() }.wait()
    }
}

/// On its way to the end.
pub(crate) struct Stopping {
    payments: Payments,
    sent: Instant,
}

impl Stopping {
    pub(crate) fn process(&self) -> &Process {
        &self.payments.process
    }

    pub(crate) fn wait(self) -> End {
        let Self { payments: Payments { process, scratch }, sent } = self;
        let exit = process.wait_for_exit();
        let took = exit.at.duration_since(sent);
        End { exit, took, scratch }
    }
}

/// How it ended.
pub(crate) struct End {
    pub(crate) exit: Exit,
    /// From the signal to the end.
    took: Duration,
    scratch: Scratch,
}

impl End {
    /// Asserts the exit code, that the deadline held, and that all but these resources had their clean end.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, deadline: Duration, faults: &[(&str, &str)]) {
        assert_eq!(self.exit.code(), Some(code));
        self.assert_within(deadline);
        let log = self.exit.stdout();
        let Some(report) = log.split_once("  resource ").map(|(_, report)| report) else {
            panic!("no report");
        };
        for name in RESOURCES {
            let expected = faults.iter().chain(&USUAL).find(|(resource, _)| *resource == name);
            let expected = expected.map_or("clean", |(_, outcome)| outcome);
            let row = report.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{name} ")));
            let row = row.unwrap_or_else(|| panic!("no row for {name}")).trim_start();
            assert!(row.starts_with(expected), "{name} is not {expected}, but: {row}");
        }
        for (name, line) in [("Database", "database closed"), ("Queue", "queue closed")] {
            let is_expected = !faults.iter().any(|(resource, _)| *resource == name);
            assert_eq!(log.contains(line), is_expected, "{line:?}");
        }
        self.assert_nothing_is_left();
    }

    /// Asserts that the start failed at this resource for this cause, and that what was acquired was released.
    #[track_caller]
    pub(crate) fn assert_did_not_start(&self, resource: &str, cause: &str) {
        // What the settings refuse is the configuration's fault (rule E1).
        assert_eq!(self.exit.code(), Some(if resource == "Settings" { 78 } else { 1 }));
        let first = self.told("lifecycle: the application did not start:");
        assert_eq!(first, format!("`{resource}` could not be acquired"));
        let told = self.told("cause:");
        assert!(told.contains(cause), "the cause is not {cause:?}, but {told:?}");
        let name = |item: &str| item.split(' ').next().unwrap_or_default().to_owned();
        let completed = self.told("completed:");
        let rolled_back = self.told("rolled back:");
        for completed in completed.split(", ").map(name) {
            let is_released = |item: &str| name(item) == completed && item.contains("(released in");
            assert!(
                rolled_back.split(", ").any(is_released),
                "{completed} is not released, only {rolled_back:?}"
            );
        }
        self.assert_nothing_is_left();
    }

    /// What a line of the report on stderr says.
    #[track_caller]
    pub(crate) fn told(&self, what: &str) -> String {
        let stderr = self.exit.stderr();
        let line = stderr.lines().find_map(|line| line.trim_start().strip_prefix(what));
        line.unwrap_or_else(|| panic!("no line {what:?} on stderr")).trim().to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_within(&self, limit: Duration) {
        let took = self.took;
        assert!(took < limit + SLACK, "it took {took:?}, which is more than {limit:?}");
    }

    /// Asserts that a line of the log contains all of these.
    #[track_caller]
    pub(crate) fn assert_said(&self, texts: &[&str]) {
        let log = self.exit.stdout();
        let is_said = log.lines().any(|line| texts.iter().all(|text| line.contains(text)));
        assert!(is_said, "no line with {texts:?}");
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        let content = self.scratch.content();
        assert!(content.is_empty(), "temporary files are left: {content:?}");
    }
}

fn pay(address: SocketAddr, id: &str) -> io::Result<u16> {
    let body = json!({ "id": id, "amount_cents": 1 }).to_string();
    Ok(Connection::open(address)?.post_json("/payments", &body)?.status)
}
