//! Behind a Service of Kubernetes. A pod is asked to go at the same moment as its endpoint is removed, and nodes hear
//! of that later than the pod.

use std::time::Duration;

use super::{CLIENTS, INSTANCES, Instance, Site};
use crate::load::{Load, Tally};
use crate::machine;
use crate::pairs::{pair, text};
use crate::played::kubernetes::Service;
use crate::program::wait_until;

/// The nodes hear of a change at once, after half of this time, and after all of it.
const LAG: Duration = Duration::from_secs(1);

#[test]
fn with_a_delay_longer_than_the_lag_no_request_is_lost() {
    let _machine = machine::shared();
    let site = Site::open(LAG + Duration::from_secs(1));
    let tally = deploy(&site);
    site.assert_nothing_is_lost("Kubernetes", INSTANCES, &tally);
}

/// The pod has long gone when the last node hears of it.
#[test]
fn without_a_delay_requests_are_lost() {
    let _machine = machine::shared();
    let site = Site::open(Duration::ZERO);
    let tally = deploy(&site);
    site.assert_something_is_lost("Kubernetes, no delay", INSTANCES, &tally);
}

/// What a `strategy` decides, by what `lifecycle doctor` complains of, and by what is right.
#[test]
fn pods_that_all_end_first_leave_a_time_when_nothing_answers() {
    let _machine = machine::shared();
    let site = Site::open(LAG + Duration::from_secs(1));
    let [wrong, right] = pair("recreate", "yaml");
    assert!(text(&wrong).contains("strategy: { type: Recreate }"));
    let pods = [site.start_anywhere(), site.start_anywhere()];
    let service = Service::start(&pods.each_ref().map(Instance::address), &[Duration::ZERO]);
    let load = Load::start(&service.nodes(), &CLIENTS);
    for pod in &pods {
        service.remove(pod.address()).wait();
    }
    pods.into_iter().for_each(|pod| pod.stop(site.drain_delay));
    wait_until("a request is lost", || load.lost() > 0);
    site.assert_something_is_lost("Kubernetes, Recreate", 2, &load.end());

    assert!(text(&right).contains("strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }"));
    let site = Site::open(LAG + Duration::from_secs(1));
    site.assert_nothing_is_lost("Kubernetes, RollingUpdate", INSTANCES, &deploy(&site));
}

/// Replaces every pod, as a rolling update with `maxSurge: 1` and `maxUnavailable: 0`.
#[track_caller]
fn deploy(site: &Site) -> Tally {
    let pods = site.start_all();
    let addresses: Vec<_> = pods.iter().map(Instance::address).collect();
    let service = Service::start(&addresses, &[Duration::ZERO, LAG / 2, LAG]);
    let load = Load::start(&service.nodes(), &CLIENTS);
    let mut fleet: Vec<Instance> = Vec::new();
    for old in pods {
        let new = site.start_anywhere();
        service.add(new.address());
        fleet.push(new);
        let removed = service.remove(old.address());
        old.stop(site.drain_delay);
        removed.wait();
    }
    load.end()
}
