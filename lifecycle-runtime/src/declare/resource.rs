//! The trait that a resource implements.

use std::future::Future;

use super::declared::Declared;
use crate::handles::acquire::Acquire;
use crate::handles::release::Release;
use crate::handles::reload::a_hook_may_be_missing;
use crate::model::failure::Result;

/// Something that is acquired when the application starts and released when it stops.
///
/// Declare it with [`#[resource]`](macro@crate::resource), which also says what it comes after. Only
/// [`acquire`](Self::acquire) is required. The type is the identity: two databases are two types.
///
/// ```
/// use lifecycle::{Acquire, Release, Resource, Result, resource};
/// use tokio::net::TcpListener;
///
/// #[resource]
/// struct Listener(TcpListener);
///
/// impl Resource for Listener {
///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
///         Ok(Self(TcpListener::bind("127.0.0.1:0").await?))
///     }
///
///     async fn release(&self, cx: &Release) -> Result {
///         println!("{} left to say goodbye", cx.remaining().as_secs());
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a resource but does not implement `Resource`",
    label = "`impl lifecycle::Resource for {Self}` is missing",
    note = "only `async fn acquire(cx: &lifecycle::Acquire<Self>) -> lifecycle::Result<Self>` is required"
)]
pub trait Resource: Declared<Handle: Send + Sync> + Send + Sync {
    /// Makes the resource: connects, opens, binds, spawns tasks.
    ///
    /// It is called once, when everything in `after` is acquired (rule S2), and runs concurrently with the acquisition
    /// of unrelated resources.
    ///
    /// # Errors
    ///
    /// An error, a panic or an exceeded `acquire_timeout` fails the start: what was acquired is released in reverse
    /// order, and the process exits with 1 (rule S4), or with 78 if the error is [`Misconfigured`](crate::Misconfigured)
    /// or has one among its sources. Of an `optional` resource every failure is tolerated (rule S6); a `skippable` or
    /// `optional` one may return [`Skip`](crate::Skip).
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await if another resource fails, if a signal arrives, or at the time limit.
    /// `release` is not called in that case, so the values that the future holds must clean up when they are dropped.
    /// Tasks spawned through `cx` are stopped and waited for before anything beneath is released.
    fn acquire(cx: &Acquire<Self>) -> impl Future<Output = Result<Self>> + Send;

    /// Gives the resource back gracefully: flushes, closes, disconnects. By default it does nothing.
    ///
    /// It is called once, at the resource's turn, when everything that comes after it is gone and its own tasks have
    /// ended (rule D5). Right after it, the library drops its reference, on a thread of its own that has the context of
    /// the runtime: a `Drop` may block, spawn a task, and hold a tokio runtime. It is part of the release, which ends when
    /// it does. If a handle from [`Acquire::get`] or [`App::get`](crate::App::get) was kept and is the last one, the
    /// resource is dropped wherever that handle is; a runtime in it panics if that is in async code.
    ///
    /// # Errors
    ///
    /// An error or a panic is reported, [`abort`](Self::abort) is called, and the process exits with 1. The other
    /// resources still have their turns (rule D7).
    ///
    /// # Cancel safety
    ///
    /// It is polled at least once. At [`Release::deadline`] the future is dropped, and `abort` is called.
    fn release(&self, cx: &Release) -> impl Future<Output = Result> + Send {
        let _ = cx;
        async { Ok(()) }
    }

    /// The last resort if `release` did not complete, because of an error, a panic or the cut-off (rule D7). By default
    /// it does nothing.
    ///
    /// It must be quick and must not block: nothing waits for it beyond the resource's cut-off. It runs on a thread of
    /// its own, with the context of the runtime, and possibly at the same time as a `release` that is stuck in blocking code.
    fn abort(&self) {}

    /// Takes in what has changed outside, while the application runs: a certificate, a log filter, a configuration file,
    /// the size of a pool. Declare the resource `#[resource(reload)]`; without that, the hook does not compile.
    ///
    /// SIGHUP and [`App::reload`](crate::App::reload) ask for it: see [`reload`](crate::reload). Resources reload one after the other, each after what it comes after, and one reload at a time. Requests are served meanwhile, so
    /// make the new state complete first, and then put it in the place of the old one in one step.
    ///
    /// ```
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// use std::sync::{Arc, RwLock};
    ///
    /// use lifecycle::Reload;
    /// # struct Prices;
    /// # impl Prices { async fn read() -> Result<Self> { Ok(Self) } }
    ///
    /// #[resource(reload)]
    /// struct Catalogue(RwLock<Arc<Prices>>);
    ///
    /// impl Resource for Catalogue {
    ///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
    ///         Ok(Self(RwLock::new(Arc::new(Prices::read().await?))))
    ///     }
    ///
    ///     async fn reload(&self, _: &Reload) -> Result {
    ///         let prices = Prices::read().await?;
    ///         *self.0.write().unwrap() = Arc::new(prices);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// An error, a panic or an exceeded time limit is logged, reported and shown in `/status`. It ends nothing: the
    /// resource keeps what it had, the others reload, and the exit code is what it would have been.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await when the application begins to stop, and at its time limit
    /// ([`Reload::deadline`](crate::Reload::deadline)): the `acquire_timeout` of the resource, or else `startup_timeout`.
    /// A hook in blocking code cannot be dropped. It is never called a second time while the first call is still there.
    fn reload(&self, cx: &Self::Reload) -> impl Future<Output = Result> + Send {
        const { a_hook_may_be_missing::<Self::Reload>() };
        let _ = cx;
        async { Ok(()) }
    }

    /// Says whether the resource is usable. `/readyz` and `/servingz` of the probe answer 200 only if every check
    /// passes. By default it passes.
    ///
    /// The feature `probe` calls it on the application's runtime, for all resources concurrently, in one run at a time
    /// and at most once per second. Keep it short (`SELECT 1`, a PING), within its time limit of 2 s (see
    /// `Probe::check_timeout`). Let it fail only for what makes the application useless: if a database goes down, a
    /// failing check takes every instance out of service at once.
    ///
    /// ```
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # struct Pool;
    /// # impl Pool {
    /// #     async fn connect() -> Result<Self> { Ok(Self) }
    /// #     async fn ping(&self) -> Result { Ok(()) }
    /// # }
    /// #[resource]
    /// struct Db(Pool);
    ///
    /// impl Resource for Db {
    ///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
    ///         Ok(Self(Pool::connect().await?))
    ///     }
    ///
    ///     async fn check(&self) -> Result {
    ///         self.0.ping().await
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// An error, a panic or an exceeded time limit makes the application unready, and does not stop it. The log says
    /// when a check begins to fail and when it passes again. The check of an `optional` resource is only logged.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await at its time limit, or when the application begins to stop. It is gone before
    /// the resource is released.
    fn check(&self) -> impl Future<Output = Result> + Send {
        async { Ok(()) }
    }
}
