//! The trait of a resource that is only ever supplied.

use std::future::Future;

use super::declared::Declared;
use crate::handles::release::Release;
use crate::handles::reload::a_hook_may_be_missing;
use crate::model::failure::Result;

/// A resource that is never acquired: its instance is handed to [`Builder::supply`](crate::Builder::supply).
///
/// Declare it with `#[resource(supplied)]`. It takes the place of [`Resource`](crate::Resource), whose `acquire` would have
/// nothing to do: use it for what exists before the application, such as the arguments of the command line, or a pool of
/// the program around it. A resource that a test supplies, and the program acquires, is an ordinary `Resource`.
///
/// All methods do nothing by default. If no instance was supplied, the application does not start.
///
/// ```
/// use lifecycle::{Acquire, App, Resource, Result, Supplied, resource};
///
/// #[resource(supplied)]
/// struct Arguments(Vec<String>);
///
/// impl Supplied for Arguments {}
///
/// #[resource(after = Arguments)]
/// struct Files;
///
/// impl Resource for Files {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         println!("{} files", cx.get::<Arguments>().0.len());
///         Ok(Self)
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> lifecycle::Report {
/// let arguments = Arguments(std::env::args().collect());
/// App::builder().resources::<Files>().supply(arguments).run(async |_: App| {}).await
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared `supplied` but does not implement `Supplied`",
    label = "`impl lifecycle::Supplied for {Self} {{}}` is missing",
    note = "a resource that the application acquires itself implements `Resource`, and is not declared `supplied`"
)]
pub trait Supplied: Declared + Send + Sync {
    /// Gives the resource back gracefully: see [`Resource::release`](crate::Resource::release).
    ///
    /// # Errors
    ///
    /// An error or a panic is reported, [`abort`](Self::abort) is called, and the process exits with 1 (rule D7).
    ///
    /// # Cancel safety
    ///
    /// It is polled at least once. At [`Release::deadline`] the future is dropped, and `abort` is called.
    fn release(&self, cx: &Release) -> impl Future<Output = Result> + Send {
        let _ = cx;
        async { Ok(()) }
    }

    /// The last resort if `release` did not complete: see [`Resource::abort`](crate::Resource::abort).
    fn abort(&self) {}

    /// Takes in what has changed outside, while the application runs: see [`Resource::reload`](crate::Resource::reload).
    ///
    /// # Errors
    ///
    /// An error, a panic or an exceeded time limit ends nothing: the resource keeps what it had.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await when the application begins to stop, and at its time limit.
    fn reload(&self, cx: &Self::Reload) -> impl Future<Output = Result> + Send {
        const { a_hook_may_be_missing::<Self::Reload>() };
        let _ = cx;
        async { Ok(()) }
    }

    /// Says whether the resource is usable: see [`Resource::check`](crate::Resource::check).
    ///
    /// # Errors
    ///
    /// An error, a panic or an exceeded time limit makes the application unready, and does not stop it.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await at its time limit, or when the application begins to stop.
    fn check(&self) -> impl Future<Output = Result> + Send {
        async { Ok(()) }
    }
}
