//! A pod of a manifest, with what is around it.

use super::containers::joined;
use super::facts::Facts;
use super::findings::Place;
use super::node::Node;
use super::words::base;

/// What the documents of a file say about one another.
pub(super) struct Cluster<'a> {
    pub(super) objects: Vec<&'a Node>,
}

impl Cluster<'_> {
    pub(super) fn is_there(&self, kind: &str) -> bool {
        self.objects.iter().any(|object| object.text_at("kind") == Some(kind))
    }

    /// A Service keeps traffic on the node that it came to.
    pub(super) fn has_local_traffic(&self) -> bool {
        self.objects
            .iter()
            .any(|object| object.at(&["spec", "externalTrafficPolicy"]).is_some_and(|it| it.is("Local")))
    }

    /// The data of a ConfigMap.
    pub(super) fn config_map(&self, name: &str) -> Option<&Node> {
        let is_it = |object: &&&Node| {
            object.text_at("kind") == Some("ConfigMap")
                && object.at(&["metadata", "name"]).is_some_and(|it| it.text() == Some(name))
        };
        self.objects.iter().find(is_it)?.get("data")
    }
}

/// What makes pods, and one of the containers in them.
#[derive(Clone, Copy)]
pub(super) struct Workload<'a> {
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) object: &'a Node,
    pub(super) pod: &'a Node,
    pub(super) container: &'a Node,
}

impl Workload<'_> {
    /// Its pods are replaced by new ones, and stand behind a Service.
    pub(super) fn is_service(&self) -> bool {
        !["Job", "CronJob", "Pod"].contains(&self.kind)
            && self.object.at(&["spec", "template", "spec"]).is_some()
    }

    pub(super) fn is_single(&self) -> bool {
        let replicas = self.object.at(&["spec", "replicas"]);
        let scaled = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout"];
        scaled.contains(&self.kind) && replicas.is_none_or(|it| it.is("1"))
    }
}

pub(super) struct Pod<'a> {
    pub(super) file: usize,
    pub(super) workload: Workload<'a>,
    pub(super) cluster: &'a Cluster<'a>,
}

impl Pod<'_> {
    pub(super) fn at(&self, node: &Node) -> Place {
        Place { file: self.file, line: node.line }
    }

    pub(super) fn container(&self) -> &Node {
        self.workload.container
    }
}

/// The command of a container, and its arguments.
pub(super) fn words(container: &Node) -> Vec<String> {
    let words = |key: &str| container.get(key).and_then(Node::words);
    joined(words("command"), words("args"))
}

/// The ports that are not the probe's.
pub(super) fn serving_ports<'a>(pod: &'a Pod<'_>, facts: &Facts) -> impl Iterator<Item = &'a Node> {
    let probe = facts.probe.map(|probe| f64::from(probe.address.port()));
    let metrics = ["metrics", "prometheus", "probe", "health", "admin"];
    pod.container().items_at("ports").iter().filter(move |port| {
        let is_probe = port.get("containerPort").and_then(Node::number) == probe;
        !is_probe && !port.text_at("name").is_some_and(|name| metrics.iter().any(|it| name.contains(it)))
    })
}

/// What an `httpGet` asks.
pub(super) enum Target {
    /// This path, at the port of the probe.
    Probe(String),
    Elsewhere {
        port: u16,
        path: String,
    },
    /// It cannot be answered; and why.
    Nothing(String),
    Unknown,
}

pub(super) fn target(pod: &Pod<'_>, asked: &Node, facts: &Facts) -> Target {
    let path = asked.text_at("path").unwrap_or("/").split('?').next().unwrap_or("/").to_owned();
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let Some(port) = port(pod, asked) else { return Target::Unknown };
    let port = match port {
        Ok(port) => port,
        Err(what) => return Target::Nothing(what),
    };
    match facts.probe {
        Some(probe) if probe.address.port() == port => {
            if asked.get("scheme").is_some_and(|it| it.is("HTTPS")) {
                return Target::Nothing("the probe speaks HTTP, and is asked by HTTPS".to_owned());
            }
            Target::Probe(path)
        }
        _ => Target::Elsewhere { port, path },
    }
}

/// The port that a probe asks, by its number or by its name. An error says that there is none.
pub(super) fn port(pod: &Pod<'_>, asked: &Node) -> Option<Result<u16, String>> {
    let written = asked.get("port").and_then(Node::text)?;
    let ports = pod.container().items_at("ports");
    let named = || ports.iter().find(|port| port.text_at("name") == Some(written));
    let number = written.parse().ok().or_else(|| named()?.text_at("containerPort")?.parse().ok());
    Some(number.ok_or_else(|| format!("the container has no port called `{written}`")))
}

/// Proxies through which an application reaches others, or others reach it.
const PROXIES: [&str; 14] = [
    "alloydb-auth-proxy",
    "consul-dataplane",
    "daprd",
    "gce-proxy",
    "kuma-sidecar",
    "oauth2-proxy",
    "istio-proxy",
    "linkerd-proxy",
    "envoy",
    "cloud-sql-proxy",
    "cloudsql-proxy",
    "pgbouncer",
    "haproxy",
    "nginx",
];

pub(super) fn is_proxy(container: &Node) -> bool {
    let (name, image) = (container.text_at("name"), container.text_at("image").unwrap_or_default());
    let image = base(image).split([':', '@']).next().unwrap_or_default();
    PROXIES.iter().any(|proxy| name == Some(proxy) || image == *proxy)
}
