//! The manifests of `examples/kubernetes`, played on this machine with shorter times: a kubelet that polls the probes,
//! runs the hook, sends SIGTERM and would send SIGKILL, and endpoints that hear of the deletion late.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{get, get_until};
use crate::process::{Process, start_program};

/// For how long traffic still comes after the pod was asked to go.
const ENDPOINTS_LAG: Duration = Duration::from_millis(700);

/// A drain delay, or a hook, that is longer than that.
const DELAY: &str = "3s";

const GRACE_PERIOD: Duration = Duration::from_secs(12);

enum Hook {
    None,
    /// The kubelet waits for so long.
    Sleep(Duration),
    /// It asks `/prestop`.
    Get,
}

#[test]
fn without_a_hook_the_drain_delay_loses_no_request() {
    play(&[("LIFECYCLE_DRAIN_DELAY", DELAY), ("LIFECYCLE_GRACE_PERIOD", "12s")], &Hook::None);
}

#[test]
fn a_hook_that_sleeps_loses_no_request() {
    let variables = [("LIFECYCLE_DRAIN_DELAY", "0s"), ("LIFECYCLE_GRACE_PERIOD", "9s")];
    play(&variables, &Hook::Sleep(Duration::from_secs(3)));
}

#[test]
fn a_hook_on_prestop_loses_no_request_and_the_delay_is_not_repeated() {
    let variables = [("LIFECYCLE_DRAIN_DELAY", DELAY), ("LIFECYCLE_GRACE_PERIOD", "9s")];
    let took = play(&variables, &Hook::Get);
    assert!(took < Duration::from_millis(5_900), "deletion took {took:?}");
}

#[test]
fn every_manifest_asks_what_each_probe_is_for() {
    for manifest in ["defaults", "prestop-sleep", "prestop-http"] {
        let file = format!("{}/../examples/kubernetes/{manifest}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("cannot read {file}: {error}"));
        let probes =
            [("startupProbe", "/startupz"), ("readinessProbe", "/servingz"), ("livenessProbe", "/livez")];
        for (probe, path) in probes {
            let after = text.split(&format!("{probe}:")).nth(1).unwrap_or_default();
            let asks = after.lines().nth(1).unwrap_or_default().trim();
            assert_eq!(asks, format!("httpGet: {{ path: {path}, port: probe }}"), "{manifest}, {probe}");
        }
    }
}

/// Runs a pod, sends it traffic, deletes it; how long the deletion took.
#[track_caller]
fn play(variables: &[(&str, &str)], hook: &Hook) -> Duration {
    let pod = start_program(env!("CARGO_BIN_EXE_pod"), variables);
    let (probe, web) = (pod.probe(), pod.web());
    get_until(probe, "/startupz", |answer| answer.code == 200);
    get_until(probe, "/servingz", |answer| answer.code == 200);
    let is_routed = Arc::new(AtomicBool::new(true));
    let traffic = thread::spawn({
        let is_routed = Arc::clone(&is_routed);
        move || send_traffic(web, &is_routed)
    });
    let kubelet = thread::spawn({
        let is_routed = Arc::clone(&is_routed);
        move || poll_readiness(probe, &is_routed)
    });
    let deleted = Instant::now();
    let endpoints = thread::spawn(move || {
        // The time that it takes is what is played here.
        thread::sleep(ENDPOINTS_LAG);
        is_routed.store(false, Ordering::Relaxed);
    });
    match hook {
        Hook::None => {}
        Hook::Sleep(time) => thread::sleep(*time),
        Hook::Get => assert_eq!(get(probe, "/prestop").code, 200),
    }
    assert_eq!(get(probe, "/livez").code, 200);
    pod.signal(Signal::TERM);
    let took = end(pod, deleted);
    assert!(endpoints.join().is_ok());
    let Ok(requests) = traffic.join() else { panic!("a request was lost") };
    assert!(requests > 100, "{requests} requests are no traffic");
    assert!(kubelet.join().is_ok(), "the pod was said not to serve, and traffic still came");
    took
}

/// Waits for the end, which has to come before the kubelet would kill.
#[track_caller]
fn end(pod: Process, deleted: Instant) -> Duration {
    let (code, printed) = pod.end();
    let took = deleted.elapsed();
    assert_eq!(code, Some(0), "{printed}");
    assert!(took < GRACE_PERIOD, "it would have been killed: it took {took:?}");
    took
}

/// The readiness probe: a pod that is the only one gets traffic for as long as it passes (KEP-1669).
fn poll_readiness(probe: SocketAddr, is_routed: &AtomicBool) {
    while is_routed.load(Ordering::Relaxed) {
        let answer = get(probe, "/servingz");
        assert!(answer.code == 200 || !is_routed.load(Ordering::Relaxed), "{answer:?}");
    }
}

/// One fresh connection after the other, for as long as endpoints name the pod. Panics if one fails.
fn send_traffic(web: SocketAddr, is_routed: &AtomicBool) -> usize {
    let mut requests = 0;
    while is_routed.load(Ordering::Relaxed) {
        let answer = get(web, "/");
        assert_eq!((answer.code, answer.body.as_str()), (200, "ok\n"), "request {requests}");
        requests += 1;
    }
    requests
}
