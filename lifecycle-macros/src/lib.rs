//! The attribute macros of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime), which re-exports them: depend on
//! that crate, and write `lifecycle::resource` and `lifecycle::main`.
//!
//! Each macro works in four steps: `args` reads the options, the macro's `model` gives them a meaning, its `check`
//! reports what is wrong, and its `expand` writes tokens. All mistakes go to one collector (`ctxt`) and are reported in
//! one build. The item is always emitted, with defaults for options that could not be read, or with a stub
//! (`fallback`). An expansion is data and calls into `lifecycle::private`, never logic.
//!
//! Each module uses only modules on lower floors:
//!
//! ```text
//! lib                               entry points and their documentation
//! main/  resource/                  one macro each; within: expand and fallback, check, model, then the parts it reads
//! args/                             the list of options and the values in it
//! item  paths  option  duration/    what options and items consist of
//! ctxt  tokens                      the error collector; scans of token lists
//! ```

#![expect(
    special_module_name,
    reason = "`main` is named for the macro, as `resource` is; there is no main.rs"
)]

use proc_macro::TokenStream;

mod args;
mod ctxt;
mod duration;
mod item;
mod main;
mod option;
mod paths;
mod resource;
#[cfg(test)]
mod tests;
mod tokens;

/// Declares a struct as a resource of the application.
///
/// The struct stays as it is. Its `impl lifecycle::Resource` says how to acquire and release it; the options here say
/// what it needs and how long it may take. The compiler checks the graph of all declarations: a cycle, a dependency
/// that is not a resource and a missing `impl` do not compile.
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
/// A declared resource is part of an application if the application asks for it, or for something that comes after it.
/// `#[lifecycle::main]` asks for the resources of its own package (see `resources` of [`main`](macro@main)).
///
/// Each resource is one type: two databases are two newtypes, and a generic struct is an error.
///
/// # Options
///
/// All are optional, and separated by commas.
///
/// A duration is a string: one or more numbers, each with a unit, from the longest unit to the shortest. The units are
/// `h`, `m` (or `min`), `s` and `ms`. The last number may have decimal places: `"250ms"`, `"1.5s"`, `"1m 30s"`.
///
/// | option | meaning | stands for |
/// |---|---|---|
/// | `after = Db`, `after = [Db, crate::Cache]` | acquired after these and released before them; `acquire` may use them | `impl DependsOn<Db> for Jobs`, which is what `cx.get::<Db>()` needs |
/// | `name = "jobs"` | the name in logs and reports; by default the name of the type. At most 64 characters, all visible, and not `main` | `name: "jobs"` |
/// | `acquire_timeout = "10s"` | the time limit of `acquire`; by default only `startup_timeout` applies. Zero is an error | `acquire_timeout: Some(Duration)` |
/// | `drain_timeout = "15s"` | the time that tasks have to finish from the start of this resource's turn; by default until its cut-off | `drain_timeout: Some(Duration)` |
/// | `reserve = "2s"` | the time that is set aside for this resource's turn, whatever other resources do; by default 1 s | `reserve: Some(Duration)` |
/// | `optional` | no failure of this resource fails the application, and `Skip` switches it off; dependents get `Option<Arc<Self>>` | `type Handle = Option<Arc<Self>>` |
/// | `skippable` | `Err(lifecycle::Skip.into())` switches the resource off, and dependents get `Option<Arc<Self>>`; every other failure is fatal | `type Handle = Option<Arc<Self>>` |
/// | `reload` | the resource has the hook `reload`, which SIGHUP and `App::reload` call while the application runs; its limit is `acquire_timeout` | `type Reload = Reload` |
/// | `foundation` | every resource that is not a foundation comes after this one. A foundation may only come after foundations | `const FOUNDATION: bool = true` |
/// | `supplied` | never acquired: the instance is handed to `App::builder().supply(…)`. It implements `lifecycle::Supplied` in place of `Resource`. Without an instance, the application does not start | `Node::supplied::<Jobs>` |
/// | `crate = path::to::lifecycle` | the path of the runtime crate, if it is not `::lifecycle` | that path instead of `::lifecycle` |
///
/// # Errors of the compiler
///
/// What the compiler says in its own words, and what it means:
///
/// | error | meaning |
/// |---|---|
/// | cycle detected … `RESOURCES_THAT_COME_AFTER_EACH_OTHER` | the resources that it points to come after each other; remove one of their `after` |
/// | method `reload` has an incompatible type for trait … expected `NotDeclaredReload` | the resource is not declared `reload`: write `#[resource(reload)]`, or remove the hook |
/// | evaluation panicked: a resource that is declared `reload` has the hook | its `impl` has none; the compiler says so when it builds, not when it checks |
/// | queries overflow the depth limit | a chain, or a cycle, of more than about 120 resources; for a chain, put `#![recursion_limit = "256"]` at the top of the crate |
/// | conflicting implementations of trait `DependsOn<Db>` | `after` names `Db` twice, by two paths or under two names |
/// | unresolved import `lifecycle`, cannot find `lifecycle` in the crate root | the runtime is a dependency under another name; write `crate = that_name` in every attribute. "Is not declared as a resource" follows from it |
/// | unresolved import `that_name::private`, cannot find `private` in `that_name` | `that_name` in `crate = that_name` is not the runtime |
///
/// # Expansion
///
/// The example expands to the struct, followed by this, slightly shortened:
///
/// ```text
/// const _: () = {
///     use lifecycle::private::*;
///
///     static NODE: Node = Node::new::<Jobs>(Declaration {
///         name: "Jobs",
///         after: &[dependency::<Jobs, Db>()],
///         reserve: Some(Duration::new(5, 0)),
///         // … and the other options
///     });
///     impl Declared for Jobs {
///         type Handle = Arc<Self>;
///         type Reload = NotDeclaredReload;
///         // A depth in the graph, which cannot be evaluated in a cycle.
///         const RESOURCES_THAT_COME_AFTER_EACH_OTHER: usize = 1 + depth::<Db>();
///         fn node() -> &'static Node {
///             &NODE
///         }
///     }
///     impl DependsOn<Db> for Jobs {
///         type Dependency = Db;
///     }
///     inventory::submit! { Registered(&NODE) }
/// };
/// ```
#[proc_macro_attribute]
pub fn resource(options: TokenStream, item: TokenStream) -> TokenStream {
    resource::resource(options.into(), &item.into()).into()
}

/// Makes an `async fn` the entry point of an application: starts it, runs it, and stops it.
///
/// First, signal handlers are installed. Then a tokio runtime is built, the resources are acquired, and the body runs.
/// The application ends when a signal arrives, something asks for shutdown, something fails, or the body has returned
/// and no supervised task is alive.
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
/// `?` can box. Its future need not be `Send`.
///
/// The function may have any name and stand anywhere, in a library or a test for example. It becomes a function that
/// runs the application and returns its `Report`.
///
/// # Options
///
/// All are optional, and separated by commas. Each stands for a call on `lifecycle::App::builder()`, or for a setting
/// of the tokio runtime. Durations are written as for [`resource`](macro@resource). Some options have an environment
/// variable, which overrides them.
///
/// | option | meaning | stands for |
/// |---|---|---|
/// | `shutdown_timeout = "30s"` | the time limit of the whole shutdown; by default what the platform's grace period allows. Zero is an error | `.shutdown_timeout(Duration)` |
/// | `startup_timeout = "60s"` or `"none"` | the time limit of the whole start; by default 60 s | `.startup_timeout(Duration)` or `.startup_timeout(None)` |
/// | `drain_delay = "5s"` | how long to go on serving while load balancers notice the shutdown; by default 5 s in Kubernetes if something serves requests, and 0 elsewhere | `.drain_delay(Duration)` |
/// | `hangup = "reload"`, `"stop"` or `"ignore"` | what SIGHUP does; by default it reloads if a resource is declared `reload`, and otherwise stops. `"ignore"` leaves it to the program | `.hangup(Hangup::Reload)` |
/// | `probe = "0.0.0.0:8081"` | answers `/livez`, `/readyz`, `/servingz`, `/startupz` and `/status` there; needs the feature `probe` | `.probe(SocketAddr)` |
/// | `prestop` | the probe also answers `/prestop`, for a preStop hook of Kubernetes | `.probe(Probe::at(SocketAddr).prestop())` |
/// | `resources = [Http, Metrics]`, `resources = []` | these and what they need, instead of the resources of this package | `.resources::<Http>().resources::<Metrics>()` |
/// | `resources = linked` | every resource that is linked into the program, instead of those of this package alone | no selection |
/// | `flavor = "multi_thread"` or `"current_thread"` | the kind of tokio runtime; by default `"multi_thread"` | `tokio::runtime::Builder::new_multi_thread()` |
/// | `worker_threads = 4` | the number of worker threads of the multi-threaded runtime; by default tokio decides. `LIFECYCLE_WORKER_THREADS` overrides it, and is refused on one thread | `.worker_threads(4)` |
/// | `crate = path::to::lifecycle` | the path of the runtime crate, if it is not `::lifecycle` | that path instead of `::lifecycle` |
///
/// # Which resources are started
///
/// By default, the application consists of the resources of the package in which the attribute stands, and of what these
/// need in their `after`, from whatever package. All crates of the package count (its library, and the binary that is
/// running). So a program that calls a function of a library does not start the library's resources with it.
///
/// `resources = [Http, Metrics]` names the resources instead, from any package; these and what they need are started, and
/// `resources = []` starts none. `resources = linked` starts every resource that is linked into the program: write it
/// where the resources of an application are in several packages, and all of them are wanted.
///
/// Rust does not link a crate that no source file mentions: write `use that_crate as _;`. Without cargo, which tells a
/// crate the name of its package, each crate is a package.
///
/// The first line of the log lists the resources that are started, and those that are linked and left out.
///
/// # Attributes
///
/// Documentation, lint levels, `cfg` and similar attributes go to the function that the program calls. Any other
/// attribute, such as `#[tracing::instrument]`, stays on the `async fn`.
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
///             is_program: true,
///         },
///         main,
///     )
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main::main(options.into(), &item.into()).into()
}
