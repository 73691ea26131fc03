//! A declaration: written by `#[resource]`, constant, and known before the program starts.

use std::any::{TypeId, type_name};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::declared::Declared;
use crate::driver::{BoxFuture, Dependencies, Hooks, Instance, Seat};
use crate::handles::acquire::Acquire;
use crate::handles::release::Release;
use crate::model::failure::BoxError;

/// Reserve of a resource that names none (rule D6).
pub(crate) const DEFAULT_RESERVE: Duration = Duration::from_secs(1);

/// The options of one `#[resource]`, as they were written.
#[derive(Debug)]
pub struct Declaration {
    /// `name = "…"`, or else the name of the type.
    pub name: &'static str,
    /// The file of the struct.
    pub file: &'static str,
    /// The line of the struct.
    pub line: u32,
    /// `after = …`; functions, since references between statics of a cycle would be reported twice.
    pub after: &'static [fn() -> &'static Node],
    /// `acquire_timeout = "…"`.
    pub acquire_timeout: Option<Duration>,
    /// `drain_timeout = "…"`.
    pub drain_timeout: Option<Duration>,
    /// `reserve = "…"`.
    pub reserve: Option<Duration>,
    /// `optional`.
    pub optional: bool,
    /// `foundation`.
    pub foundation: bool,
}

/// One resource's declaration together with its hooks.
pub struct Node {
    pub(crate) declaration: Declaration,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) hooks: Hooks,
}

impl Node {
    /// The node of `R`.
    pub const fn new<R: Declared>(declaration: Declaration) -> Self {
        Self {
            declaration,
            type_name: type_name::<R>,
            hooks: Hooks {
                type_id: TypeId::of::<R>,
                acquire: acquire::<R>,
                release: release::<R>,
                abort: abort::<R>,
                #[cfg(feature = "probe")]
                check: check::<R>,
            },
        }
    }

    pub(crate) fn type_id(&self) -> TypeId {
        (self.hooks.type_id)()
    }

    pub(crate) fn reserve(&self) -> Duration {
        self.declaration.reserve.unwrap_or(DEFAULT_RESERVE)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("declaration", &self.declaration).finish_non_exhaustive()
    }
}

fn acquire<R: Declared>(seat: Seat, dependencies: Dependencies) -> BoxFuture<Result<Instance, BoxError>> {
    let context = Acquire::new(seat, dependencies);
    Box::pin(async move { Ok(Arc::new(R::acquire(&context).await?) as Instance) })
}

fn release<R: Declared>(instance: Instance, seat: Seat) -> BoxFuture<Result<(), BoxError>> {
    let context = Release::new(seat);
    Box::pin(async move { typed::<R>(&instance).release(&context).await })
}

fn abort<R: Declared>(instance: &Instance) {
    typed::<R>(instance).abort();
}

#[cfg(feature = "probe")]
fn check<R: Declared>(instance: Instance) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move { typed::<R>(&instance).check().await })
}

fn typed<R: Declared>(instance: &Instance) -> &R {
    instance.downcast_ref().expect("a node is only called with instances of its own type")
}
