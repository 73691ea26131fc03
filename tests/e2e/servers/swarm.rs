//! A Docker swarm: engines on a network of their own, of which the first is the manager.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::docker::{Engine, Network};
use super::switch::Switch;
use crate::program::wait_for;

/// For how long a swarm may be busy with one update, or with what else it was asked for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Swarm {
    nodes: Vec<Node>,
    switch: Switch,
}

struct Node {
    engine: Engine,
    address: Ipv4Addr,
    /// What the swarm calls it.
    id: String,
}

impl Swarm {
    /// A swarm of so many nodes, each with the image of a program.
    #[track_caller]
    pub(crate) fn start(nodes: u8, program: &Path) -> Self {
        let mut swarm = Self { nodes: Vec::new(), switch: Switch::start() };
        for place in 0..nodes {
            let engine = Engine::start(Network::Own);
            engine.import(program);
            let address = swarm.switch.connect(engine.init().expect("it runs"), place);
            let advertised = ["--advertise-addr", &address.to_string()];
            match swarm.nodes.first() {
                None => engine.run(&[&["swarm", "init"][..], &advertised].concat()),
                Some(manager) => {
                    let token = manager.engine.run(&["swarm", "join-token", "--quiet", "worker"]);
                    let join = ["swarm", "join", "--token", &token, &manager.address.to_string()];
                    engine.run(&[&join[..5], &advertised, &join[5..]].concat())
                }
            };
            let id = engine.run(&["info", "--format", "{{.Swarm.NodeID}}"]);
            swarm.nodes.push(Node { engine, address, id });
        }
        swarm
    }

    pub(crate) fn manager(&self) -> &Engine {
        &self.nodes[0].engine
    }

    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// Where this machine is reached from the nodes.
    pub(crate) fn machine(&self) -> Ipv4Addr {
        self.switch.machine()
    }

    /// Replaces every task of a service, one after the other, and waits until the swarm says that it is done.
    #[track_caller]
    pub(crate) fn roll(&self, service: &str) {
        self.update(service, &["--force"], &["", "updating"], "completed");
    }

    /// Sets a variable that the service refuses, and waits until the swarm has given up the update.
    #[track_caller]
    pub(crate) fn fail_to_roll(&self, service: &str, variable: &str) {
        let on_the_way = ["", "updating", "rollback_started"];
        self.update(service, &["--env-add", variable], &on_the_way, "rollback_completed");
    }

    #[track_caller]
    fn update(&self, service: &str, change: &[&str], on_the_way: &[&str], last: &str) {
        let update = ["service", "update", "--detach", "--quiet"];
        self.manager().run(&[&update, change, &[service]].concat());
        let state = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}";
        wait_for(PATIENCE, &format!("the update is {last}"), || {
            let state = self.manager().run(&["service", "inspect", "--format", state, service]);
            assert!(state == last || on_the_way.contains(&state.as_str()), "the update is {state}");
            state == last
        });
    }

    /// Takes every task from a node, or lets it have tasks again.
    #[track_caller]
    pub(crate) fn make(&self, place: usize, availability: &str) {
        self.manager().run(&["node", "update", "--availability", availability, &self.nodes[place].id]);
    }

    /// Waits until so many containers run on a node.
    #[track_caller]
    pub(crate) fn wait_for_containers(&self, place: usize, count: usize) {
        wait_for(PATIENCE, &format!("{count} containers run on node {place}"), || {
            self.nodes[place].engine.run(&["ps", "--quiet"]).lines().count() == count
        });
    }

    /// The exit codes of all containers that have ended, as far as the nodes still know them.
    #[track_caller]
    pub(crate) fn exit_codes(&self) -> Vec<String> {
        let mut codes = Vec::new();
        for Node { engine, .. } in &self.nodes {
            let format = "{{.Status}}"; // "Exited (0) 2 seconds ago"
            let ended = engine.run(&["ps", "--all", "--filter", "status=exited", "--format", format]);
            codes
                .extend(ended.lines().filter_map(|status| Some(status.split(['(', ')']).nth(1)?.to_owned())));
        }
        codes
    }

    /// As a machine dies: its link is down, and all that runs on it is killed at once.
    #[track_caller]
    pub(crate) fn kill_node(&mut self, place: u8) {
        self.switch.disconnect(place);
        self.nodes[usize::from(place)].engine.kill();
    }
}
