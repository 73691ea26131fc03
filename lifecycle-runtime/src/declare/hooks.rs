//! The node of a type: its hooks without the type. Every resource of a program has these once more, so they are small.

use std::any::{TypeId, type_name};
use std::future::Future;
use std::mem::needs_drop;
use std::pin::Pin;
use std::sync::Arc;

use super::node::{Declaration, Node};
use super::resource::Resource;
use super::supplied::Supplied;
use crate::driver::{BoxFuture, Context, Hooks, Instance};
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
            hooks: Hooks {
                type_id: TypeId::of::<R>,
                acquire: |_| Box::pin(async { Err("no instance was supplied".into()) }),
                release: |instance, context| {
                    lend(instance, Release { context }, |instance, context| {
                        Box::pin(typed::<R>(instance).release(context))
                    })
                },
                abort: |instance| typed::<R>(instance).abort(),
                reload: if <R::Reload as ReloadContext>::IS_DECLARED {
                    Some(reload_supplied::<R>)
                } else {
                    None
                },
                needs_drop: needs_drop::<R>(),
                #[cfg(feature = "probe")]
                check: |instance| lend(instance, (), |instance, ()| Box::pin(typed::<R>(instance).check())),
            },
        }
    }
}

fn acquire<R: Resource>(context: Context) -> BoxFuture<Result<Instance, BoxError>> {
    let context = Acquire::new(context);
    Box::pin(async move {
        match R::acquire(&context).await {
            Ok(resource) => Ok(Arc::new(resource) as Instance),
            Err(error) => Err(error),
        }
    })
}

fn release<R: Resource>(instance: Instance, context: Context) -> BoxFuture<Result<(), BoxError>> {
    fn hook<'a, R: Resource>(instance: &'a Instance, context: &'a Release) -> LentFuture<'a> {
        Box::pin(typed::<R>(instance).release(context))
    }
    lend(instance, Release { context }, hook::<R>)
}

fn abort<R: Resource>(instance: &Instance) {
    typed::<R>(instance).abort();
}

fn reload<R: Resource>(instance: Instance, context: Context) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move {
        match R::Reload::of(Reload::new(context)) {
            Some(context) => typed::<R>(&instance).reload(&context).await,
            None => Ok(()),
        }
    })
}

fn reload_supplied<R: Supplied>(instance: Instance, context: Context) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move {
        match R::Reload::of(Reload::new(context)) {
            Some(context) => typed::<R>(&instance).reload(&context).await,
            None => Ok(()),
        }
    })
}

#[cfg(feature = "probe")]
fn check<R: Resource>(instance: Instance) -> BoxFuture<Result<(), BoxError>> {
    fn hook<'a, R: Resource>(instance: &'a Instance, (): &'a ()) -> LentFuture<'a> {
        Box::pin(typed::<R>(instance).check())
    }
    lend(instance, (), hook::<R>)
}

/// The future of a hook that borrows its instance and its context.
type LentFuture<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// Holds what a hook borrows.
fn lend<C: Send + Sync + 'static>(
    instance: Instance,
    context: C,
    hook: for<'a> fn(&'a Instance, &'a C) -> LentFuture<'a>,
) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move { hook(&instance, &context).await })
}

fn typed<R: Send + Sync + 'static>(instance: &Instance) -> &R {
    match (**instance).as_any().downcast_ref() {
        Some(resource) => resource,
        None => another_type(),
    }
}

#[cold]
fn another_type() -> ! {
    unreachable!("a node is only called with instances of its own type")
}
