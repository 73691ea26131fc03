//! The example `grpc`, restarted under clients that keep one channel each and repeat no call.

use std::time::Duration;

use super::{INSTANCES, Instance, RESERVES, ports};
use crate::calls::Calls;
use crate::health_check::HealthCheck;
use crate::machine;
use crate::program::{Program, wait_until};
use crate::servers::envoy::Envoy;
use crate::servers::free_port;

const CLIENTS: usize = 4;

const ROLLS: usize = 2 * INSTANCES;

const CHECK: HealthCheck = HealthCheck { interval: Duration::from_millis(100), failures: 2, successes: 1 };

/// Fewer calls for each roll would mean nothing.
const FEWEST_PER_ROLL: u64 = 50;

/// Envoy acts on its findings at once.
#[test]
fn through_envoy_no_call_is_lost_and_streams_end_with_their_status() {
    let _machine = machine::shared();
    let delay = CHECK.drain_delay();
    let mut instances = start_all(delay);
    let envoy = Envoy::start(CHECK, Duration::ZERO, &ports(&instances));
    let calls = Calls::through(envoy.address(), CLIENTS);
    for roll in 0..ROLLS {
        let place = roll % INSTANCES;
        restart(&mut instances, place, delay);
        envoy.wait_until_up(instances[place].port);
    }
    let streams = assert_nothing_is_lost("gRPC through Envoy", calls);
    assert!(streams > 0, "no stream met the end of a server");
}

/// What the delay is for: Envoy goes on calling at a port that is closed.
#[test]
fn through_envoy_without_a_delay_calls_are_lost() {
    let _machine = machine::shared();
    let check = HealthCheck { interval: Duration::from_secs(1), ..CHECK };
    let mut instances = start_all(Duration::ZERO);
    let envoy = Envoy::start(check, Duration::ZERO, &ports(&instances));
    let calls = Calls::through(envoy.address(), CLIENTS);
    calls.wait_for(FEWEST_PER_ROLL);
    instances.remove(0).stop(Duration::ZERO);
    wait_until("a call is lost", || calls.lost() > 0);
}

/// Nobody in between: the clients watch the health of the servers, which say that they are draining as soon as they
/// are. The delay is for the news to arrive.
#[test]
fn with_clients_that_watch_the_health_no_call_is_lost() {
    let _machine = machine::shared();
    let delay = Duration::from_secs(1);
    let mut instances = start_all(delay);
    let addresses: Vec<_> = instances.iter().map(Instance::address).collect();
    let calls = Calls::among(&addresses, CLIENTS);
    calls.wait_until_heard(INSTANCES * CLIENTS);
    calls.wait_for(FEWEST_PER_ROLL);
    for roll in 0..ROLLS {
        restart(&mut instances, roll % INSTANCES, delay);
        calls.wait_until_heard((INSTANCES + roll + 1) * CLIENTS);
    }
    assert_nothing_is_lost("gRPC, clients that watch the health", calls);
}

/// Starts an instance, and waits until it is ready.
#[track_caller]
fn start(port: u16, probe: u16, drain_delay: Duration) -> Instance {
    let shutdown_timeout = 2 * drain_delay + RESERVES;
    let process = Program::example("grpc")
        .env("PORT", port.to_string())
        .env("LIFECYCLE_PROBE_ADDR", format!("127.0.0.1:{probe}"))
        .env("LIFECYCLE_DRAIN_DELAY", format!("{}ms", drain_delay.as_millis()))
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", format!("{}ms", shutdown_timeout.as_millis()))
        .spawn();
    process.wait_for_line("running: everything was acquired");
    Instance { process, port, probe }
}

#[track_caller]
fn start_all(drain_delay: Duration) -> Vec<Instance> {
    (0..INSTANCES).map(|_| start(free_port(), free_port(), drain_delay)).collect()
}

/// Stops an instance and starts it anew, where it was.
#[track_caller]
fn restart(instances: &mut Vec<Instance>, place: usize, drain_delay: Duration) {
    let Instance { port, probe, .. } = instances[place];
    instances.remove(place).stop(drain_delay);
    instances.insert(place, start(port, probe, drain_delay));
}

/// Asserts that there was a real load, and that no call was lost. How many streams ended as they should.
#[track_caller]
fn assert_nothing_is_lost(what: &str, calls: Calls) -> u64 {
    let (answered, streams, lost) = calls.end();
    println!("{what}: {ROLLS} rolls; {answered} calls answered, {streams} streams; {} lost", lost.len());
    assert!(lost.is_empty(), "lost: {lost:#?}");
    let fewest = ROLLS as u64 * FEWEST_PER_ROLL;
    assert!(answered >= fewest, "only {answered} calls were answered");
    streams
}
