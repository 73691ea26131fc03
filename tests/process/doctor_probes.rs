//! What the rules about the probes of a pod are for. The kubelet is played here: it asks the paths of a pair's manifests,
//! and what they are answered decides whether the pod gets requests, or is restarted.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::http::{answered, connect};
use crate::machine;
use crate::pairs::{pair, value};
use crate::program::{Process, Program, wait_until};

/// A pod with a server, which starts or does not end until it is told to.
struct Pod(Process);

impl Pod {
    fn start(hold: &str) -> Self {
        let program = Program::new(env!("CARGO_BIN_EXE_probed")).env("HOLD", hold).env("WEB", "serve");
        // Longer than anything here takes.
        let program = program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "2min").env("LIFECYCLE_DRAIN_DELAY", "50s");
        Self(program.with_open_stdin().spawn())
    }

    fn probe(&self) -> SocketAddr {
        self.0.address_after("the probe answers at http://")
    }

    /// Whether this check of a manifest passes. One that is not there does.
    fn passes(&self, file: &str, check: &str) -> bool {
        let Some(path) = value(file, &format!("{check}:\n            httpGet: {{ path: ")) else {
            return true;
        };
        let path = path.split(',').next().expect("it ends");
        answered(connect(self.probe()).get(path)).status == 200
    }

    /// Sends a request, which is answered.
    fn assert_serves(&self) {
        let web = self.0.address_after("web at http://");
        assert_eq!(answered(connect(web).get("/nothing")).status, 404);
    }
}

#[test]
fn a_pod_that_seems_to_be_ready_during_its_start_gets_requests() {
    let _machine = machine::shared();
    for rule in ["ready-too-early", "no-readiness-probe"] {
        let [wrong, right] =
            pair(rule, "yaml").map(|file| move |pod: &Pod| pod.passes(&file, "readinessProbe"));
        let pod = Pod::start("acquire");
        pod.0.wait_for_line("acquiring Db");
        assert!(wrong(&pod), "{rule}");
        assert!(!right(&pod), "{rule}");
        assert!(!pod.0.has_printed("web at http://"), "there is somebody who answers");
        pod.0.write_line("go acquire");
        wait_until("the pod is ready", || right(&pod));
        pod.assert_serves();
    }
}

/// Of several pods, Kubernetes sends to the others. Of one that is deleted, it sends to this one, as long as it is ready.
#[test]
fn the_only_pod_gets_no_requests_in_its_drain_delay_although_it_serves() {
    let _machine = machine::shared();
    let [wrong, right] = pair("ready-ends-first", "yaml");
    let pod = Pod::start("");
    pod.0.wait_for_line("body runs");
    wait_until("the pod is ready", || pod.passes(&wrong, "readinessProbe"));
    pod.0.signal(Signal::TERM);
    wait_until("the pod is not ready", || !pod.passes(&wrong, "readinessProbe"));
    assert!(pod.passes(&right, "readinessProbe"));
    pod.assert_serves();
}

#[test]
fn a_pod_whose_database_is_away_is_restarted_although_it_serves() {
    let _machine = machine::shared();
    let [wrong, right] = pair("liveness-on-readiness", "yaml");
    let pod = Pod::start("");
    pod.0.wait_for_line("body runs");
    assert!(pod.passes(&wrong, "livenessProbe") && pod.passes(&right, "livenessProbe"));
    pod.0.write_line("check fail");
    wait_until("the check fails", || !pod.passes(&wrong, "livenessProbe"));
    assert!(pod.passes(&right, "livenessProbe"));
    pod.assert_serves();
}
