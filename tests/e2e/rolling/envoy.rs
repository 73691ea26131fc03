//! Behind Envoy, which asks `/readyz` and speaks HTTP/2 with the instances.

use std::time::Duration;

use super::{CLIENTS, INSTANCES, Site, ports, rolls};
use crate::health_check::HealthCheck;
use crate::load::Load;
use crate::machine;
use crate::program::wait_until;
use crate::servers::envoy::{Envoy, UPDATE_MERGE_WINDOW};

const CHECK: HealthCheck = HealthCheck { interval: Duration::from_millis(100), failures: 2, successes: 1 };

/// The delay includes the time for which Envoy keeps its findings to itself.
#[test]
fn twenty_rolling_restarts_lose_no_request() {
    let _machine = machine::shared();
    let site = Site::open(CHECK.drain_delay() + UPDATE_MERGE_WINDOW);
    let mut instances = site.start_all();
    let envoy = Envoy::start(CHECK, UPDATE_MERGE_WINDOW, &ports(&instances));
    let load = Load::start(&[envoy.address()], &CLIENTS);
    for roll in 0..rolls() {
        let place = roll % INSTANCES;
        site.restart(&mut instances, place);
        envoy.wait_until_up(instances[place].port);
    }
    site.assert_nothing_is_lost("Envoy, HTTP/2 to the instances", rolls(), &load.end());
}

/// What the delay is for: Envoy sends requests until two checks have failed, to a port that is closed.
#[test]
fn without_a_delay_requests_are_lost() {
    let _machine = machine::shared();
    let check = HealthCheck { interval: Duration::from_secs(1), ..CHECK };
    let site = Site::open(Duration::ZERO);
    let mut instances = site.start_all();
    let envoy = Envoy::start(check, UPDATE_MERGE_WINDOW, &ports(&instances));
    let load = Load::start(&[envoy.address()], &CLIENTS);
    instances.remove(0).stop(Duration::ZERO);
    wait_until("a request is lost", || load.lost() > 0);
    let tally = load.end();
    site.assert_something_is_lost("Envoy, no delay", 1, &tally);
    assert!(tally.lost.iter().all(|lost| lost.contains("status: 503")), "{:#?}", tally.lost);
}
