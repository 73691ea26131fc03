//! Typed access to the resources of an application.

use std::any::{Any, TypeId};
use std::sync::Arc;

use super::declared::{Declared, DependsOn, Handle as _};
use crate::driver::{Dependencies, Instance};
use crate::handles::acquire::Acquire;
use crate::handles::app::App;

impl<R> Acquire<R> {
    /// The dependency `D`: `Arc<D>`, or `Option<Arc<D>>` if `D` is declared `optional` or `skippable`.
    ///
    /// It compiles only if `D` is in this resource's `after`, and cannot fail. A handle that is still held when `D` has
    /// been released keeps the value from being dropped (rule D12).
    #[must_use]
    pub fn get<D: Declared>(&self) -> D::Handle
    where
        R: DependsOn<D>,
    {
        D::Handle::new(typed(dependency(&self.context.dependencies, TypeId::of::<D>())))
    }
}

impl App {
    /// The resource `R`: `Arc<R>`, or `Option<Arc<R>>` if `R` is declared `optional` or `skippable`.
    ///
    /// # Panics
    ///
    /// If `R` is not there: it is not part of this application (see [`Builder::resources`](crate::Builder::resources)), has not been acquired
    /// yet, or has been released. [`try_get`](Self::try_get) does not panic.
    #[must_use]
    #[track_caller]
    pub fn get<R: Declared>(&self) -> R::Handle {
        let instance = self.try_get::<R>();
        let is_missing = instance.is_none() && !R::node().declaration.necessity.may_be_missing();
        assert!(
            !is_missing,
            "the resource `{}` is not there: it is not part of this application, not acquired yet, or released",
            R::node().declaration.name
        );
        R::Handle::new(instance)
    }

    /// The resource `R`, or `None` if it is not available: see [`get`](Self::get).
    #[must_use]
    pub fn try_get<R: Declared>(&self) -> Option<Arc<R>> {
        let place = self.driver().place(TypeId::of::<R>())?;
        typed(self.driver().hand_out(place))
    }
}

/// What a program has for every edge of its graph is only what needs the types.
fn dependency(dependencies: &Dependencies, id: TypeId) -> Option<Instance> {
    dependencies.iter().find(|(known, _)| *known == id)?.1.clone()
}

/// Only the instance knows that its type is `Send` and `Sync`. If `get` asked for it, a type that is not would be an error
/// wherever it is used, and not at its `impl Resource` alone.
fn typed<R: Declared>(instance: Option<Instance>) -> Option<Arc<R>> {
    let mut handle: Option<Arc<R>> = None;
    put_into(instance, &mut handle);
    handle
}

/// Without the type.
fn put_into(instance: Option<Instance>, handle: &mut dyn Any) {
    if let Some(instance) = instance {
        instance.put_into(handle);
    }
}
