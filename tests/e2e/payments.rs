//! Payments among its neighbours: a registry, a feed's client, its files.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, connect as open};

use crate::http::{answered, connect};
use crate::machine;
use crate::program::{PATIENCE, Process, Program, wait_until};
use crate::scratch::Scratch;
use crate::servers::free_port;
use crate::servers::payers::Payers;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::servers::registry::{Leaving, Registry};
use crate::service::{Setup, on_free_ports};

fn payments(scratch: &Scratch) -> Program {
    on_free_ports(Program::example("payments"), scratch)
}

/// Spawns it, and waits until everything runs.
fn run(program: Program) -> (Process, SocketAddr) {
    let process = program.spawn();
    let address = process.address();
    process.wait_for_line("running: everything was acquired");
    (process, address)
}

/// The name of its directory for temporary files.
fn directory_of(process: &Process) -> String {
    let line = process.wait_for_line("this is instance ").text;
    format!("payments-{}", line.rsplit(' ').next().unwrap_or_default())
}

#[track_caller]
fn pay(address: SocketAddr, id: &str) {
    let payment = json!({ "id": id, "amount_cents": 100 });
    let answer = answered(connect(address).post_json("/payments", &payment.to_string()));
    assert_eq!((answer.status, answer.json()), (201, payment));
}

/// A client of the feed.
pub(crate) struct Feed(WebSocket<MaybeTlsStream<TcpStream>>);

impl Feed {
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let (socket, _) =
            open(format!("ws://{address}/feed")).unwrap_or_else(|error| panic!("no feed: {error}"));
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).expect("it takes a limit");
        }
        Self(socket)
    }

    #[track_caller]
    fn next(&mut self) -> Value {
        let message = self.0.read().unwrap_or_else(|error| panic!("the feed: {error}"));
        let text = message.to_text().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {message:?}"))
    }

    /// Hears that the server is going away, and answers.
    #[track_caller]
    pub(crate) fn hears_goodbye(&mut self) {
        let goodbye = self.0.read();
        let Ok(Message::Close(Some(frame))) = &goodbye else { panic!("no goodbye, but {goodbye:?}") };
        assert_eq!(frame.code, CloseCode::Away);
        let end = self.0.read();
        assert!(matches!(end, Err(Error::ConnectionClosed)), "no proper end, but {end:?}");
    }
}

#[test]
fn it_leaves_the_registry_first_of_all_and_serves_on_for_the_delay() {
    let _machine = machine::shared();
    let (scratch, registry) = (Scratch::new(), Registry::start(Leaving::Answered));
    let program = payments(&scratch).env("REGISTRY_URL", registry.url());
    let (process, address) = run(program.env("LIFECYCLE_DRAIN_DELAY", "2s"));
    let entries = registry.calls();
    let [entry] = entries.as_slice() else { panic!("it should have entered once: {entries:?}") };
    assert_eq!(entry.method, "PUT");
    assert!(entry.path.starts_with("/services/payments/"), "{entry:?}");
    assert_eq!(entry.body, json!({ "address": address }).to_string());

    process.signal(Signal::TERM);
    let leave = registry.wait_for_leave();
    assert_eq!(leave.path, entry.path);
    let answer = answered(connect(address).get("/"));
    assert_eq!((answer.status, answer.says_close()), (200, true), "it serves on");
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.at > answer.at && answer.at > leave.at);
    exit.assert_in_order(&["deregistered", "releasing Registration", "releasing Http"]);
    assert_eq!(registry.calls().len(), 2, "it comes and goes once");
}

#[test]
fn a_registry_that_is_down_keeps_nobody_from_starting() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let (process, address) = run(payments(&scratch).env("REGISTRY_URL", nobody));
    assert_eq!(answered(connect(address).get("/")).status, 200);
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("tolerated: "), "the report does not say what was done without");
}

#[test]
fn a_registry_that_hangs_holds_nobody_up_for_long() {
    let _machine = machine::alone();
    let (scratch, registry) = (Scratch::new(), Registry::start(Leaving::Hangs));
    let (process, _) = run(payments(&scratch).env("REGISTRY_URL", registry.url()));
    process.signal(Signal::TERM);
    let leave = registry.wait_for_leave();
    let exit = process.wait_for_exit();
    let took = exit.at.duration_since(leave.at);
    println!("it left {took:.1?} after a registry that hangs was told");
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("could not deregister: "));
    // The reserve of the registration is 1 s, and a client's patience with a registry 5 s.
    assert!(took < Duration::from_secs(4), "it took {took:?}");
}

#[test]
fn without_a_registry_there_is_no_registration() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let (process, _) = run(payments(&scratch));
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("  Registration  skipped "), "the report does not say so");
}

#[test]
fn the_feed_tells_of_each_payment_and_says_goodbye() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let (process, address) = run(payments(&scratch));
    let mut feed = Feed::open(address);
    for id in ["p-1", "p-2"] {
        pay(address, id);
        assert_eq!(feed.next(), json!({ "id": id, "amount_cents": 100 }));
    }
    process.signal(Signal::TERM);
    feed.hears_goodbye();
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// At the turn a feed loses its last sender, and is not to take that for having been too slow.
#[test]
fn every_feed_hears_that_the_server_goes_away_although_it_goes_first() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let (process, address) = run(payments(&scratch));
    let mut feeds: Vec<Feed> = (0..20).map(|_| Feed::open(address)).collect();
    process.signal(Signal::TERM);
    feeds.iter_mut().for_each(Feed::hears_goodbye);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

#[test]
fn all_payments_are_exported_by_way_of_a_file_that_is_removed() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let (process, address) = run(payments(&scratch));
    for id in ["p-2", "p-1", "a-\"third\""] {
        pay(address, id);
    }
    let files = || {
        let directory = fs::read_dir(scratch.path().join(directory_of(&process))).expect("it is there");
        directory
            .flatten()
            .filter(|file| !file.file_name().to_string_lossy().starts_with("payments.db"))
            .count()
    };
    let before = files();
    let export = answered(connect(address).get("/export"));
    assert_eq!(
        (export.status, export.body.as_str()),
        (200, "\"a-\"\"third\"\"\",100\n\"p-1\",100\n\"p-2\",100\n")
    );
    assert_eq!(files(), before, "the file of the export is still there");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// A worker that leaves them in the queue would have time for nothing else.
#[test]
fn receipts_that_always_fail_hold_up_no_others() {
    const REFUSED: [&str; 4] = ["refused-1", "refused-2", "redirected-1", "redirected-2"];
    let _machine = machine::shared();
    let (scratch, payers) = (Scratch::new(), Payers::start());
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let program = payments(&scratch).env("DATABASE_URL", postgres.url()).env("REDIS_URL", redis.url());
    let (process, address) = run(program.env("RECEIPTS_URL", payers.url()).env("SETTLE_MS", "200"));
    REFUSED.iter().for_each(|id| pay(address, id));
    wait_until("each is tried again", || REFUSED.iter().all(|id| payers.told().get(*id) >= Some(&2)));
    // In the ledger, and not in the queue.
    postgres.query("INSERT INTO payments (id, amount_cents) VALUES ('forgotten', 100)");
    postgres.query("INSERT INTO receipts (payment_id, owed_since, due_at) VALUES ('forgotten', 0, 0)");
    wait_until("the forgotten one is sent", || payers.told().contains_key("forgotten"));
    let written = "SELECT payment_id FROM receipts WHERE written_at IS NOT NULL";
    wait_until("and noted", || postgres.query(written) == "forgotten");
    wait_until("the queue is empty", || redis.ask(&["LLEN", "payments:pending"]) == "0");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

#[test]
fn the_jobs_of_a_worker_that_was_killed_are_done_by_another() {
    let _machine = machine::shared();
    let (scratch, postgres, redis) = (Scratch::new(), Postgres::start(), Redis::start());
    let program = || payments(&scratch).env("DATABASE_URL", postgres.url()).env("REDIS_URL", redis.url());
    let (killed, address) = run(program().env("RECEIPT_MS", "3600000"));
    pay(address, "p-1");
    wait_until("the job is taken", || redis.ask(&["LLEN", "payments:pending"]) == "0");
    let (other, _) = run(program().env("SETTLE_MS", "200"));
    killed.signal(Signal::KILL);
    other.wait_for_line(" is no more; 1 of its jobs were given back");
    let written = "SELECT payment_id FROM receipts WHERE written_at IS NOT NULL";
    wait_until("the receipt is written", || postgres.query(written) == "p-1");
    other.signal(Signal::TERM);
    assert_eq!(other.wait_for_exit().code(), Some(0));
}

#[test]
fn a_payment_is_audited_although_its_client_has_gone() {
    let _machine = machine::shared();
    let (scratch, postgres) = (Scratch::new(), Postgres::start());
    let audit_log = scratch.path().join("audit.log");
    let program = payments(&scratch).env("DATABASE_URL", postgres.url()).env("AUDIT_LOG", &audit_log);
    let (process, address) = run(program.env("PAYMENT_MS", "1000"));
    let mut client = connect(address);
    let body = r#"{"id": "p-1", "amount_cents": 100}"#;
    let head = "POST /payments HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: ";
    client.send(&format!("{head}{}\r\n\r\n{body}", body.len())).expect("the server reads it");
    wait_until("the payment is under way", || postgres.backends("state = 'idle in transaction'") == "1");
    drop(client);
    wait_until("it is charged", || postgres.query("SELECT id FROM payments") == "p-1");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
    let audited = fs::read_to_string(&audit_log).expect("it can be read");
    assert!(audited.starts_with(r#"{"payment":"#) && audited.contains(r#""p-1""#), "{audited:?}");
}

/// After a deployment, clients ask again for what was charged last.
#[test]
fn the_cache_begins_with_what_was_charged_last() {
    let _machine = machine::shared();
    let (scratch, postgres) = (Scratch::new(), Postgres::start());
    let start = || run(payments(&scratch).env("DATABASE_URL", postgres.url()));
    let stop = |process: Process| {
        process.signal(Signal::TERM);
        let exit = process.wait_for_exit();
        assert_eq!(exit.code(), Some(0));
        exit.stdout()
    };
    stop(start().0);
    let numbers = "generate_series(1001, 3000) AS number";
    postgres
        .query(&format!("INSERT INTO payments (id, amount_cents) SELECT 'p-' || number, 100 FROM {numbers}"));
    postgres.query(&format!(
        "INSERT INTO receipts (payment_id, owed_since, due_at, written_at) \
         SELECT 'p-' || number, number, 0, number FROM {numbers}"
    ));
    let (process, address) = start();
    for id in ["p-3000", "p-2001", "p-2000"] {
        let payment = json!({ "id": id, "amount_cents": 100 });
        let answer = answered(connect(address).post_json("/payments", &payment.to_string()));
        assert_eq!((answer.status, answer.json()), (200, payment));
    }
    let log = stop(process);
    assert!(log.contains("the cache had 1000 payments and answered 2 times"), "{log}");
}

#[test]
fn ids_that_no_header_keeps_are_refused() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let (process, address) = run(payments(&scratch));
    for id in ["a\nb", " p", "p ", "a b", "ü", "\0", ""] {
        let payment = json!({ "id": id, "amount_cents": 100 });
        let answer = answered(connect(address).post_json("/payments", &payment.to_string()));
        assert_eq!(answer.status, 400, "{id:?}");
        assert!(answer.body.starts_with("`id` must "), "{answer:?}");
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

#[test]
fn a_busy_instance_is_ready() {
    let _machine = machine::shared();
    // On SQLite, one payment is as much as goes on at a time, and this one takes longer than a check may.
    let payments = Setup::new().env("PAYMENT_MS", "3000").run();
    let paid = payments.pay_meanwhile("p-1");
    while !paid.is_finished() {
        assert_eq!(payments.probe("/readyz"), 200);
    }
    assert_eq!(paid.join().expect("nobody panics").ok(), Some(201));
    payments.stop().assert(0, Duration::ZERO, &[]);
}

#[test]
fn temporary_files_go_with_their_process_or_are_swept_by_the_next_one() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let content = || {
        let mut content = scratch.content();
        content.sort();
        content
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let (living, _) = run(payments(&scratch));
    let (killed, _) = run(payments(&scratch));
    let (of_living, of_killed) = (directory_of(&living), directory_of(&killed));
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait_for_exit().killed_by(), Some(Signal::KILL.as_raw()));
    assert_eq!(content(), sorted(vec![of_living.clone(), of_killed.clone()]), "nobody has swept yet");
    // It looks like one, and is none.
    let foreign = "payments-report".to_owned();
    fs::create_dir(scratch.path().join(&foreign)).expect("there is room");

    let (next, _) = run(payments(&scratch));
    next.wait_for_line(&format!("{of_killed}, which somebody has left behind"));
    assert_eq!(content(), sorted(vec![of_living, directory_of(&next), foreign.clone()]));
    for process in [living, next] {
        process.signal(Signal::TERM);
        assert_eq!(process.wait_for_exit().code(), Some(0));
    }
    assert_eq!(content(), [foreign]);
}

#[test]
fn the_audit_log_has_every_payment_and_every_receipt_after_a_stop() {
    const PAYMENTS: usize = 50;
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let audit_log = scratch.path().join("audit.log");
    let database = format!("sqlite://{}?mode=rwc", scratch.path().join("ledger.db").display());
    let start = || {
        // Receipts take their time: the stop comes when some are written and some are not.
        let program = payments(&scratch).env("AUDIT_LOG", &audit_log).env("DATABASE_URL", &database);
        run(program.env("RECEIPT_MS", "10"))
    };
    let (process, address) = start();
    assert_eq!(
        fs::metadata(&audit_log).map_err(|error| error.kind()).map(|file| file.len()),
        Ok::<_, ErrorKind>(0)
    );
    (0..PAYMENTS).for_each(|number| pay(address, &format!("p-{number}")));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));

    let lines = fs::read_to_string(&audit_log).expect("it can be read");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("each line is complete")).collect();
    let ids = |of: &str, id: &str| -> Vec<String> {
        let ids = lines.iter().filter_map(|line| line[of].pointer(id)?.as_str().map(ToOwned::to_owned));
        ids.collect()
    };
    let (paid, receipts) = (ids("payment", "/id"), ids("receipt", ""));
    println!("{} payments, {} receipts written before the stop", paid.len(), receipts.len());
    assert_eq!(paid, (0..PAYMENTS).map(|number| format!("p-{number}")).collect::<Vec<_>>());
    assert_eq!(receipts, paid[..receipts.len()], "in the order of the queue, each once");

    // The ledger agrees.
    let (process, address) = start();
    let totals = answered(connect(address).get("/payments")).json();
    assert_eq!((&totals["count"], &totals["receipts"]), (&json!(PAYMENTS), &json!(receipts.len())));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}
