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

/// What a `strategy` decides: by the manifest that `lifecycle doctor` complains of, and by the right one. The node hears
/// of every change at once.
#[test]
fn pods_that_all_end_first_leave_a_time_when_nothing_answers() {
    let _machine = machine::shared();
    let [wrong, right] = pair("recreate", "yaml");
    // A ledger for each load.
    let open = || {
        let site = Site::open(Duration::from_secs(1));
        let pods = vec![site.start_anywhere(), site.start_anywhere()];
        (site, pods)
    };

    assert!(text(&wrong).contains("strategy: { type: Recreate }"));
    let (site, old) = open();
    let (service, load) = serve(&old, &[Duration::ZERO]);
    old.iter().for_each(|pod| service.remove(pod.address()).wait());
    old.into_iter().for_each(|pod| pod.stop(site.drain_delay));
    wait_until("a request is lost", || load.lost() > 0);
    site.assert_something_is_lost("Kubernetes, Recreate", 2, &load.end());

    assert!(text(&right).contains("strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }"));
    let (site, old) = open();
    let tally = roll(&site, old, &[Duration::ZERO]);
    site.assert_nothing_is_lost("Kubernetes, RollingUpdate", 2, &tally);
}

/// Replaces every pod. The nodes hear of it in their time.
#[track_caller]
fn deploy(site: &Site) -> Tally {
    roll(site, site.start_all(), &[Duration::ZERO, LAG / 2, LAG])
}

/// As a rolling update with `maxSurge: 1` and `maxUnavailable: 0`.
#[track_caller]
fn roll(site: &Site, pods: Vec<Instance>, lags: &[Duration]) -> Tally {
    let (service, load) = serve(&pods, lags);
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

/// A service of these pods, and a load on it.
fn serve(pods: &[Instance], lags: &[Duration]) -> (Service, Load) {
    let addresses: Vec<_> = pods.iter().map(Instance::address).collect();
    let service = Service::start(&addresses, lags);
    let load = Load::start(&service.nodes(), &CLIENTS);
    (service, load)
}
