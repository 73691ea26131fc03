//! Applications of any size and shape for `tests/bench`: their resources do nothing. To compile ten thousand types
//! takes too long.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::app::Builder;
use crate::driver::Source;
use crate::node::{Declaration, Node};
use crate::plan::{Plan, Step};
use crate::private::Declared;
use crate::resource::{Acquire, Resource};

/// The application of `builder` has one resource for each entry of `edges`, and no other. Each comes after those at
/// the positions that its entry names.
pub fn synthetic(mut builder: Builder, edges: Vec<Vec<usize>>) -> Builder {
    builder.synthetic = Some(edges);
    builder
}

pub(crate) fn plan(edges: Vec<Vec<usize>>, main_reserve: Duration) -> (Plan, Vec<Source>) {
    let steps = edges.into_iter().enumerate().map(|(position, after)| Step {
        name: format!("r{position}"),
        after,
        reserve: NODE.reserve(),
        acquire_timeout: None,
        drain_timeout: None,
        optional: false,
        foundation: false,
    });
    let (plan, _) = Plan::new(steps.collect(), main_reserve);
    let sources = plan.resources().map(|_| Source { node: &NODE, supplied: Mutex::default() }).collect();
    (plan, sources)
}

/// The hooks of every resource: those that the macro writes for a resource that only has `acquire`.
static NODE: Node = Node::new::<Idle>(Declaration {
    name: "idle",
    file: file!(),
    line: line!(),
    after: &[],
    acquire_timeout: None,
    drain_timeout: None,
    reserve: None,
    optional: false,
    foundation: false,
});

struct Idle;

impl Resource for Idle {
    async fn acquire(_: &Acquire<Self>) -> crate::Result<Self> {
        Ok(Self)
    }
}

impl Declared for Idle {
    type Handle = Arc<Self>;
    const DEPTH: usize = 1;
    const FOUNDATION: bool = false;

    fn node() -> &'static Node {
        &NODE
    }
}
