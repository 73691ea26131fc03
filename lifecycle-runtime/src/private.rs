//! All that the expansions of `#[resource]` and `#[lifecycle::main]` may touch. Not part of the public interface.

use std::sync::Arc;

pub use inventory;

pub use crate::body::Output;
pub use crate::node::{Declaration, Node};
pub use crate::resource::Resource;
pub use crate::run::{Body, Main, Threads, run};
#[cfg(feature = "testing")]
pub use crate::synthetic::synthetic;

/// Implemented by `#[resource]`; the supertrait makes a missing `impl Resource` an error at the struct.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource",
    label = "not a resource",
    note = "a resource is a struct with `#[lifecycle::resource]` and an `impl lifecycle::Resource`"
)]
pub trait Declared: Resource {
    /// What `cx.get` gives: `Arc<Self>`, or `Option<Arc<Self>>` when the resource is optional.
    type Handle: Handle<Self>;
    /// The length of the longest chain of `after` that ends here. It cannot be evaluated in a cycle (E0391).
    const DEPTH: usize;
    /// Whether `foundation` was said.
    const FOUNDATION: bool;
    /// The declaration.
    fn node() -> &'static Node;
}

/// `Self` comes after `D`: what makes `cx.get::<D>()` compile.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not come after `{D}`",
    label = "`{D}` may not be there yet",
    note = "declare the dependency: `#[resource(after = {D})]` on `{Self}`"
)]
pub trait DependsOn<D: ?Sized> {}

/// What a dependent gets to hold.
pub trait Handle<R>: Send + Sync + Sized {
    /// The handle to an instance, or to the lack of one.
    fn new(instance: Option<Arc<R>>) -> Self;
}

impl<R: Declared> Handle<R> for Arc<R> {
    fn new(instance: Option<Self>) -> Self {
        instance.expect("a resource that is not optional is there before its dependents")
    }
}

impl<R: Declared> Handle<R> for Option<Arc<R>> {
    fn new(instance: Self) -> Self {
        instance
    }
}

/// One more than the greatest of `depths`.
pub const fn depth<const N: usize>(depths: [usize; N]) -> usize {
    let mut deepest = 0;
    let mut i = 0;
    while i < N {
        if depths[i] > deepest {
            deepest = depths[i];
        }
        i += 1;
    }
    deepest + 1
}

/// A declaration as discovery finds it.
#[derive(Debug)]
pub struct Registered(pub fn() -> &'static Node);

inventory::collect!(Registered);
