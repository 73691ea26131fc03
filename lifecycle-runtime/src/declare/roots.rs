//! Which resources an application consists of: all that are declared, or those that were named, and what they need.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::declared::{Declared, Registered};
use super::node::Node;
use crate::driver::{Hooks, Instance};
use crate::model::plan::{Id, Plan, Step};

/// One or more resources, as a type argument of [`Builder::resources`](crate::Builder::resources): `Http`,
/// `(Http, Metrics)`.
///
/// It is implemented for every resource, and for tuples of up to twelve. `()` is an application without resources.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource",
    label = "not a resource, and not a tuple of resources",
    note = "a resource is a struct with `#[lifecycle::resource]` and an `impl lifecycle::Resource`"
)]
pub trait Resources {
    #[doc(hidden)]
    fn nodes(nodes: &mut Vec<&'static Node>);
}

impl<R: Declared> Resources for R {
    fn nodes(nodes: &mut Vec<&'static Node>) {
        nodes.push(R::node());
    }
}

impl Resources for () {
    fn nodes(_: &mut Vec<&'static Node>) {}
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Resources, $($rest: Resources),*> Resources for ($first, $($rest,)*) {
            fn nodes(nodes: &mut Vec<&'static Node>) {
                $first::nodes(nodes);
                $($rest::nodes(nodes);)*
            }
        }
        tuples!($($rest)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L);

/// Every resource that is linked into the program.
pub(crate) fn declared() -> Vec<&'static Node> {
    let mut nodes: Vec<_> =
        inventory::iter::<Registered>.into_iter().map(|registered| (registered.0)()).collect();
    // The linker gives no order; sources do.
    nodes.sort_by_key(|node| (node.declaration.file, node.declaration.line));
    nodes
}

/// What an application consists of.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The hooks of each resource, in the order of the plan.
    pub(crate) hooks: Vec<&'static Hooks>,
    /// The instances that are there already.
    pub(crate) supplied: Vec<(Id, Instance)>,
}

/// The plan of `roots`, all that they need, and what is supplied.
pub(crate) fn plan(
    roots: Vec<&'static Node>,
    supplied: Vec<(&'static Node, Instance)>,
    main_reserve: Duration,
) -> Planned {
    let mut nodes: Vec<&'static Node> = Vec::new();
    let mut seen = HashSet::new();
    let supplied_nodes = supplied.iter().map(|(node, _)| *node);
    let mut next: Vec<_> = roots.into_iter().chain(supplied_nodes).rev().collect();
    let mut supplied: HashMap<TypeId, Instance> =
        supplied.into_iter().map(|(node, instance)| (node.type_id(), instance)).collect();
    while let Some(node) = next.pop() {
        let type_id = node.type_id();
        if seen.insert(type_id) {
            nodes.push(node);
            // A supplied instance already exists, so its own edges are ignored.
            if !supplied.contains_key(&type_id) {
                next.extend(node.declaration.after.iter().rev().map(|after| after()));
            }
        }
    }
    let place: HashMap<TypeId, usize> =
        nodes.iter().enumerate().map(|(position, node)| (node.type_id(), position)).collect();
    let mut bearers: HashMap<&str, usize> = HashMap::new();
    for node in &nodes {
        *bearers.entry(node.declaration.name).or_default() += 1;
    }
    let steps = nodes.iter().map(|node| {
        let declaration = &node.declaration;
        let is_ambiguous = bearers[declaration.name] > 1;
        let name = if is_ambiguous { (node.type_name)() } else { declaration.name };
        let is_supplied = supplied.contains_key(&node.type_id());
        let after = declaration.after.iter().filter(|_| !is_supplied).map(|after| place[&after().type_id()]);
        Step {
            name,
            after: after.collect(),
            reserve: node.reserve(),
            acquire_timeout: declaration.acquire_timeout,
            drain_timeout: declaration.drain_timeout,
            optional: declaration.optional,
            foundation: declaration.foundation,
            is_supplied,
        }
    });
    let (plan, order) = Plan::new(steps.collect(), main_reserve);
    let nodes: Vec<&'static Node> = order.into_iter().map(|position| nodes[position]).collect();
    let instances = nodes.iter().enumerate();
    let instances = instances.filter_map(|(id, node)| Some((id, supplied.remove(&node.type_id())?)));
    Planned { plan, supplied: instances.collect(), hooks: nodes.iter().map(|node| &node.hooks).collect() }
}
