//! The ordered, checked graph. Pure: no clock, no I/O.

use std::time::Duration;

/// The place of a resource in its plan. Dependencies have smaller numbers than their dependents.
pub(crate) type Id = usize;

/// One resource in a plan.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) after: Vec<Id>,
    pub(crate) reserve: Duration,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) optional: bool,
    pub(crate) foundation: bool,
}

/// All resources of an application, dependencies first, and the body of `main` behind them.
///
/// The body is a step like the others, since it has a turn like the others: it comes after everything.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    steps: Vec<Step>,
    before: Vec<Vec<Id>>,
}

impl Plan {
    /// Orders `steps`, whose edges are positions in the given list, and appends the body of `main`, for whose
    /// turn `main_reserve` is set aside. Returns for each step of the plan its position in the given list.
    ///
    /// # Panics
    ///
    /// If the edges form a cycle. Declarations cannot: their depth is a constant (see `private::Declared`).
    pub(crate) fn new(mut steps: Vec<Step>, main_reserve: Duration) -> (Self, Vec<usize>) {
        add_foundation_edges(&mut steps);
        let order = order(&steps);
        let mut place = vec![0; steps.len()];
        for (id, &position) in order.iter().enumerate() {
            place[position] = id;
        }
        let mut ordered: Vec<Step> = order.iter().map(|&position| steps[position].clone()).collect();
        for step in &mut ordered {
            for id in &mut step.after {
                *id = place[*id];
            }
            step.after.sort_unstable();
            step.after.dedup();
        }
        ordered.push(Step {
            name: "main".to_owned(),
            after: (0..ordered.len()).collect(),
            reserve: main_reserve,
            acquire_timeout: None,
            drain_timeout: None,
            optional: false,
            foundation: false,
        });
        let mut before = vec![Vec::new(); ordered.len()];
        for (id, step) in ordered.iter().enumerate() {
            for &dependency in &step.after {
                before[dependency].push(id);
            }
        }
        (Self { steps: ordered, before }, order)
    }

    pub(crate) fn step(&self, id: Id) -> &Step {
        &self.steps[id]
    }

    pub(crate) fn name(&self, id: Id) -> &str {
        &self.steps[id].name
    }

    /// What `id` comes after.
    pub(crate) fn after(&self, id: Id) -> &[Id] {
        &self.steps[id].after
    }

    /// What comes after `id`, the body of `main` included.
    pub(crate) fn before(&self, id: Id) -> &[Id] {
        &self.before[id]
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
        let mut found: Vec<Id> = Vec::new();
        let mut next = vec![id];
        while let Some(current) = (!next.is_empty()).then(|| next.remove(0)) {
            for &dependent in self.before(current) {
                if dependent != self.main() && !found.contains(&dependent) {
                    found.push(dependent);
                    next.push(dependent);
                }
            }
        }
        found
    }

    /// The longest chain of resources of which each comes after the next, ending at `id`: why `id` was needed.
    pub(crate) fn chain(&self, id: Id) -> Vec<Id> {
        let needs = |id: Id| self.before(id).iter().copied().filter(|&dependent| dependent != self.main());
        let mut length = vec![0_usize; self.steps.len()];
        for id in self.resources().rev() {
            length[id] = needs(id).map(|dependent| length[dependent] + 1).max().unwrap_or(0);
        }
        let mut chain = vec![id];
        let mut current = id;
        while let Some(dependent) = needs(current).max_by_key(|&dependent| length[dependent]) {
            chain.insert(0, dependent);
            current = dependent;
        }
        chain
    }

    /// The names of `ids`, separated by commas.
    pub(crate) fn names(&self, ids: impl IntoIterator<Item = Id>) -> String {
        ids.into_iter().map(|id| self.name(id)).collect::<Vec<_>>().join(", ")
    }
}

/// Everything that is not a foundation comes after every foundation.
fn add_foundation_edges(steps: &mut [Step]) {
    let foundations: Vec<Id> = (0..steps.len()).filter(|&id| steps[id].foundation).collect();
    for step in steps.iter_mut().filter(|step| !step.foundation) {
        step.after.extend(&foundations);
    }
}

/// The positions of `steps`, dependencies first and otherwise as given.
fn order(steps: &[Step]) -> Vec<usize> {
    let mut order = Vec::with_capacity(steps.len());
    let mut placed = vec![false; steps.len()];
    while order.len() < steps.len() {
        let is_next = |position: &usize| {
            !placed[*position] && steps[*position].after.iter().all(|&dependency| placed[dependency])
        };
        let next = (0..steps.len()).find(is_next).expect("the resources come after one another in a cycle");
        placed[next] = true;
        order.push(next);
    }
    order
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn step(name: &str, after: &[Id]) -> Step {
        Step {
            name: name.to_owned(),
            after: after.to_vec(),
            reserve: Duration::from_secs(1),
            acquire_timeout: None,
            drain_timeout: None,
            optional: false,
            foundation: false,
        }
    }

    fn check(steps: Vec<Step>, expected: &str) {
        let (plan, _) = Plan::new(steps, Duration::ZERO);
        let shown: Vec<String> = plan
            .resources()
            .map(|id| format!("{}({})", plan.name(id), plan.names(plan.after(id).iter().copied())))
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
        let (plan, _) = Plan::new(
            vec![step("db", &[]), step("jobs", &[0]), step("http", &[0, 1]), step("other", &[0])],
            Duration::ZERO,
        );
        assert_eq!(plan.names(plan.chain(0)), "http, jobs, db");
        assert_eq!(plan.names(plan.chain(3)), "other");
        assert_eq!(plan.names(plan.dependents(0)), "jobs, http, other");
    }

    #[test]
    #[should_panic(expected = "in a cycle")]
    fn a_cycle_is_refused() {
        let _ = Plan::new(vec![step("a", &[1]), step("b", &[0])], Duration::ZERO);
    }
}
