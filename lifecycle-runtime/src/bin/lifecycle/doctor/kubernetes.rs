//! Kubernetes manifests: which documents run the application, and what surrounds their pods.

use super::case::Doctor;
use super::choice::{Candidate, choose};
use super::containers::programs;
use super::findings::Place;
use super::node::{Node, Value};
use super::pod::{Cluster, Pod, Workload, is_proxy, words};
use super::rules::{RECREATE, RESTART_ON_78};
use super::source::{HELM, is_template};
use super::{kubernetes_pod, kubernetes_probes, yaml};

/// The specs of the pods that an object makes.
fn pods(object: &Node) -> Vec<&Node> {
    let path: &[&str] = match object.text_at("kind").unwrap_or_default() {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "PodTemplate" => &["template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    match object.at(path).filter(|spec| !spec.items_at("containers").is_empty()) {
        Some(spec) => vec![spec],
        None => {
            let mut found = Vec::new();
            object.get("spec").into_iter().for_each(|spec| search(spec, &mut found));
            found
        }
    }
}

/// Custom resources have the templates of pods anywhere. Containers without an image only change others.
fn search<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    if node.items_at("containers").iter().any(|container| container.get("image").is_some()) {
        found.push(node);
        return;
    }
    node.items().iter().chain(node.entries().iter().map(|(_, node)| node)).for_each(|it| search(it, found));
}

pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) -> Result<(), String> {
    let text = &doctor.sources[file].text;
    if is_template(text) {
        return Err(HELM.to_owned());
    }
    let documents = yaml::documents(text).map_err(|(line, what)| match text.contains("{{") {
        true => HELM.to_owned(),
        false => format!("line {line}: {what}"),
    })?;
    let mut objects = Vec::new();
    for document in &documents {
        collect(document, &mut objects);
    }
    let cluster = Cluster { objects };
    let mut candidates = Vec::new();
    for (object, pod) in
        cluster.objects.iter().flat_map(|object| pods(object).into_iter().map(move |pod| (*object, pod)))
    {
        let Some(kind) = object.text_at("kind") else { continue };
        let name = object.at(&["metadata", "name"]).and_then(Node::text).unwrap_or_default();
        // What is called as the program is its container; a workload of that name has it, if there is only one.
        let all = pod.items_at("containers");
        let others: Vec<&Node> = all.iter().filter(|container| !is_proxy(container)).collect();
        // A proxy may be an application too, where there is nothing else.
        let containers = if others.is_empty() { all.iter().collect() } else { others };
        for &container in &containers {
            let text = |key: &str| container.text_at(key).map(str::to_owned);
            let own = text("name").unwrap_or_default();
            let command = words(container);
            let of_workload = (containers.len() == 1).then(|| name.to_owned());
            let aliases = text("image").into_iter().chain(of_workload).chain(programs(&command)).collect();
            let item = Workload { kind, name, object, pod, container };
            candidates.push(Candidate { name: own, aliases, item });
        }
    }
    if candidates.is_empty() {
        doctor.findings.note(Place { file, line: 1 }, "no document of it makes pods: nothing to look at");
        return Ok(());
    }
    for workload in choose(candidates, doctor.given, doctor.program())? {
        let pod = Pod { file, workload, cluster: &cluster };
        if let Some(facts) = kubernetes_pod::examine(doctor, &pod)? {
            kubernetes_probes::examine(doctor, &pod, &facts);
        }
        examine_workload(doctor, file, &workload);
    }
    Ok(())
}

/// The objects of a document, which may be a list of them.
fn collect<'a>(document: &'a Node, objects: &mut Vec<&'a Node>) {
    match document.get("items") {
        Some(Node { value: Value::List(items), .. })
            if document.text_at("kind").is_some_and(|it| it.ends_with("List")) =>
        {
            items.iter().for_each(|item| collect(item, objects));
        }
        _ => objects.push(document),
    }
}

fn examine_workload(doctor: &mut Doctor<'_>, file: usize, workload: &Workload<'_>) {
    let at = |node: &Node| Place { file, line: node.line };
    let Workload { kind, object, .. } = *workload;
    let strategy = object.at(&["spec", "strategy"]);
    let serves = !workload.container.items_at("ports").is_empty()
        || workload.container.get("readinessProbe").is_some();
    if let Some(recreate) = strategy.and_then(|it| it.get("type")).filter(|it| it.is("Recreate") && serves) {
        doctor.findings.add(&RECREATE, at(recreate), "strategy: Recreate");
    }
    if let Some(all) = strategy
        .and_then(|it| it.at(&["rollingUpdate", "maxUnavailable"]))
        .filter(|it| it.is("100%") && serves)
    {
        doctor.findings.add(&RECREATE, at(all), "maxUnavailable: 100%");
    }
    let job = match kind {
        "Job" => object.get("spec"),
        "CronJob" => object.at(&["spec", "jobTemplate", "spec"]),
        _ => return,
    };
    let Some(job) = job else { return };
    let has_policy = job.get("podFailurePolicy").is_some();
    let gives_up = job.get("backoffLimit").is_some_and(|it| it.is("0")) && !policy_is(workload, "OnFailure");
    if !has_policy && !gives_up {
        let mend = "restartPolicy: Never, and podFailurePolicy: { rules: [{ action: FailJob, onExitCodes: { operator: In, values: [78] } }] }";
        let what =
            format!("the {kind} tries up to {} times more", job.text_at("backoffLimit").unwrap_or("6"));
        let place =
            job.get("backoffLimit").or(workload.pod.get("restartPolicy")).map_or(at(workload.container), at);
        doctor.findings.add_with(&RESTART_ON_78, place, what, mend);
    }
}

fn policy_is(workload: &Workload<'_>, policy: &str) -> bool {
    workload.pod.get("restartPolicy").is_some_and(|it| it.is(policy))
}
