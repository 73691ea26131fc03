//! A pod: its grace period, its hook, its command and what runs beside the application.

use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::{Doctor, Grace};
use super::containers::joined;
use super::facts::{Facts, Platform};
use super::findings::Place;
use super::health::{PATHS, path_of_probe};
use super::node::Node;
use super::pod::{Pod, Target, Workload, is_proxy, serving_ports, target, words};
use super::rules::{DELAY_TOO_SHORT, DELAY_TWICE, HOOK_NOT_IN_IMAGE, HOOK_UNANSWERED, SIDECAR_ENDS_FIRST};
use super::variables::Variables;
use super::words::{base, split};

/// How long it takes until the news of a deletion is on every node.
const NEWS: Duration = Duration::from_secs(2);

const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// What happens between the deletion and the signal.
enum Hook {
    None,
    Sleep(Duration),
    /// It lasts for the drain delay, which is not repeated then.
    Prestop,
    Unknown,
}

/// The facts, if there is more to look at.
pub(super) fn examine(doctor: &mut Doctor<'_>, pod: &Pod<'_>) -> Result<Option<Facts>, String> {
    let (container, at) = (pod.container(), |node: &Node| pod.at(node));
    let place = at(container);
    let name = container.text_at("name").unwrap_or_default();
    let Workload { kind, name: owner, pod: spec, .. } = pod.workload;
    let image = doctor.image.clone().unwrap_or_default();
    let mut variables = variables(pod).upon(&image.variables);
    let Some(facts) = doctor.facts(Platform::Kubernetes, &mut variables, place)? else { return Ok(None) };
    doctor.deployed.push(facts.clone());
    let probe = facts.probe.map_or("no probe".to_owned(), |probe| format!("probe at {}", probe.address));
    let delay = facts.drain_delay.map_or("unknown".to_owned(), in_words);
    let what = format!(
        "{kind} `{owner}`, container `{name}`: stop {}, drain delay {delay}, {probe}",
        in_words(facts.shutdown_timeout)
    );
    doctor.findings.looked_at(place, what);
    let words = words(container);
    let command = container.get("command").or(container.get("args")).map_or(place, at);
    let whole =
        if container.get("command").is_some() { words } else { joined(image.entrypoint, Some(words)) };
    doctor.shell(&whole, command);
    doctor.init(&whole, command);
    if container.get("image").is_none() {
        doctor.findings.note(
            place,
            "this is a patch: what it does not say is not checked; render it first, with `kubectl kustomize`",
        );
        return Ok(None);
    }
    if let Some(signal) = container.at(&["lifecycle", "stopSignal"]) {
        doctor.stop_signal(signal.text().unwrap_or_default(), &facts, at(signal));
    }
    let hook = hook(doctor, pod, &facts);
    times(doctor, pod, &facts, &variables, &hook);
    delays(doctor, pod, &facts, &variables, &hook);
    sidecars(doctor, pod, spec);
    Ok(Some(facts))
}

fn variables(pod: &Pod<'_>) -> Variables {
    let mut variables = Variables::default();
    for source in pod.container().items_at("envFrom") {
        let data = source.at(&["configMapRef", "name"]).and_then(|name| pod.cluster.config_map(name.text()?));
        let prefix = source.text_at("prefix").unwrap_or_default();
        match data {
            Some(data) => set(&mut variables, prefix, data, pod),
            // What a Secret holds are not times.
            None if source.get("secretRef").is_some() => {}
            None => variables.elsewhere = Some(pod.at(source)),
        }
    }
    for item in pod.container().items_at("env") {
        let named = item.at(&["valueFrom", "configMapKeyRef"]);
        let from_map = || {
            pod.cluster
                .config_map(named?.text_at("name")?)?
                .text_at(named?.text_at("key")?)
                .map(str::to_owned)
        };
        let value = match item.get("valueFrom") {
            Some(_) => from_map(),
            None => Some(item.text_at("value").unwrap_or_default().to_owned())
                .filter(|value| !value.contains("$(")),
        };
        variables.set(item.text_at("name").unwrap_or_default(), value, Some(pod.at(item)));
    }
    variables
}

fn set(variables: &mut Variables, prefix: &str, data: &Node, pod: &Pod<'_>) {
    for (name, value) in data.entries() {
        variables.set(&format!("{prefix}{name}"), value.text().map(str::to_owned), Some(pod.at(value)));
    }
}

fn times(doctor: &mut Doctor<'_>, pod: &Pod<'_>, facts: &Facts, variables: &Variables, hook: &Hook) {
    let spec = pod.workload.pod;
    let setting = spec.get("terminationGracePeriodSeconds");
    let place = setting.map_or(pod.at(pod.container()), |it| pod.at(it));
    let Some(period) = setting.map_or(Some(DEFAULT_GRACE), Node::seconds) else { return };
    let hook = match hook {
        Hook::None | Hook::Unknown => Duration::ZERO,
        Hook::Sleep(slept) => *slept,
        Hook::Prestop => facts.drain_delay.unwrap_or_default(),
    };
    let name = "terminationGracePeriodSeconds";
    let named = if setting.is_some() { name.to_owned() } else { format!("{name} (the default)") };
    let grace = Grace { setting: &named, period, place, hook };
    doctor.grace(&grace, facts, variables);
    doctor.grace_is_used(&grace, facts, variables);
    // The kubelet may take another one when it restarts a container that is not alive.
    if let Some(own) = pod.container().at(&["livenessProbe", name]) {
        let grace = Grace {
            setting: "terminationGracePeriodSeconds of livenessProbe",
            period: own.seconds().unwrap_or(period),
            place: pod.at(own),
            hook,
        };
        doctor.grace(&grace, facts, variables);
    }
}

fn delays(doctor: &mut Doctor<'_>, pod: &Pod<'_>, facts: &Facts, variables: &Variables, hook: &Hook) {
    let container = pod.container();
    let serves = container.get("readinessProbe").is_some() || serving_ports(pod, facts).next().is_some();
    if variables.may_have("LIFECYCLE_DRAIN_DELAY") {
        doctor.not_known("LIFECYCLE_DRAIN_DELAY", variables, pod.at(container));
        return;
    }
    let Some(delay) = facts.drain_delay else { return };
    let slept = match hook {
        Hook::Sleep(slept) => *slept,
        Hook::None | Hook::Prestop => Duration::ZERO,
        Hook::Unknown => return,
    };
    let place = variables.place("LIFECYCLE_DRAIN_DELAY").unwrap_or(pod.at(container));
    if slept + delay < NEWS && serves && pod.workload.is_service() {
        let what = format!(
            "the pod serves for {} after its deletion, and the news of that takes a second or two to every node",
            in_words(slept + delay)
        );
        let mend = "LIFECYCLE_DRAIN_DELAY: 5s, which is the default in Kubernetes";
        doctor.findings.add_with(&DELAY_TOO_SHORT, place, what, mend);
    }
    if !slept.is_zero() && !delay.is_zero() {
        let hook = container.at(&["lifecycle", "preStop"]).map_or(place, |it| pod.at(it));
        let what = format!("a hook of {}, and then a drain delay of {}", in_words(slept), in_words(delay));
        doctor.findings.add(&DELAY_TWICE, hook, what);
    }
}

fn hook(doctor: &mut Doctor<'_>, pod: &Pod<'_>, facts: &Facts) -> Hook {
    let Some(hook) = pod.container().at(&["lifecycle", "preStop"]) else { return Hook::None };
    let place = pod.at(hook);
    if let Some(seconds) = hook.at(&["sleep", "seconds"]) {
        return seconds.seconds().map_or(Hook::Unknown, Hook::Sleep);
    }
    if let Some(asked) = hook.get("httpGet") {
        return match target(pod, asked, facts) {
            Target::Probe(path) => asked_in_hook(doctor, &path, place, facts),
            Target::Nothing(what) => {
                doctor.findings.add(&HOOK_UNANSWERED, place, what);
                Hook::None
            }
            Target::Elsewhere { path, .. } if path == "/prestop" => {
                doctor.findings.add(
                    &HOOK_UNANSWERED,
                    place,
                    "/prestop is not asked at the port of the probe",
                );
                Hook::None
            }
            Target::Elsewhere { .. } | Target::Unknown => Hook::Unknown,
        };
    }
    let Some(words) = hook.at(&["exec", "command"]).and_then(Node::words) else { return Hook::Unknown };
    if let Some(what) = doctor.image.as_ref().and_then(|image| image.lacks(&words)) {
        doctor.findings.add(&HOOK_NOT_IN_IMAGE, place, what);
        return Hook::None;
    }
    if let Some(path) = path_of_probe(&words, facts) {
        return asked_in_hook(doctor, &path, place, facts);
    }
    slept(&words).map_or(Hook::Unknown, Hook::Sleep)
}

fn asked_in_hook(doctor: &mut Doctor<'_>, path: &str, place: Place, facts: &Facts) -> Hook {
    if path == "/prestop" && facts.probe.is_some_and(|probe| probe.has_prestop) {
        return Hook::Prestop;
    }
    // What other paths answer does not delay anything.
    if !PATHS.contains(&path) {
        doctor.findings.add(&HOOK_UNANSWERED, place, format!("the probe does not answer {path}"));
    }
    Hook::None
}

/// `sleep 10`, itself or in a shell. How often a loop sleeps is not known.
fn slept(words: &[String]) -> Option<Duration> {
    let all: Vec<String> = words.iter().flat_map(|word| split(word)).collect();
    if all.iter().any(|word| ["while", "until", "for"].contains(&word.as_str())) {
        return None;
    }
    let at = all.iter().position(|word| base(word) == "sleep")?;
    let text = all.get(at + 1)?.trim_end_matches(';');
    super::span::parse(text, super::span::Unit::Seconds)
}

/// Whether a proxy stays for a while after its signal, or gets it later.
fn waits(container: &Node) -> bool {
    let words = words(container);
    let variables = container.items_at("env").iter().filter_map(|variable| variable.text_at("name"));
    // Options of the proxy for Cloud SQL.
    let is_asked = |text: &str| {
        let text = text.to_ascii_lowercase().replace('_', "-");
        text.contains("sigterm-delay") || text.contains("term-timeout")
    };
    container.at(&["lifecycle", "preStop"]).is_some()
        || words.iter().map(String::as_str).chain(variables).any(is_asked)
}

fn sidecars(doctor: &mut Doctor<'_>, pod: &Pod<'_>, spec: &Node) {
    let own = pod.container().text_at("name");
    for container in spec.items_at("containers").iter().filter(|it| it.text_at("name") != own) {
        if is_proxy(container) && !waits(container) {
            let name = container.text_at("name").unwrap_or_default();
            doctor.findings.add(&SIDECAR_ENDS_FIRST, pod.at(container), format!("container `{name}`"));
        }
    }
}
