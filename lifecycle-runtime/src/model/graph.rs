//! The ordered, checked graph.

use std::sync::OnceLock;
use std::time::Duration;

use super::Name;
use super::order::sorted;

/// The place of a resource in its plan. Dependencies have smaller numbers than their dependents.
pub(crate) type Id = usize;

/// Whether an application can do without a resource (rule S6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Necessity {
    /// It cannot.
    Required,
    /// It can, if the resource is switched off by configuration.
    Skippable,
    /// It can, whatever goes wrong in the resource.
    Optional,
}

impl Necessity {
    /// Whether dependents have to reckon with its absence.
    pub(crate) fn may_be_missing(self) -> bool {
        self != Self::Required
    }

    /// Whether its failures are tolerated.
    pub(crate) fn may_fail(self) -> bool {
        self == Self::Optional
    }
}

/// One resource in a plan, as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: Name,
    pub(crate) after: Vec<Id>,
    pub(crate) reserve: Duration,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) necessity: Necessity,
    pub(crate) foundation: bool,
    /// Its instance is there from the beginning.
    pub(crate) is_supplied: bool,
    /// It can reload while the application runs (§9).
    pub(crate) reloads: bool,
}

/// All resources of an application, dependencies first, and the body of `main` behind them.
///
/// The body is a step like the others, since it has a turn like the others: it comes after everything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Graph {
    steps: Vec<Step>,
    after: Edges,
    before: Edges,
    /// The nearest of the longest chain of dependents of each resource, once it was asked for.
    nearest: OnceLock<Vec<Option<Id>>>,
}

/// Edges from each resource, all in one list: those of `id` stand between two neighbouring starts.
#[derive(Debug, PartialEq, Eq)]
struct Edges {
    starts: Vec<usize>,
    ids: Vec<Id>,
}

impl Edges {
    fn of(&self, id: Id) -> &[Id] {
        &self.ids[self.starts[id]..self.starts[id + 1]]
    }

    /// The same edges from their other ends, each list in ascending order.
    fn reversed(&self) -> Self {
        let count = self.starts.len() - 1;
        let mut starts = vec![0; count + 1];
        for &id in &self.ids {
            starts[id + 1] += 1;
        }
        for id in 0..count {
            starts[id + 1] += starts[id];
        }
        let mut next = starts.clone();
        let mut ids = vec![0; self.ids.len()];
        for from in 0..count {
            for &to in self.of(from) {
                ids[next[to]] = from;
                next[to] += 1;
            }
        }
        Self { starts, ids }
    }
}

impl Graph {
    /// Orders `steps`, whose edges are positions in the given list, and appends the body of `main`, for whose turn
    /// `main_reserve` is set aside. Returns for each step of the plan its position in the given list.
    ///
    /// It takes time in proportion to steps and edges. Each foundation is an edge of everything that is not one.
    ///
    /// # Panics
    ///
    /// If the edges form a cycle. Declarations cannot: their depth is a constant (see `declare::declared`).
    pub(crate) fn new(mut steps: Vec<Step>, main_reserve: Duration) -> (Self, Vec<usize>) {
        add_foundation_edges(&mut steps);
        let order = order(&steps);
        let mut place = vec![0; steps.len()];
        for (id, &position) in order.iter().enumerate() {
            place[position] = id;
        }
        let mut after = Edges { starts: Vec::with_capacity(steps.len() + 2), ids: Vec::new() };
        after.starts.push(0);
        let mut ordered = Vec::with_capacity(steps.len() + 1);
        let mut unordered: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
        for &position in &order {
            let mut step = unordered[position].take().expect("each position is in the order once");
            for id in &mut step.after {
                *id = place[*id];
            }
            let mut of_step = sorted(&std::mem::take(&mut step.after));
            of_step.dedup();
            after.ids.append(&mut of_step);
            after.starts.push(after.ids.len());
            ordered.push(step);
        }
        after.ids.extend(0..ordered.len());
        after.starts.push(after.ids.len());
        ordered.push(Step {
            name: "main",
            after: Vec::new(),
            reserve: main_reserve,
            acquire_timeout: None,
            drain_timeout: None,
            necessity: Necessity::Required,
            foundation: false,
            is_supplied: false,
            reloads: false,
        });
        let before = after.reversed();
        (Self { steps: ordered, after, before, nearest: OnceLock::new() }, order)
    }

    /// What was declared, but for the edges: see [`after`](Self::after).
    pub(crate) fn step(&self, id: Id) -> &Step {
        &self.steps[id]
    }

    pub(crate) fn name(&self, id: Id) -> Name {
        self.steps[id].name
    }

    /// What `id` comes after, in ascending order.
    pub(crate) fn after(&self, id: Id) -> &[Id] {
        self.after.of(id)
    }

    /// What comes after `id`, in ascending order; the body of `main` is the last.
    pub(crate) fn before(&self, id: Id) -> &[Id] {
        self.before.of(id)
    }

    /// The resources that come after `id`.
    pub(crate) fn dependents_of(&self, id: Id) -> &[Id] {
        match self.before(id) {
            [dependents @ .., last] if *last == self.main() => dependents,
            dependents => dependents,
        }
    }

    /// The resources, dependencies first.
    pub(crate) fn resources(&self) -> std::ops::Range<Id> {
        0..self.main()
    }

    /// The body of `main`.
    pub(crate) fn main(&self) -> Id {
        self.steps.len() - 1
    }

    /// The resources and the body of `main`, dependencies first.
    pub(crate) fn all(&self) -> std::ops::Range<Id> {
        0..self.steps.len()
    }

    /// The resources that need `id`, directly or through others; those nearest first.
    pub(crate) fn dependents(&self, id: Id) -> Vec<Id> {
        let mut is_found = vec![false; self.steps.len()];
        let mut found = vec![id];
        let mut next = 0;
        while let Some(&current) = found.get(next) {
            next += 1;
            for &dependent in self.dependents_of(current) {
                if !std::mem::replace(&mut is_found[dependent], true) {
                    found.push(dependent);
                }
            }
        }
        found.remove(0);
        found
    }

    /// Why `id` is needed: the longest chain of resources, each coming after the next, that ends at `id`.
    pub(crate) fn chain(&self, id: Id) -> Vec<Id> {
        let nearest = self.nearest.get_or_init(|| self.nearest_dependents());
        let mut chain = vec![id];
        let mut current = id;
        while let Some(dependent) = nearest[current] {
            chain.push(dependent);
            current = dependent;
        }
        chain.reverse();
        chain
    }

    fn nearest_dependents(&self) -> Vec<Option<Id>> {
        let mut length = vec![0_usize; self.steps.len()];
        let mut nearest = vec![None; self.steps.len()];
        for id in self.resources().rev() {
            nearest[id] = self.dependents_of(id).iter().copied().max_by_key(|&dependent| length[dependent]);
            length[id] = nearest[id].map_or(0, |dependent| length[dependent] + 1);
        }
        nearest
    }

    /// The names of `ids`.
    pub(crate) fn names(&self, ids: impl IntoIterator<Item = Id>) -> Vec<Name> {
        ids.into_iter().map(|id| self.name(id)).collect()
    }
}

/// Everything that is not a foundation comes after every foundation.
fn add_foundation_edges(steps: &mut [Step]) {
    let foundations: Vec<Id> = (0..steps.len()).filter(|&id| steps[id].foundation).collect();
    for step in steps.iter_mut().filter(|step| !step.foundation) {
        step.after.extend(&foundations);
    }
}

/// The positions of `steps`, each right after what it needs, and otherwise as given.
fn order(steps: &[Step]) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        /// What it needs is being placed.
        Open,
        Placed,
    }
    let mut order = Vec::with_capacity(steps.len());
    let mut marks = vec![Mark::New; steps.len()];
    // What is being placed, each with how many of its edges were followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for root in 0..steps.len() {
        if marks[root] == Mark::New {
            marks[root] = Mark::Open;
            path.push((root, 0));
        }
        while let Some((position, followed)) = path.last_mut() {
            let (position, edge) = (*position, steps[*position].after.get(*followed));
            *followed += 1;
            match edge {
                Some(&next) => match marks[next] {
                    Mark::New => {
                        marks[next] = Mark::Open;
                        path.push((next, 0));
                    }
                    Mark::Open => panic!("the resources come after one another in a cycle"),
                    Mark::Placed => {}
                },
                None => {
                    marks[position] = Mark::Placed;
                    order.push(position);
                    path.pop();
                }
            }
        }
    }
    order
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn step(name: Name, after: &[Id]) -> Step {
        Step {
            name,
            after: after.to_vec(),
            reserve: Duration::from_secs(1),
            acquire_timeout: None,
            drain_timeout: None,
            necessity: Necessity::Required,
            foundation: false,
            is_supplied: false,
            reloads: false,
        }
    }

    fn check(steps: Vec<Step>, expected: &str) {
        let (plan, _) = Graph::new(steps, Duration::ZERO);
        let shown: Vec<String> = plan
            .resources()
            .map(|id| format!("{}({})", plan.name(id), plan.names(plan.after(id).iter().copied()).join(", ")))
            .collect();
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn dependencies_come_first() {
        check(
            vec![step("http", &[1, 2]), step("jobs", &[2]), step("db", &[])],
            "db() jobs(db) http(db, jobs)",
        );
    }

    #[test]
    fn independent_resources_keep_their_order() {
        check(vec![step("b", &[]), step("a", &[])], "b() a()");
    }

    #[test]
    fn everything_else_comes_after_every_foundation() {
        let log = Step { foundation: true, ..step("log", &[]) };
        let config = Step { foundation: true, ..step("config", &[]) };
        check(vec![step("db", &[]), log, config], "log() config() db(log, config)");
    }

    #[test]
    fn a_dependency_named_twice_is_one_edge() {
        check(vec![step("db", &[]), step("http", &[0, 0])], "db() http(db)");
    }

    #[test]
    fn the_chain_is_the_longest_one() {
        let (plan, _) = Graph::new(
            vec![step("db", &[]), step("jobs", &[0]), step("http", &[0, 1]), step("other", &[0])],
            Duration::ZERO,
        );
        assert_eq!(plan.names(plan.chain(0)), ["http", "jobs", "db"]);
        assert_eq!(plan.names(plan.chain(3)), ["other"]);
        assert_eq!(plan.names(plan.dependents(0)), ["jobs", "http", "other"]);
    }

    #[test]
    fn a_resource_comes_right_after_what_it_needs() {
        check(vec![step("a", &[2]), step("b", &[]), step("c", &[])], "c() a(c) b()");
    }

    #[test]
    #[should_panic(expected = "in a cycle")]
    fn a_cycle_is_refused() {
        let _ = Graph::new(vec![step("a", &[1]), step("b", &[0])], Duration::ZERO);
    }
}
