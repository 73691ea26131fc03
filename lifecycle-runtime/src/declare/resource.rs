//! The trait that a resource implements.

use std::future::Future;

use crate::handles::acquire::Acquire;
use crate::handles::release::Release;
use crate::model::failure::Result;

/// Something that is acquired when the application starts and released when it stops.
///
/// Declare it with [`#[resource]`](macro@crate::resource), which says what it comes after. Only
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
pub trait Resource: Sized + Send + Sync + 'static {
    /// Makes the resource. It is called once, when everything in `after` is there (rule S2), and concurrently with
    /// the acquisition of resources that have nothing to do with it.
    ///
    /// # Errors
    ///
    /// An error, a panic or running into `acquire_timeout` ends the start: what was acquired is released in reverse,
    /// and the process exits with 1 (rule S4).
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await when another resource fails, when a signal arrives or when its time is up;
    /// `release` is then not called, so that what it holds at that moment must clean up by being dropped. Tasks that
    /// it spawned by way of `cx` are stopped and waited for before anything beneath is released.
    fn acquire(cx: &Acquire<Self>) -> impl Future<Output = Result<Self>> + Send;

    /// Gives the resource back, gracefully. It is called once, at the resource's turn: after everything that comes
    /// after it is gone and its own tasks have ended (rule D5). The runtime's reference is dropped right after.
    ///
    /// # Errors
    ///
    /// An error or a panic is reported, makes [`abort`](Self::abort) be called, and the process exit with 1. The
    /// other resources have their turns all the same (rule D7).
    ///
    /// # Cancel safety
    ///
    /// It is polled at least once. At the cut-off ([`Release::deadline`]) the future is dropped and `abort` is called.
    fn release(&self, cx: &Release) -> impl Future<Output = Result> + Send {
        let _ = cx;
        async { Ok(()) }
    }

    /// The last resort when `release` did not complete: an error, a panic, or no time left (rule D7). It must be
    /// quick and must not block; it is not waited for beyond the resource's cut-off. It runs on a thread of its own,
    /// outside the runtime, and maybe beside a `release` that is stuck in blocking code.
    fn abort(&self) {}

    /// Whether the resource can be used, asked while the application runs: `/readyz` of the probe says 200 only if
    /// every check passes. The default passes.
    ///
    /// The feature `probe` calls it, on the application's runtime: for all resources concurrently, one run at a time,
    /// once a second at most however many ask. Keep it short, and within its time limit of 2 s (see
    /// `Probe::check_timeout`): `SELECT 1`, a PING. It should fail only for what makes the application useless: when
    /// a database goes down, a failing check takes every instance out of service at once.
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
    /// An error, a panic or running into the time limit makes the application unready, and nothing else: it is not
    /// ended. It is logged when it begins and when it ends. Of an `optional` resource it is logged only.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await when its time is up, and when the application begins to stop. It is never
    /// there when the resource is released.
    fn check(&self) -> impl Future<Output = Result> + Send {
        async { Ok(()) }
    }
}
