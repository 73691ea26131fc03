//! Something that payments needs fails while it runs, and then it is stopped: the deadline holds, the report names the
//! culprit, everything else is released, and the exit code is that of rule E1.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::disk::Disk;
use crate::machine;
use crate::program::wait_until;
use crate::servers::dns::SilentDns;
use crate::servers::payers::Payers;
use crate::servers::postgres::{Lock, Postgres};
use crate::servers::redis::Redis;
use crate::service::{End, Payments, Setup};

const DEADLINE: Duration = Duration::from_secs(4);
/// So late that nobody's reserve is scaled down, and every turn has its time also on a busy machine.
const LATE: Duration = Duration::from_secs(12);
/// How long something takes that has to be met while it is under way.
const TAKES_MS: &str = "3000";
/// Redis is given three seconds to answer.
const LONGER_THAN_REDIS_MAY_TAKE: Duration = Duration::from_secs(6);
const SHORTER_THAN_REDIS_MAY_TAKE: Duration = Duration::from_secs(2);

/// On these servers, with this deadline.
fn setup(postgres: &Postgres, redis: &Redis, deadline: Duration) -> Setup {
    let setup = Setup::new().on(postgres, redis);
    setup.env("LIFECYCLE_SHUTDOWN_TIMEOUT", &format!("{}ms", deadline.as_millis()))
}

fn wait_for_a_transaction(postgres: &Postgres) {
    let state = "state = 'idle in transaction'";
    wait_until("a payment is under way", || postgres.backends(state) == "1");
}

fn charged(postgres: &Postgres) -> String {
    postgres.query("SELECT COUNT(*) FROM payments")
}

/// At the cut-off, a client hears nothing more, or that it has to ask again.
#[track_caller]
fn is_not_answered(client: JoinHandle<io::Result<u16>>) {
    let answer = client.join().expect("nobody panics");
    assert!(matches!(answer, Err(_) | Ok(503)), "it was answered with {answer:?}");
}

/// A client that got no answer asks the next instance. Whatever became of the payment, it is charged once then.
#[track_caller]
fn asked_again_it_is_charged_once(postgres: &Postgres, redis: &Redis, id: &str, expected: &[u16]) {
    wait_until("no connection is left, and no transaction", || postgres.clients() == "0");
    let next = setup(postgres, redis, DEADLINE).run();
    let status = next.pay(id).expect("this one answers");
    assert!(expected.contains(&status), "{status}, and not one of {expected:?}");
    assert_eq!(charged(postgres), "1");
    next.stop().assert(0, DEADLINE, &[]);
}

#[test]
fn postgres_frozen_with_a_payment_under_way() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, LATE).env("PAYMENT_MS", TAKES_MS).run();
    let client = payments.pay_meanwhile("p");
    wait_for_a_transaction(&postgres);
    postgres.freeze();
    let end = payments.stop();
    end.assert(124, LATE, &[("Http", "aborted"), ("Database", "timed out")]);
    end.assert_said(&["Http", "2 cut off"]); // the request, and the charge that it waits for
    end.assert_said(&["failed: `Database` could not be released: cut off after"]);
    is_not_answered(client); // nobody knows whether the payment is charged
    postgres.thaw();
    // It was being committed: that may have been done in the end.
    asked_again_it_is_charged_once(&postgres, &redis, "p", &[200, 201]);
}

#[test]
fn postgres_frozen_while_nothing_is_asked_of_it() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, DEADLINE).run();
    assert_eq!(payments.pay("p").unwrap(), 201);
    let receipts = "SELECT COUNT(*) FROM receipts WHERE written_at IS NOT NULL";
    wait_until("the receipt is written", || postgres.query(receipts) == "1");
    wait_until("PostgreSQL has nothing to do", || postgres.backends("state <> 'idle'") == "0");
    postgres.freeze();
    // To say goodbye takes no answer.
    payments.stop().assert(0, Duration::from_secs(2), &[]);
}

#[test]
fn postgres_killed_with_a_payment_under_way() {
    let _machine = machine::shared();
    let (mut postgres, redis) = (Postgres::start(), Redis::start());
    let deadline = Duration::from_secs(12);
    let payments = setup(&postgres, &redis, deadline).env("PAYMENT_MS", TAKES_MS).run();
    let client = payments.pay_meanwhile("p");
    wait_for_a_transaction(&postgres);
    postgres.kill();
    // The payment is answered, and there is nothing to be closed.
    payments.stop().assert(0, deadline, &[]);
    assert_eq!(client.join().unwrap().unwrap(), 503);
    postgres.boot();
    assert_eq!(charged(&postgres), "0");
    asked_again_it_is_charged_once(&postgres, &redis, "p", &[201]);
}

#[test]
fn postgres_restarted_during_the_stop() {
    let _machine = machine::shared();
    let (mut postgres, redis) = (Postgres::start(), Redis::start());
    let deadline = Duration::from_secs(15);
    let payers = Payers::start();
    let payments = setup(&postgres, &redis, deadline).env("RECEIPTS_URL", &payers.url()).run();
    assert_eq!(payments.pay("slow-p").unwrap(), 201);
    wait_until("a receipt is under way", || payers.told().contains_key("slow-p"));
    let stopping = payments.terminate();
    stopping.process().wait_for_line("stopping Worker: waiting for receipts");
    postgres.shut_down();
    postgres.boot();
    // The receipt was written in the database that came back.
    stopping.wait().assert(0, deadline, &[]);
    assert_eq!(postgres.query("SELECT COUNT(*) FROM receipts WHERE written_at IS NOT NULL"), "1");
}

#[test]
fn a_lock_that_another_transaction_holds() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, LATE).run();
    let lock = Lock::take(&postgres);
    let client = payments.pay_meanwhile("p");
    wait_until("a payment waits", || postgres.backends("wait_event_type = 'Lock'") == "1");
    let end = payments.stop();
    end.assert(124, LATE, &[("Http", "aborted"), ("Database", "timed out")]);
    end.assert_said(&["Http", "2 cut off"]); // the request, and the charge that it waits for
    end.assert_said(&["failed: `Database` could not be released: cut off after"]);
    is_not_answered(client);
    drop(lock);
    wait_until("no connection is left, and no transaction", || postgres.clients() == "0");
    assert_eq!(charged(&postgres), "0");
    asked_again_it_is_charged_once(&postgres, &redis, "p", &[201]);
}

const NOT_GIVEN_BACK: &str =
    "`Queue` could not be released: cannot give back to Redis what was taken from it";

#[test]
fn redis_frozen_while_nothing_is_asked_of_it() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, LONGER_THAN_REDIS_MAY_TAKE).run();
    redis.freeze();
    let end = payments.stop();
    end.assert(1, LONGER_THAN_REDIS_MAY_TAKE, &[("Queue", "failed")]);
    end.assert_said(&["failed:", NOT_GIVEN_BACK, "timed out"]);
}

#[test]
fn redis_frozen_with_a_payment_under_way() {
    let _machine = machine::shared();
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, SHORTER_THAN_REDIS_MAY_TAKE).run();
    redis.freeze();
    let client = payments.pay_meanwhile("p");
    wait_until("the payment is charged", || charged(&postgres) == "1");
    let end = payments.stop();
    // There is so little time that on a busy machine the worker may be cut off, too.
    let faults = [("Http", "aborted"), ("Queue", "timed out"), ("Worker", "")];
    end.assert(124, SHORTER_THAN_REDIS_MAY_TAKE, &faults);
    end.assert_said(&["Http", "2 cut off"]); // the request, and the charge that it waits for
    end.assert_said(&["failed: `Queue` could not be released: cut off after"]);
    is_not_answered(client); // there was no time to
    redis.thaw();
    asked_again_it_is_charged_once(&postgres, &redis, "p", &[200]);
}

#[test]
fn redis_killed() {
    let _machine = machine::shared();
    let (postgres, mut redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, DEADLINE).run();
    redis.kill();
    assert_eq!(payments.pay("p").unwrap(), 201, "the receipt has to wait, and the payment need not");
    let end = payments.stop();
    end.assert(1, Duration::from_secs(2), &[("Queue", "failed")]);
    end.assert_said(&["the receipt of p has to wait"]);
    end.assert_said(&["failed:", NOT_GIVEN_BACK]);
    redis.boot();
    asked_again_it_is_charged_once(&postgres, &redis, "p", &[200]);
}

#[test]
fn redis_restarted() {
    let _machine = machine::shared();
    let (postgres, mut redis) = (Postgres::start(), Redis::start());
    let payments = setup(&postgres, &redis, DEADLINE).run();
    redis.kill();
    redis.boot();
    // Connections are made again.
    payments.stop().assert(0, DEADLINE, &[]);
}

/// Asks for new payments until one is answered with this status. Those that were charged are added to `charged`.
#[track_caller]
fn pay_until(payments: &Payments, expected: u16, charged: &mut HashSet<String>) {
    let mut number = charged.len();
    wait_until(&format!("a payment is answered with {expected}"), || {
        // Long, so that a block of the disk is soon full.
        let id = format!("{number:0>100}");
        number += 1;
        let status = payments.pay(&id).expect("every payment is answered");
        assert!([201, 503].contains(&status), "{status}");
        if status == 201 {
            charged.insert(id);
        }
        status == expected
    });
}

/// The payments in the log: every one once, and every line whole.
#[track_caller]
fn audited(log: &str) -> HashSet<String> {
    let mut ids = HashSet::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        if let Some(id) = entry["payment"]["id"].as_str() {
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
    }
    ids
}

#[test]
fn the_disk_of_the_audit_log_is_full() {
    let _machine = machine::shared();
    let (postgres, redis, disk) = (Postgres::start(), Redis::start(), Disk::mount());
    let log = disk.path().join("audit.log");
    let payments =
        setup(&postgres, &redis, DEADLINE).env("AUDIT_LOG", log.to_str().expect("it is text")).run();
    let mut acknowledged = HashSet::new();

    disk.fill();
    pay_until(&payments, 503, &mut acknowledged);
    let refusal = payments.process.wait_for_line("payments are refused").text;
    let cause = format!("cannot write {}: No space left on device", log.display());
    assert!(refusal.contains(&cause), "{refusal}");
    assert_eq!(payments.probe("/readyz"), 503);

    disk.make_room();
    pay_until(&payments, 201, &mut acknowledged);
    wait_until("everything is audited", || {
        // A line may be on its way.
        let text = fs::read_to_string(&log).expect("it is there");
        text.ends_with('\n') && audited(&text) == acknowledged
    });

    disk.fill();
    pay_until(&payments, 503, &mut acknowledged);
    let end = payments.stop();
    end.assert(1, Duration::from_secs(2), &[("AuditLog", "failed")]);
    end.assert_said(&["failed: `AuditLog` could not be released", &cause]);
    assert_eq!(charged(&postgres), acknowledged.len().to_string(), "what was refused was not charged");
}

/// D10: a thread that looks up a name cannot be stopped.
#[test]
fn a_receipt_that_waits_for_a_name_server() {
    let _machine = machine::shared();
    let (postgres, redis, dns) = (Postgres::start(), Redis::start(), SilentDns::start());
    let stop = |host: &str, deadline: Duration| -> End {
        let setup = Setup::with_resolver(&dns.configuration()).on(&postgres, &redis);
        let setup = setup.env("RECEIPTS_URL", &format!("http://{host}.test/"));
        let setup = setup.env("LIFECYCLE_SHUTDOWN_TIMEOUT", &format!("{}ms", deadline.as_millis()));
        let payments = setup.run();
        assert_eq!(payments.pay(host).unwrap(), 201);
        dns.wait_for_question(host);
        payments.stop()
    };
    // The name is given up after two seconds: less than there is, and more.
    let deadline = Duration::from_secs(6);
    let end = stop("patient", deadline);
    end.assert(0, deadline, &[]);
    end.assert_said(&["the worker makes a pause", "timed out"]);
    let deadline = Duration::from_millis(2_500);
    let end = stop("hasty", deadline);
    end.assert(124, deadline, &[("Worker", "aborted")]);
    end.assert_said(&["Worker", "1 cut off: receipts"]);
}
