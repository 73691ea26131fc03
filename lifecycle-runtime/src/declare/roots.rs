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
        let Self { packages, nodes } = self;
        let is_of_package =
            |node: &&&Node| packages.iter().any(|package| package == node.declaration.origin.package());
        nodes.into_iter().chain(linked.iter().filter(is_of_package).copied()).collect()
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
    let roots = match selection {
        Some(selection) => selection.roots(&linked),
        None => linked.clone(),
    };
    let mut nodes: Vec<&'static Node> = Vec::new();
    let mut place: HashMap<TypeId, usize> = HashMap::new();
    let supplied = supplied.into_iter().map(|(node, instance)| (node, Some(instance)));
    let (supplied_nodes, mut instances): (Vec<&'static Node>, Vec<_>) = supplied.unzip();
    // Of two instances for one type, the later counts.
    let is_supplied_by: HashMap<TypeId, usize> =
        supplied_nodes.iter().enumerate().map(|(number, node)| (node.type_id(), number)).collect();
    let mut next: Vec<_> = roots.into_iter().chain(supplied_nodes).rev().collect();
    while let Some(node) = next.pop() {
        let type_id = node.type_id();
        if let Entry::Vacant(free) = place.entry(type_id) {
            free.insert(nodes.len());
            nodes.push(node);
            // A supplied instance already exists, so its own edges are ignored.
            if !is_supplied_by.contains_key(&type_id) {
                next.extend(node.declaration.after.iter().rev().map(|after| after()));
            }
        }
    }
    let left_out = left_out(&nodes, linked.into_iter().filter(|node| !place.contains_key(&node.type_id())));
    let steps = nodes.iter().zip(names(&nodes)).map(|(node, name)| {
        let declaration = &node.declaration;
        let is_supplied = is_supplied_by.contains_key(&node.type_id());
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
    let supplied = nodes
        .iter()
        .enumerate()
        .filter_map(|(id, node)| {
            let number = *is_supplied_by.get(&node.type_id())?;
            Some((id, instances[number].take()?))
        })
        .collect();
    let hooks = nodes.iter().map(|node| &node.hooks).collect();
    Planned { plan, hooks, supplied, left_out, not_supplied }
}

/// The names of `others` differ from one another, and from those of `nodes`.
fn left_out(nodes: &[&'static Node], others: impl Iterator<Item = &'static Node>) -> Vec<LeftOut> {
    let all: Vec<&'static Node> = nodes.iter().copied().chain(others).collect();
    let named = all.iter().zip(names(&all)).skip(nodes.len());
    named.map(|(node, name)| LeftOut { name, package: node.declaration.origin.package() }).collect()
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
    let order = order_by(names.len(), &|one, other| names[one].cmp(names[other]));
    let of_one_name = order.chunk_by(|&one, &other| names[one] == names[other]);
    let renamed: Vec<usize> = of_one_name.filter(|equal| equal.len() > 1).flatten().copied().collect();
    for &place in &renamed {
        names[place] = other(place);
    }
    !renamed.is_empty()
}
