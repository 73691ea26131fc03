//! Which resources an application consists of: all that are linked, or those that were selected, and what they need.

use std::any::TypeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use super::declared::{Declared, Registered};
use super::node::{Declaration, Node};
use crate::driver::{Hooks, Instance};
use crate::model::Name;
use crate::model::graph::{Graph, Id, Step};
use crate::model::left_out::LeftOut;
use crate::model::order::order_by;

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

/// The resources that an application is asked for.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Everything that is linked of these packages.
    packages: Vec<String>,
    nodes: Vec<&'static Node>,
}

impl Selection {
    pub(crate) fn add<R: Resources>(&mut self) {
        R::nodes(&mut self.nodes);
    }

    pub(crate) fn add_package(&mut self, package: &str) {
        self.packages.push(package.to_owned());
    }

    fn roots(self, linked: &[&'static Node]) -> Vec<&'static Node> {
        let Self { packages, mut nodes } = self;
        for node in linked {
            if packages.iter().any(|package| package == node.declaration.origin.package()) {
                nodes.push(node);
            }
        }
        nodes
    }
}

/// Every resource that is linked into the program.
fn linked() -> Vec<&'static Node> {
    let nodes: Vec<_> = inventory::iter::<Registered>.into_iter().map(|registered| registered.0).collect();
    // The linker gives no order; sources do. What one call of a macro declares is all on the line of that call.
    let source = |place: usize| {
        let node: &Node = nodes[place];
        (node.declaration.file, node.declaration.line, (node.type_name)())
    };
    let order = order_by(nodes.len(), &|one, other| source(one).cmp(&source(other)));
    order.into_iter().map(|place| nodes[place]).collect()
}

/// What an application consists of.
pub(crate) struct Planned {
    pub(crate) plan: Graph,
    /// The hooks of each resource, in the order of the plan.
    pub(crate) hooks: Vec<&'static Hooks>,
    /// The instances that are there already.
    pub(crate) supplied: Vec<(Id, Instance)>,
    /// What is linked besides.
    pub(crate) left_out: Vec<LeftOut>,
    /// What should have been supplied, and was not.
    pub(crate) not_supplied: Vec<Name>,
}

/// The plan of what was selected (or else everything that is linked), all that it needs, and what is supplied.
pub(crate) fn plan(
    selection: Option<Selection>,
    supplied: Vec<(&'static Node, Instance)>,
    main_reserve: Duration,
) -> Planned {
    let linked = linked();
    let mut next = match selection {
        Some(selection) => selection.roots(&linked),
        None => linked.clone(),
    };
    // Of two instances for one type, the later counts.
    let mut instances: HashMap<TypeId, Instance> = HashMap::new();
    for (node, instance) in supplied {
        next.push(node);
        instances.insert(node.type_id(), instance);
    }
    next.reverse();
    let mut nodes: Vec<&'static Node> = Vec::new();
    let mut place: HashMap<TypeId, usize> = HashMap::new();
    while let Some(node) = next.pop() {
        let type_id = node.type_id();
        if let Entry::Vacant(free) = place.entry(type_id) {
            free.insert(nodes.len());
            nodes.push(node);
            // A supplied instance already exists, so its own edges are ignored.
            if !instances.contains_key(&type_id) {
                next.extend(node.declaration.after.iter().rev().map(|after| after()));
            }
        }
    }
    let mut all = nodes.clone();
    all.extend(linked.into_iter().filter(|node| !place.contains_key(&node.type_id())));
    let left_out = left_out(&all, nodes.len());
    let steps = nodes.iter().zip(names(&nodes)).map(|(node, name)| {
        let declaration = &node.declaration;
        let is_supplied = instances.contains_key(&node.type_id());
        let after = declaration.after.iter().filter(|_| !is_supplied).map(|after| place[&after().type_id()]);
        Step {
            name,
            after: after.collect(),
            reserve: node.reserve(),
            acquire_timeout: declaration.acquire_timeout,
            drain_timeout: declaration.drain_timeout,
            necessity: declaration.necessity,
            foundation: declaration.foundation,
            is_supplied,
            reloads: node.hooks.reload.is_some(),
        }
    });
    let (plan, order) = Graph::new(steps.collect(), main_reserve);
    let nodes: Vec<&'static Node> = order.into_iter().map(|position| nodes[position]).collect();
    let is_not_supplied = |id: &Id| nodes[*id].declaration.supplied && !plan.step(*id).is_supplied;
    let not_supplied = plan.names(plan.resources().filter(is_not_supplied));
    let mut supplied = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        supplied.extend(instances.remove(&node.type_id()).map(|instance| (id, instance)));
    }
    let hooks = nodes.iter().map(|node| &node.hooks).collect();
    Planned { plan, hooks, supplied, left_out, not_supplied }
}

/// All but the first `planned` nodes. Their names differ from one another, and from those that are planned.
fn left_out(all: &[&'static Node], planned: usize) -> Vec<LeftOut> {
    let names = names(all);
    let left_out =
        |place: usize| LeftOut { name: names[place], package: all[place].declaration.origin.package() };
    (planned..all.len()).map(left_out).collect()
}

/// A name for each of `nodes` that no other has: the declared one, or else the path of the type, or that and its place.
fn names(nodes: &[&'static Node]) -> Vec<Name> {
    let mut names: Vec<Name> = nodes.iter().map(|node| node.declaration.name).collect();
    let has_equal = rename_equal(&mut names, &|place| (nodes[place].type_name)());
    if !has_equal {
        return names;
    }
    // Types in blocks of one function can have the same path, and even, in a macro, the same place. There are at most a
    // few of them in a program, so that their names may stay for ever.
    let with_place = |place: usize| {
        let Declaration { file, line, .. } = nodes[place].declaration;
        format!("{} ({file}:{line})", (nodes[place].type_name)())
    };
    rename_equal(&mut names, &|place| with_place(place).leak());
    rename_equal(&mut names, &|place| format!("{} #{place}", with_place(place)).leak());
    names
}

/// Gives another name to each that is not the only one of its name. Says whether there were any.
fn rename_equal(names: &mut [Name], other: &dyn Fn(usize) -> Name) -> bool {
    let before = names.to_vec();
    let order = order_by(before.len(), &|one, other| before[one].cmp(before[other]));
    let mut has_equal = false;
    for equal in order.chunk_by(|&one, &other| before[one] == before[other]) {
        if equal.len() > 1 {
            has_equal = true;
            for &place in equal {
                names[place] = other(place);
            }
        }
    }
    has_equal
}
