//! The plan of an application as it is shown.

use std::time::Duration;

use crate::model::graph::{Graph, Id, Necessity};
use crate::model::planned_probe::PlannedProbe;

/// What an application consists of: its resources in the order in which they start, and the limits of its start and
/// stop. Nothing is acquired for it.
///
/// [`Builder::plan`](crate::Builder::plan) makes one in code, [`App::plan`](crate::App::plan) that of an application that
/// runs, and [`plan`](fn@crate::plan) one of everything that is linked. From outside, every program prints its own when the
/// variable `LIFECYCLE_PLAN` is `text`, `dot`, `mermaid`, `json` or `svg`, and then exits: with 0, or with 1 if there is
/// a [problem](Self::problems).
///
/// ```
/// use lifecycle::{Acquire, App, Resource, Result, resource};
///
/// #[resource]
/// struct Db;
///
/// # impl Resource for Db {
/// #     async fn acquire(_: &Acquire<Self>) -> Result<Self> { Ok(Self) }
/// # }
/// #[resource(after = Db)]
/// struct Http;
///
/// # impl Resource for Http {
/// #     async fn acquire(_: &Acquire<Self>) -> Result<Self> { Ok(Self) }
/// # }
/// # fn main() -> Result<(), lifecycle::Report> {
/// let plan = App::builder().resources::<Http>().plan()?;
/// assert_eq!(plan.resource("Http").unwrap().after, ["Db"]);
/// assert_eq!(plan.resource("Http").unwrap().level, 1);
/// println!("{plan}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The resources, dependencies first. Those of one level start at the same time.
    pub resources: Vec<PlannedResource>,
    /// The time available for the start; `None` means no limit.
    pub startup_timeout: Option<Duration>,
    /// The time available for the stop, from the request to the deadline.
    pub shutdown_timeout: Duration,
    /// Where `shutdown_timeout` comes from, in words: `the default`, `0.8 of Kubernetes' 30.0 s`.
    pub timeout_origin: String,
    /// How long the application keeps serving after the request to stop. It is part of `shutdown_timeout`.
    pub drain_delay: Duration,
    /// There is a drain delay only if something serves requests.
    pub delays_only_if_serving: bool,
    /// Where the probe answers; `None` if there is no probe.
    pub probe: Option<PlannedProbe>,
    /// The features of this crate that the program is built with, among `http`, `probe` and `systemd`.
    pub features: Vec<&'static str>,
    /// What is linked into the program and not part of the application.
    pub left_out: Vec<&'static str>,
    /// What is allowed, and probably not meant: a timeout that is longer than the grace period, for example.
    pub warnings: Vec<String>,
    /// Why the application cannot start like this.
    pub problems: Vec<String>,
}

/// One resource in a [`Plan`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlannedResource {
    /// Its name.
    pub name: &'static str,
    /// 0 for what comes after nothing; otherwise one more than the highest level among those that it comes after.
    pub level: usize,
    /// The resources that it comes after. Every resource comes after every foundation; that is not repeated here.
    pub after: Vec<&'static str>,
    /// Whether it is a foundation, acquired before and released after everything else.
    pub foundation: bool,
    /// Whether the application can do without it.
    pub necessity: Necessity,
    /// Whether its instance is supplied, and not acquired.
    pub is_supplied: bool,
    /// Whether it is declared `reload`: it can reload while the application runs.
    pub reloads: bool,
    /// The time limit of `acquire`; `None` if the start's is the only one.
    pub acquire_timeout: Option<Duration>,
    /// How long its tasks may take to end, if that is limited besides the cut-off.
    pub drain_timeout: Option<Duration>,
    /// The time set aside for its turn. Less than was declared if the reserves had to be scaled down.
    pub reserve: Duration,
    /// When its turn is over at the latest, from the request to stop. What comes after it has ended by then.
    pub cut_off: Duration,
}

impl Plan {
    /// The resource with this name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&PlannedResource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    /// How many levels there are.
    pub(super) fn levels(&self) -> usize {
        self.resources.iter().map(|resource| resource.level + 1).max().unwrap_or(0)
    }

    /// The names of those that nothing comes after: they are there for their own sake.
    pub(super) fn tops(&self) -> Vec<&'static str> {
        let is_needed = |name: &str| self.resources.iter().any(|other| other.after.contains(&name));
        let is_top = |it: &&PlannedResource| !it.foundation && !is_needed(it.name);
        self.resources.iter().filter(is_top).map(|it| it.name).collect()
    }

    /// The edges that are not implied by others, as positions: (dependency, dependent).
    pub(super) fn essential_edges(&self) -> Vec<(usize, usize)> {
        let position = |name: &str| self.resources.iter().position(|it| it.name == name);
        // What each comes after, directly or through others. Dependencies have smaller positions.
        let mut beneath: Vec<Vec<bool>> = Vec::with_capacity(self.resources.len());
        let mut edges = Vec::new();
        for (to, resource) in self.resources.iter().enumerate() {
            let after: Vec<usize> = resource.after.iter().filter_map(|name| position(name)).collect();
            let mut reached = vec![false; self.resources.len()];
            for &from in &after {
                for (id, is_beneath) in beneath[from].iter().enumerate() {
                    reached[id] |= is_beneath;
                }
            }
            edges.extend(after.iter().filter(|&&from| !reached[from]).map(|&from| (from, to)));
            for from in after {
                reached[from] = true;
            }
            beneath.push(reached);
        }
        edges
    }
}

/// The resources of a plan: `reserve` and `cut_off` give the limits of each turn.
pub(crate) fn resources(
    graph: &Graph,
    reserve: &dyn Fn(Id) -> Duration,
    cut_off: &dyn Fn(Id) -> Duration,
) -> Vec<PlannedResource> {
    let mut levels: Vec<usize> = Vec::new();
    let mut resources = Vec::new();
    for id in graph.resources() {
        let step = graph.step(id);
        let after = graph.after(id).iter().copied();
        levels.push(after.clone().map(|beneath| levels[beneath] + 1).max().unwrap_or(0));
        let is_said = |beneath: &Id| step.foundation || !graph.step(*beneath).foundation;
        resources.push(PlannedResource {
            name: step.name,
            level: levels[id],
            after: graph.names(after.filter(is_said)),
            foundation: step.foundation,
            necessity: step.necessity,
            is_supplied: step.is_supplied,
            reloads: step.reloads,
            acquire_timeout: step.acquire_timeout,
            drain_timeout: step.drain_timeout,
            reserve: reserve(id),
            cut_off: cut_off(id),
        });
    }
    resources
}
