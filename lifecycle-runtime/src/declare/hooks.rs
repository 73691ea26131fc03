//! The node of a type: its hooks without the type. Every resource of a program has these once more, so they are small.

use std::any::{Any, TypeId, type_name};
use std::mem::needs_drop;
use std::sync::Arc;

use super::node::{Declaration, Node};
use super::resource::Resource;
use super::supplied::Supplied;
use crate::driver::{BoxFuture, Dependencies, Hooks, Instance, Seat};
use crate::handles::acquire::Acquire;
use crate::handles::release::Release;
use crate::handles::reload::{Reload, ReloadContext};
use crate::model::failure::BoxError;

impl Node {
    /// The node of `R`.
    pub const fn new<R: Resource>(declaration: Declaration) -> Self {
        Self {
            declaration,
            type_name: type_name::<R>,
            downcast: downcast::<R>,
            hooks: Hooks {
                type_id: TypeId::of::<R>,
                acquire: acquire::<R>,
                release: release::<R>,
                abort: abort::<R>,
                reload: if <R::Reload as ReloadContext>::IS_DECLARED { Some(reload::<R>) } else { None },
                needs_drop: needs_drop::<R>(),
                #[cfg(feature = "probe")]
                check: check::<R>,
            },
        }
    }
}

impl Node {
    /// The node of `R`, which is never acquired.
    pub const fn supplied<R: Supplied>(declaration: Declaration) -> Self {
        Self {
            declaration,
            type_name: type_name::<R>,
            downcast: downcast::<R>,
            hooks: Hooks {
                type_id: TypeId::of::<R>,
                acquire: |_, _| Box::pin(async { Err("no instance was supplied".into()) }),
                release: |instance, seat| {
                    let context = Release { seat };
                    Box::pin(async move { typed::<R>(&instance).release(&context).await })
                },
                abort: |instance| typed::<R>(instance).abort(),
                reload: if <R::Reload as ReloadContext>::IS_DECLARED {
                    Some(reload_supplied::<R>)
                } else {
                    None
                },
                needs_drop: needs_drop::<R>(),
                #[cfg(feature = "probe")]
                check: |instance| Box::pin(async move { typed::<R>(&instance).check().await }),
            },
        }
    }
}

fn acquire<R: Resource>(seat: Seat, dependencies: Dependencies) -> BoxFuture<Result<Instance, BoxError>> {
    let context = Acquire::new(seat, dependencies);
    Box::pin(async move {
        match R::acquire(&context).await {
            Ok(resource) => Ok(Arc::new(resource) as Instance),
            Err(error) => Err(error),
        }
    })
}

fn release<R: Resource>(instance: Instance, seat: Seat) -> BoxFuture<Result<(), BoxError>> {
    let context = Release { seat };
    Box::pin(async move { typed::<R>(&instance).release(&context).await })
}

fn abort<R: Resource>(instance: &Instance) {
    typed::<R>(instance).abort();
}

fn reload<R: Resource>(instance: Instance, seat: Seat) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move {
        match R::Reload::of(Reload::new(seat)) {
            Some(context) => typed::<R>(&instance).reload(&context).await,
            None => Ok(()),
        }
    })
}

fn reload_supplied<R: Supplied>(instance: Instance, seat: Seat) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move {
        match R::Reload::of(Reload::new(seat)) {
            Some(context) => typed::<R>(&instance).reload(&context).await,
            None => Ok(()),
        }
    })
}

#[cfg(feature = "probe")]
fn check<R: Resource>(instance: Instance) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move { typed::<R>(&instance).check().await })
}

fn typed<R: Send + Sync + 'static>(instance: &Instance) -> &R {
    instance.downcast_ref().expect("a node is only called with instances of its own type")
}

fn downcast<R: Send + Sync + 'static>(instance: Instance, handle: &mut dyn Any) {
    // A node is only asked for handles to its own type.
    let Ok(instance) = instance.downcast::<R>() else { return };
    let Some(handle) = handle.downcast_mut::<Option<Arc<R>>>() else { return };
    *handle = Some(instance);
}
