//! Behind HAProxy, which asks `/readyz`.

use std::thread;
use std::time::Duration;

use lifecycle_tests::harness::http::connect;
use rustix::process::Signal;

use super::{CLIENTS, INSTANCES, Site, ports, rolls};
use crate::health_check::HealthCheck;
use crate::load::{Connections, Load, Work};
use crate::machine;
use crate::program::wait_until;
use crate::servers::haproxy::HaProxy;

#[test]
fn twenty_rolling_restarts_lose_no_request() {
    let _machine = machine::shared();
    let check = HealthCheck { interval: Duration::from_millis(100), failures: 2, successes: 1 };
    roll("HAProxy", HaProxy::start, check, rolls());
}

/// Two instances, with as many requests as one machine can be asked for. A slow one has to give three
/// quarters of what it gives undisturbed.
#[test]
fn under_2000_requests_a_second_rolling_restarts_lose_no_request() {
    let _machine = machine::alone();
    let check = HealthCheck { interval: Duration::from_millis(100), failures: 1, successes: 1 };
    let site = Site::open(check.drain_delay());
    let mut instances = vec![site.start_anywhere(), site.start_anywhere()];
    let haproxy = HaProxy::start(check, &ports(&instances));
    let clients = [(Connections::KeepAlive, 12), (Connections::Fresh, 4)];
    let begin = || Load::of(Work::Quick, &[haproxy.address()], &clients);
    // What this machine has to give while nobody restarts.
    let load = begin();
    load.wait_for(4_000);
    let undisturbed = load.end();
    site.assert_nothing_is_lost("HAProxy, two instances, undisturbed", 0, &undisturbed);

    let load = begin();
    for roll in 0..rolls() {
        let place = roll % instances.len();
        site.restart(&mut instances, place);
        haproxy.wait_until_up(place);
    }
    let tally = load.end();
    site.assert_nothing_is_lost("HAProxy, two instances", rolls(), &tally);
    let expected = 2_000_f64.min(0.75 * undisturbed.rate());
    assert!(tally.rate() >= expected, "only {:.0} requests a second, and not {expected:.0}", tally.rate());
}

/// Three seconds, three failures: the delay is 10 s.
#[test]
fn with_slow_checks_the_delay_is_long_and_no_request_is_lost() {
    let _machine = machine::shared();
    let check = HealthCheck { interval: Duration::from_secs(3), failures: 3, successes: 2 };
    roll("HAProxy, inter 3s fall 3 rise 2", HaProxy::start, check, INSTANCES);
}

#[test]
fn over_http2_rolling_restarts_lose_no_request() {
    let _machine = machine::shared();
    let check = HealthCheck { interval: Duration::from_millis(100), failures: 2, successes: 1 };
    roll("HAProxy, HTTP/2 to the instances", HaProxy::over_http2, check, 2 * INSTANCES);
}

#[track_caller]
fn roll(what: &str, start: fn(HealthCheck, &[(u16, u16)]) -> HaProxy, check: HealthCheck, rolls: usize) {
    let site = Site::open(check.drain_delay());
    let mut instances = site.start_all();
    let haproxy = start(check, &ports(&instances));
    let load = Load::start(&[haproxy.address()], &CLIENTS);
    for roll in 0..rolls {
        let place = roll % INSTANCES;
        site.restart(&mut instances, place);
        haproxy.wait_until_up(place);
    }
    site.assert_nothing_is_lost(what, rolls, &load.end());
}

/// What the delay is for: HAProxy sends requests until two checks have failed, to a port that is closed.
#[test]
fn without_a_delay_requests_are_lost() {
    let _machine = machine::shared();
    let check = HealthCheck { interval: Duration::from_secs(1), failures: 2, successes: 1 };
    let site = Site::open(Duration::ZERO);
    let mut instances = site.start_all();
    let haproxy = HaProxy::start(check, &ports(&instances));
    let load = Load::start(&[haproxy.address()], &CLIENTS);
    instances.remove(0).stop(Duration::ZERO);
    wait_until("a request is lost", || load.lost() > 0);
    site.assert_something_is_lost("HAProxy, no delay", 1, &load.end());
}

/// A server is marked down during its drain delay. What it is still answering is cut, or is answered.
#[test]
fn sessions_that_are_cut_when_a_server_is_marked_down_lose_requests() {
    let _machine = machine::shared();
    assert_ne!(answer_of_one_that_is_marked_down(HaProxy::cutting), Some(200));
    assert_eq!(answer_of_one_that_is_marked_down(HaProxy::start), Some(200));
}

/// The status that the client of a long request gets, if any.
#[track_caller]
fn answer_of_one_that_is_marked_down(start: fn(HealthCheck, &[(u16, u16)]) -> HaProxy) -> Option<u16> {
    let check = HealthCheck { interval: Duration::from_millis(100), failures: 2, successes: 1 };
    let site = Site::open(check.drain_delay());
    let instance = site.start_anywhere();
    let haproxy = start(check, &ports(std::slice::from_ref(&instance)));
    let address = haproxy.address();
    let request = thread::spawn(move || connect(address).get("/slow?ms=4000").ok().map(|it| it.status));
    wait_until("a request is under way", || {
        let status = connect(instance.probe()).get("/status");
        status.is_ok_and(|status| status.body.contains("\"requests\":1"))
    });
    instance.process.signal(Signal::TERM);
    haproxy.wait_until_down(0);
    let answer = request.join().expect("the client does not panic");
    instance.process.wait_for_exit();
    answer
}
