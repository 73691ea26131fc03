//! Payments in containers of Podman: PID 1, asked with SIGTERM, and killed 10 s later.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use crate::http::{Connection, answered, connect, get};
use crate::machine;
use crate::program::wait_until;
use crate::servers::free_port;
use crate::servers::podman::{IMAGE, PROGRAM, Podman};

/// Payments in a container, with the network of the machine.
struct Container {
    podman: Podman,
    address: SocketAddr,
}

/// What it is called.
const NAME: &str = "payments";

/// The line of the stop that says how much time there is.
const DETECTED: &str = "SIGTERM received; 8.0 s at most (0.8 of a container's 10.0 s)";

const CLEAN: &str = " of 8.0 s: SIGTERM received; exit code 0";

impl Container {
    #[track_caller]
    fn start() -> Self {
        let podman = Podman::start();
        let (port, probe) = (free_port(), free_port());
        let variables = [format!("PORT={port}"), format!("LIFECYCLE_PROBE_ADDR=127.0.0.1:{probe}")];
        let [port_is, probe_is] = &variables;
        let host = ["run", "--detach", "--network=host", "--name", NAME, "--env", port_is, "--env", probe_is];
        podman.run(&[host.as_slice(), &[IMAGE, PROGRAM]].concat());
        wait_until_ready(local(probe));
        Self { podman, address: local(port) }
    }
}

#[test]
fn a_stop_answers_the_request_under_way() {
    let _machine = machine::shared();
    let Container { podman, address } = Container::start();
    assert_pid_1(&podman, NAME);
    let mut under_way = ask(address);
    podman.run(&["stop", NAME]);
    assert_eq!(answered(under_way.read_response()).status, 200);
    assert_clean_end(&podman, NAME);
}

/// Podman refuses to pause a container that `podman stop` is stopping. The signal alone does not make it one.
#[test]
fn a_container_that_is_paused_during_its_stop_goes_on_where_it_was() {
    let _machine = machine::shared();
    let Container { podman, address } = Container::start();
    let mut under_way = ask(address);
    podman.run(&["kill", "--signal=TERM", NAME]);
    wait_until("it stops", || podman.log(NAME).contains(DETECTED));
    podman.run(&["pause", NAME]);
    assert_eq!(podman.state(NAME), "paused 0");
    podman.run(&["unpause", NAME]);
    assert_eq!(answered(under_way.read_response()).status, 200);
    assert_eq!(podman.run(&["wait", NAME]), "0");
    assert_clean_end(&podman, NAME);
}

/// Podman reads the Deployment, and ignores most of what it says of its life: `terminationGracePeriodSeconds` (it kills
/// after 10 s), the readiness and startup probes, `strategy`, and the Service. The pods of `replicas` would all be on
/// this machine, with the same ports.
///
/// `podman kube down` kills at once, in this version, and `podman pod stop` ends the network of the pod together with
/// its containers: the container is stopped first.
#[test]
fn the_manifest_for_kubernetes_is_played_and_its_container_stops_in_time() {
    let _machine = machine::shared();
    let podman = Podman::start();
    let (port, probe) = (free_port(), free_port());
    let published = |port: u16, container: u16| {
        (
            format!("containerPort: {container} "),
            format!("containerPort: {container}, hostIP: 127.0.0.1, hostPort: {port} "),
        )
    };
    let mut manifest = include_str!("../../examples/kubernetes/defaults.yaml").to_owned();
    let one = ("replicas: 2".to_owned(), "replicas: 1".to_owned());
    for (from, to) in [one, published(port, 8080), published(probe, 8081)] {
        assert_eq!(manifest.matches(&from).count(), 1, "{from:?} should be in the manifest once");
        manifest = manifest.replace(&from, &to);
    }
    let file = podman.directory().join("payments.yaml");
    fs::write(&file, manifest).expect("there is room for a file");
    let file = file.display().to_string();

    podman.run(&["kube", "play", "--network=slirp4netns", &file]);
    wait_until_ready(local(probe));
    let container = "payments-pod-0-payments";
    assert_pid_1(&podman, container);
    let mut under_way = ask(local(port));
    podman.run(&["stop", container]);
    assert_eq!(answered(under_way.read_response()).status, 200);
    assert_clean_end(&podman, container);
    podman.run(&["kube", "down", &file]);
    assert_eq!(podman.run(&["ps", "--all", "--quiet"]), "", "a container is left");
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[track_caller]
fn wait_until_ready(probe: SocketAddr) {
    let asked = || Connection::open(probe)?.get("/readyz");
    wait_until("payments is ready", || asked().is_ok_and(|answer| answer.status == 200));
}

/// Sends a request that takes a while.
#[track_caller]
fn ask(address: SocketAddr) -> Connection {
    let mut connection = connect(address);
    connection.send(&get("/slow?ms=3000")).expect("the server reads it");
    connection
}

/// The last of a process's pids is that of the innermost namespace.
#[track_caller]
fn assert_pid_1(podman: &Podman, container: &str) {
    let status = format!("/proc/{}/status", podman.pid(container).as_raw_pid());
    let status = fs::read_to_string(&status).unwrap_or_else(|error| panic!("{status}: {error}"));
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    assert_eq!(pids.split_whitespace().last(), Some("1"), "the pids of payments are {pids:?}");
}

#[track_caller]
fn assert_clean_end(podman: &Podman, container: &str) {
    assert_eq!(podman.state(container), "exited 0");
    let log = podman.log(container);
    for text in [DETECTED, CLEAN] {
        assert!(log.contains(text), "the log does not say {text:?}");
    }
}
