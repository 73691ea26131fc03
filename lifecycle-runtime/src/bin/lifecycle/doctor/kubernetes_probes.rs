//! The probes of a container, against what the application answers.

use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::Doctor;
use super::facts::Facts;
use super::findings::Place;
use super::health::PATHS;
use super::node::Node;
use super::pod::{Pod, Target, port, serving_ports, target};
use super::rules::{
    LIVENESS_ON_READINESS, NO_READINESS_PROBE, PROBE_ELSEWHERE, PROBE_LOOPBACK, PROBE_UNANSWERED,
    READY_ENDS_FIRST, READY_TOO_EARLY, START_CUT_SHORT,
};

const KINDS: [&str; 3] = ["startupProbe", "readinessProbe", "livenessProbe"];

pub(super) fn examine(doctor: &mut Doctor<'_>, pod: &Pod<'_>, facts: &Facts) {
    let container = pod.container();
    let mut is_asked_from_outside = None;
    for kind in KINDS {
        let Some(probe) = container.get(kind) else { continue };
        let Some(asked) = probe.get("httpGet") else {
            asks_otherwise(doctor, pod, kind, probe, facts);
            continue;
        };
        let place = pod.at(asked.get("path").unwrap_or(asked));
        match target(pod, asked, facts) {
            Target::Probe(path) if !PATHS.contains(&path.as_str()) => {
                doctor.findings.add(
                    &PROBE_UNANSWERED,
                    place,
                    format!("{kind}: the probe does not answer {path}"),
                );
            }
            Target::Probe(path) => {
                is_asked_from_outside =
                    asked.get("host").is_none().then_some(place).or(is_asked_from_outside);
                asks(doctor, pod, kind, &path, place);
            }
            Target::Elsewhere { port, path } if PATHS[..4].contains(&path.as_str()) => {
                let what = match facts.probe {
                    Some(probe) => {
                        format!("{kind} asks {path} at port {port}, and the probe is at {}", probe.address)
                    }
                    None => format!("{kind} asks {path}, and the program has no probe"),
                };
                doctor.findings.add(&PROBE_ELSEWHERE, place, what);
            }
            Target::Nothing(what) => doctor.findings.add(&PROBE_UNANSWERED, place, format!("{kind}: {what}")),
            Target::Elsewhere { .. } | Target::Unknown => {}
        }
    }
    if let (Some(place), Some(probe)) = (is_asked_from_outside, facts.probe) {
        if probe.address.ip().is_loopback() {
            let what = format!("it is at {}, and the kubelet asks the address of the pod", probe.address);
            let mend = format!("LIFECYCLE_PROBE_ADDR: \"0.0.0.0:{}\"", probe.address.port());
            doctor.findings.add_with(&PROBE_LOOPBACK, place, what, mend);
        }
    }
    start(doctor, pod, facts);
    if container.get("readinessProbe").is_none() && pod.workload.is_service() {
        if let Some(port) = serving_ports(pod, facts).next() {
            let what =
                format!("port {} and no readinessProbe", port.text_at("containerPort").unwrap_or_default());
            doctor.findings.add(&NO_READINESS_PROBE, pod.at(container), what);
        }
    }
}

/// A probe that connects, speaks gRPC or runs a command.
fn asks_otherwise(doctor: &mut Doctor<'_>, pod: &Pod<'_>, kind: &str, probe: &Node, facts: &Facts) {
    if let Some((words, command)) = probe.at(&["exec", "command"]).and_then(|it| Some((it.words()?, it))) {
        let place = pod.at(command);
        if let Some(path) = doctor.asked_of_probe(&words, facts, place) {
            asks(doctor, pod, kind, &path, place);
        }
        return;
    }
    let of_kind = |key| Some((key, probe.get(key)?));
    let Some((way, asked)) = of_kind("tcpSocket").or_else(|| of_kind("grpc")) else { return };
    let place = pod.at(asked);
    let is_at_probe = |port: u16| facts.probe.is_some_and(|probe| probe.address.port() == port);
    match port(pod, asked) {
        Some(Err(what)) => doctor.findings.add(&PROBE_UNANSWERED, place, format!("{kind}: {what}")),
        Some(Ok(port)) if is_at_probe(port) && way == "grpc" => {
            let what = format!("{kind}: the probe speaks HTTP, and is asked by gRPC");
            doctor.findings.add(&PROBE_UNANSWERED, place, what);
        }
        Some(Ok(port))
            if is_at_probe(port)
                && kind == "readinessProbe"
                && pod.container().get("startupProbe").is_none() =>
        {
            let what = "readinessProbe only connects to the probe, and there is no startupProbe";
            doctor.findings.add(&READY_TOO_EARLY, place, what);
        }
        Some(Ok(_)) | None => {}
    }
}

/// A path that the probe answers, asked for the wrong purpose.
fn asks(doctor: &mut Doctor<'_>, pod: &Pod<'_>, kind: &str, path: &str, place: Place) {
    match (kind, path) {
        ("livenessProbe", "/readyz" | "/servingz") => {
            doctor.findings.add(&LIVENESS_ON_READINESS, place, format!("livenessProbe asks {path}"));
        }
        ("readinessProbe", "/livez") if pod.container().get("startupProbe").is_none() => {
            doctor.findings.add(
                &READY_TOO_EARLY,
                place,
                "readinessProbe asks /livez, and there is no startupProbe",
            );
        }
        ("readinessProbe", "/readyz") => {
            let is_alone = pod.workload.is_single() && !pod.cluster.is_there("HorizontalPodAutoscaler");
            let why = if is_alone { "there is one replica" } else { "externalTrafficPolicy is Local" };
            if is_alone || pod.cluster.has_local_traffic() {
                doctor.findings.add(
                    &READY_ENDS_FIRST,
                    place,
                    format!("readinessProbe asks /readyz, and {why}"),
                );
            }
        }
        _ => {}
    }
}

/// The default of `startup_timeout`.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// How long any start may take.
const QUICK_START: Duration = Duration::from_secs(10);

/// Whether the kubelet's patience with a start is shorter than the application's.
fn start(doctor: &mut Doctor<'_>, pod: &Pod<'_>, facts: &Facts) {
    let Some(limit) = facts.startup_timeout else { return };
    let container = pod.container();
    let startup = container.get("startupProbe");
    // /livez passes from the beginning on.
    let is_patient = |probe: &Node| {
        let asked = probe.get("httpGet").map(|asked| target(pod, asked, facts));
        matches!(asked, Some(Target::Probe(path)) if path == "/livez")
    };
    let deciding = startup.map(|probe| ("startupProbe", probe)).or_else(|| {
        let probe = container.get("livenessProbe")?;
        Some(("livenessProbe", probe)).filter(|(_, probe)| !is_patient(probe))
    });
    let Some((kind, probe)) = deciding else { return };
    let number = |key: &str, default: f64| probe.get(key).and_then(Node::number).unwrap_or(default);
    let seconds =
        number("initialDelaySeconds", 0.0) + number("periodSeconds", 10.0) * number("failureThreshold", 3.0);
    let patience = Duration::from_secs_f64(seconds.clamp(0.0, 1e9));
    // The default says nothing about how long this application takes.
    let expected = if limit == DEFAULT_LIMIT { QUICK_START } else { limit };
    if patience < expected {
        let what =
            format!("{kind} allows {}, and the start may take {}", in_words(patience), in_words(limit));
        let needed = (limit.as_secs_f64() - number("initialDelaySeconds", 0.0))
            / number("periodSeconds", 10.0).max(1.0);
        let mend = format!(
            "failureThreshold: {}; or set LIFECYCLE_STARTUP_TIMEOUT to less than {}",
            needed.ceil(),
            in_words(patience)
        );
        doctor.findings.add_with(&START_CUT_SHORT, pod.at(probe), what, mend);
    }
}
