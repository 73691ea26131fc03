//! Payments is stopped, cut off and killed again and again, under clients that do not give up. At the end, the ledger
//! is what was acknowledged, and every receipt was written, once in effect.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::harness::customers::{Closing, Random, Site, pay_until_closed};
use lifecycle_tests::harness::{examples, number_from_environment};
use rustix::process::Signal;

use crate::machine;
use crate::program::{PATIENCE, Process, Program, wait_for, wait_until};
use crate::scratch::Scratch;
use crate::servers::payers::Payers;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::service::{ledger, on_free_ports};

const CLIENTS: u64 = 4;

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Asked(Signal),
    /// Asked, with a deadline that payments under way cannot keep.
    CutOff,
    Killed,
}

impl End {
    fn random(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::Asked(Signal::TERM),
            1 => Self::Asked(Signal::INT),
            2 => Self::CutOff,
            _ => Self::Killed,
        }
    }

    /// A program of which the end is to come, with what it needs for that.
    fn prepare(self, program: Program) -> Program {
        match self {
            Self::CutOff => program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "100ms").env("PAYMENT_MS", "200"),
            Self::Asked(_) | Self::Killed => program.env("PAYMENT_MS", "10"),
        }
    }

    /// Ends the process, and judges how it ended. Its exit code.
    fn come(self, server: Process, round: u64) -> Option<i32> {
        // S1: the handlers are there before the first resource is, which is the log.
        let has_handlers = server.has_printed("");
        let signal = match self {
            Self::Asked(signal) => signal,
            Self::CutOff => Signal::TERM,
            Self::Killed => Signal::KILL,
        };
        server.signal(signal);
        let exit = server.wait_for_exit();
        let was_killed = exit.killed_by() == Some(signal.as_raw());
        let is_right = match (self, exit.code()) {
            (Self::Killed, _) => was_killed,
            (Self::Asked(_), Some(0)) | (Self::CutOff, Some(0 | 124)) => true,
            _ => !has_handlers && was_killed,
        };
        let how = (exit.code(), exit.killed_by());
        assert!(is_right, "round {round}: {self:?} ended the process with {how:?}:\n{}", exit.stdout());
        exit.code()
    }
}

#[test]
fn the_ledger_is_what_was_acknowledged_and_every_receipt_is_written() {
    let _machine = machine::shared();
    let rounds = number_from_environment("LIFECYCLE_TEST_ROUNDS", 200);
    // Built before anybody waits for it.
    examples::executable("payments");
    let mut random = Random::new();
    let (postgres, redis, payers) = (Postgres::start(), Redis::start(), Payers::start());
    let scratch = Scratch::new();
    let start = |end: End| {
        let program = on_free_ports(Program::example("payments"), &scratch);
        let program = program.env("DATABASE_URL", postgres.url()).env("REDIS_URL", redis.url());
        let program = program.env("RECEIPTS_URL", payers.url()).env("SETTLE_MS", "1000");
        end.prepare(program).spawn()
    };
    let (site, began) = (&Site::default(), Instant::now());
    let mut ends: HashMap<String, u64> = HashMap::new();

    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || pay_until_closed(site, client))).collect();
        let closing = Closing(site);
        for round in 0..rounds {
            let end = End::random(&mut random);
            let server = start(end);
            if random.below(5) > 0 {
                site.open_at(server.address());
                server.wait_for_line("running:");
                thread::sleep(Duration::from_millis(random.below(150)));
            } else {
                // In the midst of its start.
                thread::sleep(Duration::from_millis(random.below(60)));
            }
            let code = end.come(server, round);
            *ends.entry(format!("{end:?} → {code:?}")).or_default() += 1;
        }
        let last = End::Asked(Signal::TERM);
        let server = start(last);
        site.open_at(server.address());
        drop(closing);
        let acknowledged =
            clients.into_iter().flat_map(|client| client.join().expect("the client is content"));
        let acknowledged: HashMap<String, i64> = acknowledged.collect();
        assert!(acknowledged.len() as u64 > 2 * rounds, "too few to prove anything: {}", acknowledged.len());

        let receipts = "SELECT COUNT(*) FROM receipts WHERE written_at IS NULL";
        // What a worker has lost is due again when it has been owed for a quarter longer.
        let patience = PATIENCE + began.elapsed() / 4;
        wait_for(patience, "every receipt that is owed is written", || postgres.query(receipts) == "0");
        wait_until("the queue is empty", || redis.ask(&["LLEN", "payments:pending"]) == "0");
        last.come(server, rounds);

        assert_eq!(ledger(&postgres), acknowledged);
        let told = payers.told();
        for id in acknowledged.keys() {
            assert!(told.contains_key(id), "the receipt of {id} was never sent");
        }
        assert_eq!(told.len(), acknowledged.len());
        assert_eq!(postgres.query("SELECT COUNT(*) FROM receipts"), acknowledged.len().to_string());
        wait_until("no connection is left", || postgres.clients() == "0");
        assert_eq!(postgres.query("SELECT COUNT(*) FROM pg_prepared_xacts"), "0");
        let again = told.values().filter(|&&times| times > 1).count();
        println!(
            "{rounds} rounds in {:.1?}, {ends:?}: {} payments acknowledged, as many in the ledger; {again} receipts \
             were sent more than once, under the same key",
            began.elapsed(),
            acknowledged.len(),
        );
    });
}
