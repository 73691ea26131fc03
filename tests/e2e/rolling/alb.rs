//! Behind an Application Load Balancer of AWS, played twenty times as fast: a check every 10 s, two failures, a
//! deregistration delay of 30 s.

use std::time::Duration;

use super::{CLIENTS, INSTANCES, Instance, Site};
use crate::health_check::HealthCheck;
use crate::load::{Load, Tally};
use crate::machine;
use crate::played::alb::{Alb, Target};

const CHECK: HealthCheck = HealthCheck { interval: Duration::from_millis(500), failures: 2, successes: 2 };
const DEREGISTRATION_DELAY: Duration = Duration::from_millis(1_500);

/// The signal comes first, and the balancer has to find out.
#[test]
fn by_its_health_checks_no_request_is_lost() {
    let _machine = machine::shared();
    let site = Site::open(CHECK.drain_delay());
    let tally = deploy(&site, |alb, old| {
        let target = old.target();
        old.stop(site.drain_delay);
        alb.deregister(target);
    });
    site.assert_nothing_is_lost("ALB, health checks", INSTANCES, &tally);
}

/// As ECS does it.
#[test]
fn a_target_that_is_deregistered_first_needs_no_delay() {
    let _machine = machine::shared();
    let site = Site::open(Duration::ZERO);
    let tally = deploy(&site, |alb, old| {
        alb.deregister(old.target());
        old.stop(Duration::ZERO);
    });
    site.assert_nothing_is_lost("ALB, deregistered first", INSTANCES, &tally);
}

#[test]
fn without_a_delay_requests_are_lost() {
    let _machine = machine::shared();
    let site = Site::open(Duration::ZERO);
    let tally = deploy(&site, |alb, old| {
        let target = old.target();
        old.stop(Duration::ZERO);
        alb.wait_until_unhealthy(target);
        alb.deregister(target);
    });
    site.assert_something_is_lost("ALB, no delay", INSTANCES, &tally);
}

/// Replaces every instance: first there is a new one that is healthy, then the old one goes.
#[track_caller]
fn deploy(site: &Site, mut replace: impl FnMut(&Alb, Instance)) -> Tally {
    let alb = Alb::start(CHECK, DEREGISTRATION_DELAY);
    let instances = site.start_all();
    for instance in &instances {
        alb.register(instance.target());
    }
    let load = Load::start(&[alb.address()], &CLIENTS);
    let mut fleet: Vec<Instance> = Vec::new();
    for old in instances {
        let new = site.start_anywhere();
        alb.register(new.target());
        fleet.push(new);
        replace(&alb, old);
    }
    load.end()
}

impl Instance {
    fn target(&self) -> Target {
        Target { address: self.address(), probe: self.probe() }
    }
}
