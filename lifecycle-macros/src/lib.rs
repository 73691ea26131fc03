//! The attribute macros of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime), which re-exports them: depend on
//! that crate, and write `lifecycle::resource` and `lifecycle::main`.
//!
//! How an expansion comes to be: `args` reads the options, and each macro's `model` gives them a meaning; `check`
//! judges the model; `expand` writes tokens. Every mistake goes into one collector (`ctxt`), so that all of them are
//! reported in one build; the item is emitted all the same, with defaults for what could not be read, or with a
//! stand-in (`fallback`). An expansion is data and calls into `lifecycle::private`, never logic.

#![expect(
    special_module_name,
    reason = "`main` is named for the macro, as `resource` is; there is no main.rs"
)]

use proc_macro::TokenStream;

mod args;
mod ctxt;
mod duration;
mod fallback;
mod item;
mod main;
mod paths;
mod resource;
mod symbol;
#[cfg(test)]
mod tests;

/// Declares a struct to be a resource of the application.
///
/// The struct stays as it is. What it does when it is acquired and released is in its `impl lifecycle::Resource`; what
/// it needs, and how long it may take, is in the options here. The compiler checks the graph of all declarations: a
/// cycle, a dependency that is no resource and a missing `impl` do not compile.
///
/// ```text
/// use lifecycle::{Acquire, Resource, Result, resource};
///
/// #[resource(after = Db, reserve = "5s")]
/// struct Jobs {
///     queue: Queue,
/// }
///
/// impl Resource for Jobs {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         let db = cx.get::<Db>();
///         Ok(Jobs { queue: Queue::open(db).await? })
///     }
/// }
/// ```
///
/// A declared resource is part of every application in the program that does not choose its own (see `resources` of
/// [`main`](macro@main)), provided that its crate is linked: a dependency that nothing in the source mentions is not.
///
/// The type is the identity: two databases are two newtypes, and a generic struct is refused.
///
/// # Options
///
/// All are optional, and separated by commas. A duration is a string of integers with the units `ms`, `s`, `m` and `h`,
/// from long to short: `"250ms"`, `"30s"`, `"1m 30s"`.
///
/// | option | meaning | stands for |
/// |---|---|---|
/// | `after = Db`, `after = [Db, crate::Cache]` | is acquired after these and released before them, and may ask for them | `impl DependsOn<Db> for Jobs`, which is what `cx.get::<Db>()` needs |
/// | `name = "jobs"` | the name in logs and reports; otherwise that of the type | `name: "jobs"` |
/// | `acquire_timeout = "10s"` | how long `acquire` may take; otherwise the start-up's limit alone. Zero is refused | `acquire_timeout: Some(Duration)` |
/// | `drain_timeout = "15s"` | how long tasks may drain from the start of this resource's turn; otherwise up to its cut-off | `drain_timeout: Some(Duration)` |
/// | `reserve = "2s"` | the time that is set aside for this resource's turn, whatever others do; otherwise 1 s | `reserve: Some(Duration)` |
/// | `optional` | a failure does not fail the application; dependents get `Option<Arc<Self>>` | `type Handle = Option<Arc<Self>>` |
/// | `foundation` | whatever is no foundation comes after this one, unsaid. It may itself only come after foundations | `const FOUNDATION: bool = true` |
/// | `crate = path::to::lifecycle` | where the runtime crate is, if not at `::lifecycle` | that path in place of `::lifecycle` |
///
/// # Expansion
///
/// The `Jobs` of the example become the struct, followed by this, somewhat shortened:
///
/// ```text
/// const _: () = {
///     static NODE: Node = Node::new::<Jobs>(Declaration {
///         name: "Jobs",
///         after: &[<Db as Declared>::node],
///         reserve: Some(Duration::new(5, 0)),
///         // … and the other options
///     });
///     impl Declared for Jobs {
///         type Handle = Arc<Self>;
///         const DEPTH: usize = depth([<Db as Declared>::DEPTH]); // a cycle cannot be evaluated
///         const FOUNDATION: bool = false;
///         fn node() -> &'static Node {
///             &NODE
///         }
///     }
///     impl DependsOn<Db> for Jobs {}
///     inventory::submit! { Registered(|| &NODE) }
/// };
/// ```
#[proc_macro_attribute]
pub fn resource(options: TokenStream, item: TokenStream) -> TokenStream {
    resource::resource(options.into(), &item.into()).into()
}

/// Makes an `async fn` the entry point of an application: starts it, runs it, and tears it down.
///
/// Signals are handled before anything else happens. Then a tokio runtime is made, every resource is acquired, and the
/// body runs. The application ends when a signal arrives, something asks for shutdown, something fails, or nothing is
/// left to live for: the body has returned, and no supervised task is alive.
///
/// ```text
/// #[lifecycle::main]
/// async fn main() {}
///
/// #[lifecycle::main(shutdown_timeout = "10s", resources = [Db])]
/// async fn main(app: lifecycle::App) -> lifecycle::Result {
///     app.get::<Db>().migrate().await?;
///     Ok(())
/// }
/// ```
///
/// The function may take the `App`. It returns `()`, an `ExitCode`, or a `Result` of one of these with any error that
/// `?` can box. Its future need not be `Send`. It need not be called `main`: any other name gives a function that runs
/// the application and returns its `Report`.
///
/// # Options
///
/// All are optional, and separated by commas. Each stands for a call on `lifecycle::App::builder()`, or for a setting
/// of the tokio runtime. Durations are written as for [`resource`](macro@resource). Environment variables of the
/// operator win over those that have one.
///
/// | option | meaning | stands for |
/// |---|---|---|
/// | `shutdown_timeout = "30s"` | all of shutdown happens within this time; otherwise what the platform's grace period allows. Zero is refused | `.shutdown_timeout(Duration)` |
/// | `startup_timeout = "60s"` or `"none"` | all of start-up happens within this time; 60 s by default | `.startup_timeout(Duration)` or `.startup_timeout(None)` |
/// | `drain_delay = "5s"` | how long to go on serving while load balancers notice; 5 s in Kubernetes by default, else none | `.drain_delay(Duration)` |
/// | `probe = "0.0.0.0:8081"` | answers `/livez`, `/readyz`, `/startupz` and `/status` there; needs the feature `probe` | `.probe(SocketAddr)` |
/// | `prestop` | the probe answers `/prestop` too, for a preStop hook of Kubernetes | `.probe(Probe::at(SocketAddr).prestop())` |
/// | `resources = [Http, Metrics]` | these and what they need, in place of every declared resource | `.resources::<Http>().resources::<Metrics>()` |
/// | `flavor = "multi_thread"` or `"current_thread"` | the kind of tokio runtime; the first by default | `tokio::runtime::Builder::new_multi_thread()` |
/// | `worker_threads = 4` | how many threads the multi-threaded runtime has; otherwise tokio decides | `.worker_threads(4)` |
/// | `crate = path::to::lifecycle` | where the runtime crate is, if not at `::lifecycle` | that path in place of `::lifecycle` |
///
/// # Attributes
///
/// Documentation, lint levels, `cfg` and the like belong to the function that the program calls. Any other attribute,
/// such as `#[tracing::instrument]`, stays on the `async fn`.
///
/// # Expansion
///
/// The second example becomes this, somewhat shortened:
///
/// ```text
/// fn main() -> lifecycle::Report {
///     async fn main(app: lifecycle::App) -> lifecycle::Result {
///         app.get::<Db>().migrate().await?;
///         Ok(())
///     }
///     run(
///         Main {
///             builder: App::builder().shutdown_timeout(Duration::new(10, 0)).resources::<Db>(),
///             threads: Threads::Multi { workers: None },
///             body: Body::Written,
///         },
///         main,
///     )
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main::main(options.into(), &item.into()).into()
}
