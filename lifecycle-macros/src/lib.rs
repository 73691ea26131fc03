//! The attribute macros of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime). Depend on that crate, which
//! re-exports them, and write `lifecycle::resource` and `lifecycle::main`.
//!
//! An expansion takes four steps. `args` reads the options, each macro's `model` gives them a meaning, `check` judges
//! the model, and `expand` writes tokens. Every mistake goes into one collector (`ctxt`), so that one build reports all
//! of them. The item is emitted in any case, with defaults for what could not be read, or with a stand-in (`fallback`).
//! An expansion is data and calls into `lifecycle::private`, never logic.

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

/// Declares a struct as a resource of the application.
///
/// The options say what the resource needs and how long it may take. What happens when it is acquired and released is
/// in its `impl lifecycle::Resource`. The struct itself is not changed. The compiler checks the graph of all
/// declarations: a cycle, a dependency that is not a resource, and a missing `impl` are compile errors.
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
/// The resource is part of every application in the program that does not choose its resources (see `resources` of
/// [`main`](macro@main)), provided that its crate is linked. A dependency that no source file mentions is not linked.
///
/// The type is the identity: two databases are two newtypes, and a generic struct cannot be a resource.
///
/// # Options
///
/// All options are optional, and separated by commas. A duration is a string of integers with the units `h`, `m`, `s`
/// and `ms`, in this order: `"250ms"`, `"30s"`, `"1m 30s"`.
///
/// | option | meaning | default | stands for |
/// |---|---|---|---|
/// | `after = Db`, `after = [Db, crate::Cache]` | acquired after these resources, released before them, and allowed to `get` them | nothing | `impl DependsOn<Db> for Jobs`, which `cx.get::<Db>()` requires |
/// | `name = "jobs"` | the name in logs and reports | the name of the type | `name: "jobs"` |
/// | `acquire_timeout = "10s"` | how long `acquire` may take; not zero | only the limit of the whole start | `acquire_timeout: Some(Duration)` |
/// | `drain_timeout = "15s"` | how long tasks may drain, from the start of the resource's turn | up to the cut-off | `drain_timeout: Some(Duration)` |
/// | `reserve = "2s"` | the time that is set aside for the resource's turn, whatever other resources do | 1 s | `reserve: Some(Duration)` |
/// | `optional` | a failure does not fail the application, and dependents get `Option<Arc<Self>>` | a failure fails the application | `type Handle = Option<Arc<Self>>` |
/// | `foundation` | every resource that is not a foundation comes after this one; may itself come only after foundations | | `const FOUNDATION: bool = true` |
/// | `crate = path::to::lifecycle` | the path of the runtime crate | `::lifecycle` | that path in place of `::lifecycle` |
///
/// # Expansion
///
/// The example expands to the struct and, slightly shortened, this:
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

/// Makes an `async fn` the entry point of an application: starts it, runs it and stops it.
///
/// First of all, signals are caught. Then a tokio runtime is built, every resource is acquired, and the body runs. The
/// application ends when a signal arrives, something requests a stop, something fails, or nothing is left to do: the
/// body has returned and no supervised task is running.
///
/// In a program whose `main` must stay as it is, use `lifecycle::App::builder()` instead.
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
/// The function may take the `App` as its only parameter. It returns `()`, an `ExitCode`, or a `Result` of one of these
/// with any error that converts to `lifecycle::BoxError`. Its future need not be `Send`. It need not be called `main`:
/// with any name it becomes a function that runs the application and returns its `Report`.
///
/// # Options
///
/// All options are optional, and separated by commas. Each stands for a call on `lifecycle::App::builder()`, or for a
/// setting of the tokio runtime. Durations are written as for [`resource`](macro@resource). Where an operator sets the
/// corresponding environment variable, the variable wins.
///
/// | option | meaning | default | stands for |
/// |---|---|---|---|
/// | `shutdown_timeout = "30s"` | the limit of the whole stop; not zero | 25 s, or less if the platform's grace period is short | `.shutdown_timeout(Duration)` |
/// | `startup_timeout = "60s"` or `"none"` | the limit of the whole start; not zero | 60 s | `.startup_timeout(Duration)` or `.startup_timeout(None)` |
/// | `drain_delay = "5s"` | how long to keep serving while load balancers notice | 5 s in Kubernetes if something serves requests, else 0 | `.drain_delay(Duration)` |
/// | `probe = "0.0.0.0:8081"` | answers `/livez`, `/readyz`, `/startupz` and `/status` at this address; needs the feature `probe` | no probe | `.probe(SocketAddr)` |
/// | `prestop` | the probe also answers `/prestop`, for a preStop hook of Kubernetes | | `.probe(Probe::at(SocketAddr).prestop())` |
/// | `resources = [Http, Metrics]` | the application consists of these resources and what they need | every declared resource | `.resources::<Http>().resources::<Metrics>()` |
/// | `flavor = "multi_thread"` or `"current_thread"` | the kind of tokio runtime | `"multi_thread"` | `tokio::runtime::Builder::new_multi_thread()` |
/// | `worker_threads = 4` | how many threads the multi-threaded runtime has | tokio's default | `.worker_threads(4)` |
/// | `crate = path::to::lifecycle` | the path of the runtime crate | `::lifecycle` | that path in place of `::lifecycle` |
///
/// # Attributes
///
/// Documentation, lint levels, `cfg` and similar attributes go to the function that the program calls. All others, such
/// as `#[tracing::instrument]`, stay on the `async fn`.
///
/// # Expansion
///
/// The second example expands to this, slightly shortened:
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
