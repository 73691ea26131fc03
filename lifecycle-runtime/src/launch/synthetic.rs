//! Applications of any size and shape for `tests/bench`: their resources do nothing. To compile ten thousand types
//! takes too long.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::declare::declared::Declared;
use crate::declare::node::{Declaration, Node, Origin};
use crate::declare::resource::Resource;
use crate::declare::roots::Planned;
use crate::driver::lock;
use crate::handles::acquire::Acquire;
use crate::handles::reload::NotDeclaredReload;
use crate::model::Name;
use crate::model::failure::Result;
use crate::model::graph::{Graph, Necessity, Step};

pub(super) fn plan(edges: Vec<Vec<usize>>, main_reserve: Duration) -> Planned {
    let steps = edges.into_iter().enumerate().map(|(position, after)| Step {
        name: name(position),
        after,
        reserve: NODE.reserve(),
        acquire_timeout: None,
        drain_timeout: None,
        necessity: Necessity::Required,
        foundation: false,
        is_supplied: false,
        reloads: false,
    });
    let (plan, _) = Graph::new(steps.collect(), main_reserve);
    Planned {
        hooks: plan.resources().map(|_| &NODE.hooks).collect(),
        plan,
        supplied: Vec::new(),
        left_out: Vec::new(),
        not_supplied: Vec::new(),
    }
}

/// Names are part of the program; these are made once, and stay.
fn name(position: usize) -> Name {
    static NAMES: Mutex<Vec<Name>> = Mutex::new(Vec::new());
    let mut names = lock(&NAMES);
    while names.len() <= position {
        let name = format!("r{}", names.len());
        names.push(name.leak());
    }
    names[position]
}

/// The hooks of every resource: those that the macro writes for a resource that only has `acquire`.
static NODE: Node = Node::new::<Idle>(Declaration {
    name: "idle",
    file: file!(),
    line: line!(),
    origin: Origin { package: option_env!("CARGO_PKG_NAME"), module: module_path!() },
    after: &[],
    acquire_timeout: None,
    drain_timeout: None,
    reserve: None,
    necessity: Necessity::Required,
    foundation: false,
    supplied: false,
});

struct Idle;

impl Resource for Idle {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }
}

impl Declared for Idle {
    type Handle = Arc<Self>;
    type Reload = NotDeclaredReload;
    const RESOURCES_THAT_COME_AFTER_EACH_OTHER: usize = 1;

    fn node() -> &'static Node {
        &NODE
    }
}
