//! What a declaration says: written by `#[resource]`, constant, and known before the program starts.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::BoxError;
#[cfg(feature = "probe")]
use crate::error::chain;
use crate::private::Declared;
use crate::resource::{Context, Release};

/// An acquired resource without its type; the node knows how to get the type back.
pub(crate) type Instance = Arc<dyn Any + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Reserve of a resource that names none (rule D6).
pub(crate) const DEFAULT_RESERVE: Duration = Duration::from_secs(1);

/// What `#[resource]` read off one struct: the options as they were written.
#[derive(Debug)]
pub struct Declaration {
    /// `name = "…"`, or else the name of the type.
    pub name: &'static str,
    /// The file in which the struct stands.
    pub file: &'static str,
    /// The line on which the struct stands.
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
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) acquire: fn(Context) -> BoxFuture<Result<Instance, BoxError>>,
    pub(crate) release: fn(Instance, Release) -> BoxFuture<Result<(), BoxError>>,
    pub(crate) abort: fn(&Instance),
    #[cfg(feature = "probe")]
    pub(crate) check: fn(Instance) -> BoxFuture<Result<(), String>>,
}

impl Node {
    /// The node of `R`.
    pub const fn new<R: Declared>(declaration: Declaration) -> Self {
        Self {
            declaration,
            type_id: TypeId::of::<R>,
            type_name: type_name::<R>,
            acquire: acquire::<R>,
            release: release::<R>,
            abort: abort::<R>,
            #[cfg(feature = "probe")]
            check: check::<R>,
        }
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

fn acquire<R: Declared>(context: Context) -> BoxFuture<Result<Instance, BoxError>> {
    let context = context.typed::<R>();
    Box::pin(async move { Ok(Arc::new(R::acquire(&context).await?) as Instance) })
}

/// The instance is dropped inside the future, so that a slow `Drop` counts as part of the release.
fn release<R: Declared>(instance: Instance, release: Release) -> BoxFuture<Result<(), BoxError>> {
    Box::pin(async move {
        let resource = typed::<R>(&instance);
        resource.release(&release).await
    })
}

fn abort<R: Declared>(instance: &Instance) {
    typed::<R>(instance).abort();
}

/// The error is put into words here, on the application's runtime: they are the user's code too.
#[cfg(feature = "probe")]
fn check<R: Declared>(instance: Instance) -> BoxFuture<Result<(), String>> {
    Box::pin(async move { typed::<R>(&instance).check().await.map_err(|error| chain(&*error)) })
}

fn typed<R: Declared>(instance: &Instance) -> &R {
    instance.downcast_ref().expect("a node is only called with instances of its own type")
}
