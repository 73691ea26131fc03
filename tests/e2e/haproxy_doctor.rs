//! What `lifecycle doctor` says of a balancer, played by HAProxy with the backend that it complains of, and the right one.

use std::net::SocketAddr;
use std::thread;

use rustix::process::Signal;

use crate::http::{answered, connect};
use crate::machine;
use crate::pairs::{pair, text, value};
use crate::program::wait_until;
use crate::servers::haproxy::HaProxy;
use crate::service::{Payments, Setup};

/// HAProxy with the backend of a file, whose servers are on this machine.
#[track_caller]
fn haproxy(file: &str, servers: &[&Payments]) -> HaProxy {
    let all = text(file);
    let (settings, _) = all.split_once("    server ").expect("it has servers");
    let asks_probe = settings.contains(" port 8081");
    let mut backend = settings.replace(" port 8081", "");
    for (place, payments) in servers.iter().enumerate() {
        let port = payments.probe_address().port();
        let probe = if asks_probe { format!("port {port}") } else { String::new() };
        backend += &format!("    server s{place} {} {probe}\n", payments.process.address());
    }
    HaProxy::with(&backend)
}

fn status(address: SocketAddr) -> u16 {
    answered(connect(address).get("/")).status
}

#[test]
fn a_check_that_asks_the_port_of_the_application_never_passes() {
    let _machine = machine::shared();
    let payments = Setup::new().run();
    // The application itself is well.
    assert_eq!(status(payments.process.address()), 200);
    let [wrong, right] = pair("probe-elsewhere", "cfg").map(|file| haproxy(&file, &[&payments]));
    right.wait_for_check(0, "L7OK");
    wrong.wait_for_check(0, "L7STS");
    wrong.wait_until_down(0);
    assert_eq!(status(wrong.address()), 503);
    assert_eq!(status(right.address()), 200);
}

/// One of two servers is stopped. The other one could answer everything.
#[test]
fn a_check_that_passes_until_the_listener_is_closed_loses_requests() {
    let _machine = machine::shared();
    let lost = |file: &str| {
        let delay = value("check-passes/shop.service", "LIFECYCLE_DRAIN_DELAY=").expect("it is there");
        let start = || Setup::new().env("LIFECYCLE_DRAIN_DELAY", &delay).run();
        let (stopped, other) = (start(), start());
        let haproxy = haproxy(file, &[&stopped, &other]);
        (0..2).for_each(|place| haproxy.wait_for_check(place, "L7OK"));
        stopped.process.signal(Signal::TERM);
        // By turns, each server gets a request, as long as it is up.
        let mut lost = 0;
        wait_until("HAProxy has noticed the end", || {
            lost += u32::from(status(haproxy.address()) != 200);
            stopped.process.has_ended() && haproxy.is_down(0)
        });
        lost
    };
    let [wrong, right] = &pair("check-passes", "cfg");
    let (wrong, right) = thread::scope(|scope| {
        let wrong = scope.spawn(|| lost(wrong));
        let right = lost(right);
        (wrong.join().expect("it does not panic"), right)
    });
    println!("{wrong} requests lost, and {right}");
    assert_ne!(wrong, 0);
    assert_eq!(right, 0);
}
