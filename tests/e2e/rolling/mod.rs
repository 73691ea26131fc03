//! Rolling deployments of payments: three instances with one PostgreSQL and one Redis, stopped and started again one
//! after the other behind a load balancer, under a load that must not notice.

mod alb;
mod envoy;
mod grpc;
mod haproxy;
mod kubernetes;
mod nginx;
mod swarm;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use lifecycle_tests::harness::number_from_environment;
use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::Signal;

use crate::load::{Connections, Tally};
use crate::program::{Process, Program};
use crate::servers::free_port;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::service::ledger;

const INSTANCES: usize = 3;

/// What the reserves of payments take, on the longest path, with something to spare.
pub(crate) const RESERVES: Duration = Duration::from_secs(10);

const CLIENTS: [(Connections, usize); 2] = [(Connections::KeepAlive, 4), (Connections::Fresh, 4)];

/// Fewer requests for each roll would mean nothing.
const FEWEST_PER_ROLL: u64 = 50;

/// How many rolls there are in a long test.
fn rolls() -> usize {
    usize::try_from(number_from_environment("LIFECYCLE_TEST_ROLLS", 20)).expect("nobody waits for so many")
}

/// What all instances share.
struct Site {
    postgres: Postgres,
    redis: Redis,
    /// For the temporary files of the instances.
    scratch: Scratch,
    drain_delay: Duration,
}

impl Site {
    #[track_caller]
    fn open(drain_delay: Duration) -> Self {
        Self { postgres: Postgres::start(), redis: Redis::start(), scratch: Scratch::new(), drain_delay }
    }

    /// Starts an instance, and waits until it is ready.
    #[track_caller]
    fn start(&self, port: u16, probe: u16) -> Instance {
        // The delay is half of what the reserves leave, at the most.
        let shutdown_timeout = 2 * self.drain_delay + RESERVES;
        let process = Program::example("payments")
            .env("PORT", port.to_string())
            .env("LIFECYCLE_PROBE_ADDR", format!("127.0.0.1:{probe}"))
            .env("LIFECYCLE_DRAIN_DELAY", format!("{}ms", self.drain_delay.as_millis()))
            .env("LIFECYCLE_SHUTDOWN_TIMEOUT", format!("{}ms", shutdown_timeout.as_millis()))
            .env("DATABASE_URL", self.postgres.url())
            .env("REDIS_URL", self.redis.url())
            .env("TMPDIR", self.scratch.path())
            .env("PAYMENT_MS", "5")
            .spawn();
        process.wait_for_line("running: everything was acquired");
        Instance { process, port, probe }
    }

    #[track_caller]
    fn start_anywhere(&self) -> Instance {
        self.start(free_port(), free_port())
    }

    #[track_caller]
    fn start_all(&self) -> Vec<Instance> {
        (0..INSTANCES).map(|_| self.start_anywhere()).collect()
    }

    /// Stops an instance and starts it anew, where it was.
    #[track_caller]
    fn restart(&self, instances: &mut Vec<Instance>, place: usize) {
        let Instance { port, probe, .. } = instances[place];
        instances.remove(place).stop(self.drain_delay);
        instances.insert(place, self.start(port, probe));
    }

    /// Every payment that a client was told of is in the ledger, and nothing else.
    #[track_caller]
    fn assert_ledger(&self, tally: &Tally) {
        let mut ledger = ledger(&self.postgres);
        ledger.retain(|id, _| !tally.unknown.contains(id));
        let missing: Vec<_> =
            tally.charged.iter().filter(|(id, amount)| ledger.get(*id) != Some(amount)).collect();
        assert!(missing.is_empty(), "the ledger lacks {missing:?}");
        let unasked: Vec<_> = ledger.iter().filter(|(id, _)| !tally.charged.contains_key(*id)).collect();
        assert!(unasked.is_empty(), "the ledger has {unasked:?}");
    }

    /// Asserts that there was a real load, and that no request was lost.
    #[track_caller]
    fn assert_nothing_is_lost(&self, what: &str, rolls: usize, tally: &Tally) {
        println!("{what}: {rolls} rolls; {}", tally.figures());
        assert!(tally.lost.is_empty(), "lost: {:#?}", tally.lost);
        assert_eq!(tally.repeated, 0, "connections were closed under a request");
        let fewest = rolls as u64 * FEWEST_PER_ROLL;
        assert!(tally.answered >= fewest, "only {} requests were answered", tally.answered);
        self.assert_ledger(tally);
    }

    /// Asserts that clients have noticed.
    #[track_caller]
    fn assert_something_is_lost(&self, what: &str, rolls: usize, tally: &Tally) {
        println!("{what}: {rolls} rolls; {}", tally.figures());
        assert!(!tally.lost.is_empty(), "no request was lost: would this test notice?");
        self.assert_ledger(tally);
    }
}

/// One process of payments.
struct Instance {
    process: Process,
    port: u16,
    probe: u16,
}

impl Instance {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn probe(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.probe).into()
    }

    /// Stops it as a deployment does, and waits for its clean end, which comes after the drain delay.
    #[track_caller]
    fn stop(self, drain_delay: Duration) {
        let asked = Instant::now();
        self.process.signal(Signal::TERM);
        let exit = self.process.wait_for_exit();
        assert_eq!(exit.code(), Some(0), "{}", exit.stdout());
        let took = exit.at.duration_since(asked);
        assert!(took >= drain_delay, "it ended after {took:?}, and was to wait for {drain_delay:?}");
    }
}

/// The ports of each: where it serves, and where it is probed.
fn ports(instances: &[Instance]) -> Vec<(u16, u16)> {
    instances.iter().map(|instance| (instance.port, instance.probe)).collect()
}
