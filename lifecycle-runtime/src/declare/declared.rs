//! What `#[resource]` implements: the declaration, and the typed edges of the graph.

use std::sync::Arc;

use inventory::collect;

use super::node::Node;
use crate::handles::reload::ReloadContext;

/// Implemented by `#[resource]`. `Resource` requires it, so that an `impl Resource` without the attribute is an error.
///
/// It requires as little as possible, so that a struct that cannot be a resource is an error at its `impl Resource`
/// alone, and not at everything that comes after it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a resource",
    label = "put `#[lifecycle::resource]` on `{Self}`",
    note = "a resource is a struct with `#[lifecycle::resource]` and an `impl lifecycle::Resource`",
    note = "if it has the attribute, mend the error there first; where the runtime is a dependency under another name, \
            write `crate = that_name` in the attribute"
)]
pub trait Declared: Sized + 'static {
    /// What `cx.get` gives: `Arc<Self>`, or `Option<Arc<Self>>` when the resource is optional or skippable.
    type Handle: Handle<Self>;
    /// What the hook `reload` takes: a [`Reload`](crate::Reload), if the resource is declared `reload`.
    type Reload: ReloadContext;
    /// The length of the longest chain of `after` that ends here. In a cycle it cannot be evaluated (E0391), and the error
    /// names this constant.
    const RESOURCES_THAT_COME_AFTER_EACH_OTHER: usize;
    /// Whether the resource is a `foundation`.
    const FOUNDATION: bool = false;
    /// The declaration.
    fn node() -> &'static Node;
}

/// `Self` comes after `D`. `cx.get::<D>()` requires it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not come after `{D}`",
    label = "`{D}` may not be there yet",
    note = "declare the dependency: `#[resource(after = {D})]` on `{Self}`"
)]
pub trait DependsOn<D: ?Sized> {
    /// `D`. Everything else in an expansion asks for `DependsOn<D>`, so that a `D` that is not declared is one error.
    type Dependency: Declared;
}

/// The declaration of what `R` comes after. It is evaluated by the compiler, so that a program has no function for it.
pub const fn dependency<R: DependsOn<D>, D>() -> fn() -> &'static Node {
    <R::Dependency as Declared>::node
}

/// What a dependent holds: `Arc<R>` or `Option<Arc<R>>`.
pub trait Handle<R>: Sized {
    /// The handle for an instance, or for a missing one.
    fn new(instance: Option<Arc<R>>) -> Self;
}

impl<R> Handle<R> for Arc<R> {
    fn new(instance: Option<Self>) -> Self {
        match instance {
            Some(instance) => instance,
            None => missing(),
        }
    }
}

#[cold]
fn missing() -> ! {
    panic!("a resource that is required is there before its dependents")
}

impl<R> Handle<R> for Option<Arc<R>> {
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
pub struct Registered(pub &'static Node);

collect!(Registered);
