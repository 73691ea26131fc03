//! On a Docker swarm, behind HAProxy. The swarm and HAProxy know nothing of each other: all that takes requests away
//! from a task that is going is the check of `/readyz`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{CLIENTS, RESERVES, Site, rolls};
use crate::health_check::HealthCheck;
use crate::load::Load;
use crate::program::wait_until;
use crate::servers::docker::IMAGE;
use crate::servers::haproxy::HaProxy;
use crate::servers::swarm::Swarm;
use crate::{examples, machine, path};

const QUICK: HealthCheck = HealthCheck { interval: Duration::from_millis(100), failures: 2, successes: 1 };

/// Where each task of `examples/deploy/stack.yaml` serves, and is probed.
const PORT: u16 = 8080;
const PROBE: u16 = 8081;

/// How many tasks there are where one engine has them all.
const TASKS: u16 = 2;

const NODES: u8 = 3;

const STACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/deploy/stack.yaml");

#[test]
fn rolling_updates_lose_no_request() {
    let _machine = machine::shared();
    let swarm = Swarm::start(1, examples::executable("payments"));
    let site = Site::open(QUICK.drain_delay());
    let haproxy = create_service(&swarm, &site, QUICK);
    let load = Load::start(&[haproxy.address()], &CLIENTS);
    let updates = rolls().div_ceil(usize::from(TASKS));
    for _ in 0..updates {
        swarm.roll("payments");
    }
    let tally = load.end();
    swarm.assert_clean_ends();
    site.assert_nothing_is_lost("swarm, one engine", updates * usize::from(TASKS), &tally);
}

/// What the delay is for, with checks that take two seconds to notice.
#[test]
fn without_a_delay_requests_are_lost() {
    let _machine = machine::shared();
    let swarm = Swarm::start(1, examples::executable("payments"));
    let site = Site::open(Duration::ZERO);
    let check = HealthCheck { interval: Duration::from_secs(1), failures: 2, successes: 1 };
    let haproxy = create_service(&swarm, &site, check);
    let load = Load::start(&[haproxy.address()], &CLIENTS);
    swarm.roll("payments");
    wait_until("a request is lost", || load.lost() > 0);
    site.assert_something_is_lost("swarm, one engine, no delay", usize::from(TASKS), &load.end());
}

/// By `examples/deploy/stack.yaml`: every node is updated, twice; then one is drained, and taken back; then comes a
/// version that does not start (exit code 78), and is rolled back.
#[test]
fn on_three_nodes_no_request_is_lost() {
    let _machine = machine::shared();
    let swarm = Swarm::start(NODES, examples::executable("payments"));
    let site = Site::open(QUICK.drain_delay());
    let haproxy = deploy_stack(&swarm, &site);
    let load = Load::start(&[haproxy.address()], &CLIENTS);
    for _ in 0..2 {
        swarm.roll("lifecycle_payments");
    }
    swarm.make(2, "drain");
    swarm.wait_for_containers(2, 0);
    load.wait_for(200);
    swarm.make(2, "active");
    haproxy.wait_until_up(2);
    load.wait_for(200);
    swarm.assert_clean_ends();
    swarm.fail_to_roll("lifecycle_payments", "LIFECYCLE_DRAIN_DELAY=soon");
    load.wait_for(200);
    let tally = load.end();
    assert!(swarm.exit_codes().contains(&"78".to_owned()), "no task refused its variable");
    site.assert_nothing_is_lost(
        "swarm, three nodes, one of them drained",
        2 * usize::from(NODES) + 1,
        &tally,
    );
}

/// What a dead node was about to answer cannot be answered. HAProxy sends it more until two checks have failed: for
/// half a second, or five if a check was under way. What was sent to it hangs for longer than that, since nobody says
/// that it is dead. A client whose request hangs sends no other. So each client has one request cut at the most, and
/// everything else is answered. Those that keep their connection repeat it, as HTTP/1 has it, and with the same id.
#[test]
fn a_node_that_dies_takes_one_request_of_each_client_at_the_most() {
    let _machine = machine::shared();
    let mut swarm = Swarm::start(NODES, examples::executable("payments"));
    let site = Site::open(QUICK.drain_delay());
    // PostgreSQL does not see either that a client is dead. What its last transaction has inserted keeps others waiting.
    site.postgres.query("ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '1s'");
    let haproxy = deploy_stack(&swarm, &site);
    let load = Load::start(&[haproxy.address()], &CLIENTS);
    load.wait_for(200);
    assert_eq!(load.lost(), 0, "requests are lost before the node is");
    swarm.kill_node(2);
    haproxy.wait_until_down(2);
    haproxy.give_up(2);
    load.wait_for(200);
    let tally = load.end();
    println!("swarm, a node dies: {}", tally.figures());
    let clients: usize = CLIENTS.iter().map(|(_, count)| count).sum();
    let cut = tally.lost.len() + usize::try_from(tally.repeated).expect("it is a small number");
    assert!(cut <= clients, "{cut} requests were cut, of {clients} clients");
    site.assert_ledger(&tally);
}

/// A task on each node, behind HAProxy.
#[track_caller]
fn deploy_stack(swarm: &Swarm, site: &Site) -> HaProxy {
    let (database, redis) = site.seen_from(swarm.machine());
    let variables = [
        ("DATABASE_URL", database),
        ("REDIS_URL", redis),
        ("DRAIN_DELAY", format!("{}ms", site.drain_delay.as_millis())),
        ("UPDATE_DELAY", "1s".to_owned()),
    ];
    let deploy = ["stack", "deploy", "--resolve-image", "never", "--compose-file", STACK, "lifecycle"];
    swarm.manager().run_with(&deploy, &variables);
    let nodes = swarm.addresses().into_iter();
    let servers: Vec<_> = nodes.map(|node| (SocketAddr::from((node, PORT)), PROBE)).collect();
    HaProxy::in_front_of(QUICK, &servers)
}

/// Two tasks on the only engine, each on ports of its own, behind HAProxy.
#[track_caller]
fn create_service(swarm: &Swarm, site: &Site, check: HealthCheck) -> HaProxy {
    let (database, redis) = site.seen_from(swarm.machine());
    let shutdown_timeout = 2 * site.drain_delay + RESERVES;
    let environment = [
        "HOST=0.0.0.0".to_owned(),
        "PORT=808{{.Task.Slot}}".to_owned(),
        "LIFECYCLE_PROBE_ADDR=0.0.0.0:809{{.Task.Slot}}".to_owned(),
        format!("LIFECYCLE_DRAIN_DELAY={}ms", site.drain_delay.as_millis()),
        format!("LIFECYCLE_SHUTDOWN_TIMEOUT={}ms", shutdown_timeout.as_millis()),
        "LIFECYCLE_GRACE_PERIOD=30s".to_owned(),
        format!("DATABASE_URL={database}"),
        format!("REDIS_URL={redis}"),
        "PAYMENT_MS=5".to_owned(),
    ];
    let mut create = vec!["service", "create", "--detach", "--quiet", "--name", "payments"];
    create.extend([
        "--network",
        "host",
        "--no-resolve-image",
        "--replicas",
        "2",
        "--stop-grace-period",
        "30s",
    ]);
    create.extend(["--update-order", "stop-first", "--update-delay", "0s", "--update-monitor", "1s"]);
    environment.iter().for_each(|variable| create.extend(["--env", variable]));
    create.push(IMAGE);
    swarm.manager().run(&create);
    let [node] = swarm.addresses()[..] else { panic!("it is for one engine") };
    let servers: Vec<_> = (1..=TASKS).map(|slot| ((node, 8080 + slot).into(), 8090 + slot)).collect();
    HaProxy::in_front_of(check, &servers)
}

impl Site {
    /// The URLs of PostgreSQL and Redis, from a network on which this machine has another address.
    fn seen_from(&self, machine: Ipv4Addr) -> (String, String) {
        (by_way_of(machine, &self.postgres.url()), by_way_of(machine, &self.redis.url()))
    }
}

/// The URL of a server on this machine, by way of another address.
#[track_caller]
fn by_way_of(machine: Ipv4Addr, url: &str) -> String {
    let port = url.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next()?.parse::<u16>().ok());
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("the URL has a port")));
    let path = path::path_from(machine, server, Duration::ZERO);
    url.replace(&server.to_string(), &path.to_string())
}

impl Swarm {
    /// Asserts that payments ended by itself in every container that is known to have ended.
    #[track_caller]
    fn assert_clean_ends(&self) {
        let codes = self.exit_codes();
        assert!(!codes.is_empty(), "no container has ended");
        assert!(codes.iter().all(|code| code == "0"), "exit codes: {codes:?}");
    }
}
