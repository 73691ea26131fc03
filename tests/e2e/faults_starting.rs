//! What payments needs is not there when it starts, or not as it should be.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::disk::Disk;
use crate::machine;
use crate::program::wait_until;
use crate::servers::dns::SilentDns;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::service::{Payments, Setup};

/// How late a server comes that is late.
const LATE: Duration = Duration::from_secs(10);
/// Enough for what happens at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// S3: says what it waits for, and why it is not there.
#[track_caller]
fn is_told_to_be_late(payments: &Payments, resource: &str, dependents: &str, warning: &str) {
    let warning = payments.process.wait_for_line(warning).text;
    assert!(warning.contains("Connection refused"), "{warning}");
    let progress = payments.process.wait_for_line("still starting").text;
    for part in [
        format!("acquiring {resource} for "),
        format!(" s ({dependents} wait for it); "),
        "s until startup_timeout".to_owned(),
    ] {
        assert!(progress.contains(&part), "{part:?} is not in {progress:?}");
    }
    assert_eq!(payments.probe("/startupz"), 503);
    assert_eq!(payments.probe("/livez"), 200);
}

#[track_caller]
fn runs_and_serves(payments: Payments) {
    payments.process.wait_for_line("running: everything was acquired");
    assert_eq!(payments.probe("/startupz"), 200);
    assert_eq!(payments.probe("/readyz"), 200);
    assert_eq!(payments.pay("p").unwrap(), 201);
    payments.stop().assert(0, Duration::from_secs(2), &[]);
}

#[test]
fn postgres_comes_ten_seconds_late() {
    let _machine = machine::shared();
    let (mut postgres, redis) = (Postgres::prepare(), Redis::start());
    let payments = Setup::new().on(&postgres, &redis).spawn();
    payments.process.wait_for_line("acquiring Database");
    thread::sleep(LATE);
    let dependents = "Cache, Worker, Http, Settlement, Registration";
    is_told_to_be_late(&payments, "Database", dependents, "no database yet, trying again in");
    postgres.boot();
    runs_and_serves(payments);
    wait_until("no connection is left", || postgres.clients() == "0");
}

#[test]
fn redis_comes_ten_seconds_late() {
    let _machine = machine::shared();
    let (postgres, mut redis) = (Postgres::start(), Redis::prepare());
    let payments = Setup::new().on(&postgres, &redis).spawn();
    payments.process.wait_for_line("acquiring Queue");
    thread::sleep(LATE);
    let dependents = "Worker, Http, Settlement, Registration";
    is_told_to_be_late(&payments, "Queue", dependents, "no Redis yet, trying again in");
    redis.boot();
    runs_and_serves(payments);
}

#[test]
fn postgres_never_comes() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::prepare(), Redis::start());
    let payments = Setup::new().on(&postgres, &redis).env("LIFECYCLE_STARTUP_TIMEOUT", "3s").spawn();
    payments.process.wait_for_line("acquiring Database");
    let end = payments.wait();
    end.assert_within(Duration::from_secs(3));
    end.assert_did_not_start("Database", "timed out: startup_timeout is 3.0 s");
    end.assert_said(&["no database yet", "Connection refused"]);
    assert_eq!(end.told("needed by:"), "Registration → Http → Worker → Database");
    assert_eq!(end.told("never started:"), "Cache, Worker, Http, Registration, Settlement");
}

#[test]
fn postgres_accepts_and_never_answers() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    postgres.freeze();
    let payments = Setup::new().on(&postgres, &redis).env("LIFECYCLE_STARTUP_TIMEOUT", "5s").spawn();
    payments.process.wait_for_line("acquiring Database");
    let end = payments.wait();
    end.assert_within(Duration::from_secs(5));
    end.assert_did_not_start("Database", "timed out: startup_timeout is 5.0 s");
    end.assert_said(&["no database yet", "it does not answer"]);
}

#[test]
fn a_stop_while_it_waits_for_postgres() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::prepare(), Redis::start());
    let payments = Setup::new().on(&postgres, &redis).spawn();
    payments.process.wait_for_line("no database yet");
    payments.process.wait_for_line("acquired Queue");
    payments.process.wait_for_line("acquired AuditLog");
    let never = "never started";
    payments.stop().assert(
        0,
        AT_ONCE,
        &[
            ("Database", "cancelled"),
            ("Cache", never),
            ("Worker", never),
            ("Http", never),
            ("Registration", never),
            ("Settlement", never),
        ],
    );
}

#[test]
fn postgres_refuses_the_password() {
    const PASSWORD: &str = "correct-horse-battery";
    let _machine = machine::shared();
    let (mut postgres, redis) = (Postgres::start(), Redis::start());
    postgres.query("CREATE ROLE clerk LOGIN PASSWORD 'staple'");
    let rules = "host all clerk 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    fs::write(postgres.hba(), rules).expect("it is ours");
    postgres.shut_down();
    postgres.boot();
    let url = postgres.url().replace("postgres://postgres@", &format!("postgres://clerk:{PASSWORD}@"));
    let payments = Setup::new().on(&postgres, &redis).env("DATABASE_URL", &url).spawn();
    payments.process.wait_for_line("acquiring Database");
    let end = payments.wait();
    // Not at the end of the time for the start.
    end.assert_within(AT_ONCE);
    end.assert_did_not_start("Database", "password authentication failed for user \"clerk\"");
    for output in [end.exit.stdout(), end.exit.stderr()] {
        assert!(!output.contains(PASSWORD), "the password is told to everybody");
    }
}

#[test]
fn a_migration_that_cannot_be_run() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    postgres.query("CREATE TABLE payments (of_somebody_else TEXT)");
    let payments = Setup::new().on(&postgres, &redis).spawn();
    payments.process.wait_for_line("acquiring Database");
    let end = payments.wait();
    end.assert_within(AT_ONCE);
    end.assert_did_not_start("Database", "while executing migration 1");
    end.assert_did_not_start("Database", "relation \"payments\" already exists");
    wait_until("no connection is left", || postgres.clients() == "0");
    assert_eq!(postgres.query("SELECT to_regclass('receipts')"), "", "half a migration is there");
    assert_eq!(postgres.query("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

#[test]
fn directories_that_cannot_be_written_to() {
    let _machine = machine::shared();
    let (postgres, redis, disk) = (Postgres::start(), Redis::start(), Disk::read_only());
    let directory = disk.path().to_str().expect("it is text");
    let log = format!("{directory}/audit.log");
    let end = Setup::new().on(&postgres, &redis).env("AUDIT_LOG", &log).spawn().wait();
    end.assert_did_not_start("AuditLog", &format!("cannot open {log}: Read-only file system"));
    wait_until("no connection is left", || postgres.clients() == "0");

    let end = Setup::new().on(&postgres, &redis).env("TMPDIR", directory).spawn().wait();
    let cause = format!("cannot make a directory in {directory}: Read-only file system");
    end.assert_did_not_start("Scratch", &cause);
}

#[test]
fn a_stop_while_it_waits_for_a_name_server() {
    let _machine = machine::shared();
    let (postgres, redis, dns) = (Postgres::start(), Redis::start(), SilentDns::start());
    let setup = Setup::with_resolver(&dns.configuration()).on(&postgres, &redis);
    let payments = setup.env("REGISTRY_URL", "http://registry.test/").spawn();
    dns.wait_for_question("registry");
    payments.stop().assert(0, AT_ONCE, &[("Registration", "cancelled")]);
}

/// S6: without service discovery it is still of use.
#[test]
fn a_registry_whose_name_nobody_knows() {
    let _machine = machine::shared();
    let (postgres, redis, dns) = (Postgres::start(), Redis::start(), SilentDns::start());
    let setup = Setup::with_resolver(&dns.configuration()).on(&postgres, &redis);
    let payments = setup.env("REGISTRY_URL", "http://registry.test/").run();
    assert_eq!(payments.pay("p").unwrap(), 201);
    let end = payments.stop();
    end.assert(0, AT_ONCE, &[("Registration", "failed")]);
    end.assert_said(&[
        "tolerated: `Registration` could not be acquired",
        "http://registry.test/",
        "timed out",
    ]);
}

#[test]
fn a_url_that_it_cannot_ask() {
    let _machine = machine::shared();
    let end = Setup::new().env("RECEIPTS_URL", "https://payments:hunter2@payers.test/").spawn().wait();
    end.assert_did_not_start(
        "Settings",
        "RECEIPTS_URL is not of http; for https, give reqwest a feature for TLS",
    );
    assert!(!(end.exit.stdout() + &end.exit.stderr()).contains("hunter2"), "the password is told");
}

/// An earlier version starts where a later one has been, as when a deployment is rolled back.
#[test]
fn a_migration_of_a_later_version() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let start = || Setup::new().on(&postgres, &redis).run();
    start().stop().assert(0, AT_ONCE, &[]);
    postgres.query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, '', 0)",
    );
    start().stop().assert(0, AT_ONCE, &[]);
}
