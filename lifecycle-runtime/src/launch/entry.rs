//! What `#[lifecycle::main]` expands to: a runtime with an application on it.

use std::future::Future;
use std::pin::{Pin, pin};

use tokio::runtime::Runtime;

use super::builder::{Builder, refused};
use super::config::{lack, refuse};
use super::environment::Environment;
use super::runtime;
use super::threads::Threads;
use crate::engine::settings::{BodyKind, Ending};
use crate::handles::app::App;
use crate::handles::body::Output;
use crate::model::report::Report;
use crate::process::block_on;

/// The options of the attribute.
#[derive(Debug)]
pub struct Main {
    /// The options of the application.
    pub builder: Builder,
    /// The runtime it runs on.
    pub threads: Threads,
    /// What the function's block holds.
    pub body: Body,
    /// The function is the program's own `main`: when it returns, the process ends.
    pub is_program: bool,
}

/// What the function's block holds.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Nothing: the resources are the application.
    Empty,
    /// Statements.
    Written,
}

/// Where a function called `main` stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// `module_path!()`.
    pub module: &'static str,
    /// The path of an item in the function's block, by `type_name_of_val`: it also names functions around this one.
    pub item: &'static str,
    /// `option_env!("CARGO_BIN_NAME")`: set by cargo for binaries and examples.
    pub binary: Option<&'static str>,
    /// `option_env!("CARGO_PKG_NAME")`: set by cargo for all crates.
    pub package: Option<&'static str>,
    /// `cfg!(test)`: the test harness has a `main` of its own.
    pub is_test: bool,
}

impl Place {
    /// Whether the function is the `main` of the program.
    #[must_use]
    pub fn is_program(self) -> bool {
        let Self { module, item, binary, package, is_test } = self;
        let is_root = !module.contains("::");
        let is_nested = item.strip_prefix(module).is_some_and(|path| path.matches("::").count() > 2);
        let is_binary = binary.is_some() || package.is_none();
        is_root && !is_nested && is_binary && !is_test
    }
}

/// Runs an application from its first signal handler to its end.
pub fn run<F, Fut>(main: Main, body: F) -> Report
where
    F: FnOnce(App) -> Fut,
    Fut: Future<Output: Output>,
{
    let (runtime, builder, kind, ending) = match prepare(main) {
        Ok(prepared) => prepared,
        Err(report) => return *report,
    };
    finish(runtime, Box::pin(builder.live(kind, ending, body)))
}

/// The runtime of an application, and its options.
fn prepare(main: Main) -> Result<(Runtime, Builder, BodyKind, Ending), Box<Report>> {
    let Main { builder, threads, body: kind, is_program } = main;
    // Before the runtime exists: as PID 1, a SIGTERM without a handler would be lost (rule S1).
    let builder = builder.handle_signals();
    let environment = Environment::of_this_process();
    let threads = match threads.resolve(&environment) {
        Ok(threads) => threads,
        Err(mistake) => {
            // All mistakes are reported at once.
            let mut mistakes = vec![refuse(mistake)];
            mistakes.extend(builder.config().err().unwrap_or_default());
            return Err(Box::new(refused(mistakes)));
        }
    };
    let runtime = runtime::build(threads).map_err(|why| Box::new(refused(vec![lack(why)])))?;
    let kind = match kind {
        Body::Empty => BodyKind::Empty,
        Body::Written => BodyKind::Written,
    };
    let ending = if is_program { Ending::Process } else { Ending::Application };
    Ok((runtime, builder, kind, ending))
}

/// Lives, and leaves the runtime behind. The life is in a box: what runs a future is made here, and not in each program.
fn finish(runtime: Runtime, life: Pin<Box<dyn Future<Output = Report> + '_>>) -> Report {
    let mut report = None;
    block_on(&runtime, pin!(async { report = Some(life.await) }));
    // What still runs was reported as stuck, or is not ours. It cannot keep the process alive (rule D10).
    runtime.shutdown_background();
    report.expect("the life has ended")
}

#[cfg(test)]
mod tests {
    use super::Place;

    const PROGRAM: Place = Place {
        module: "server",
        item: "server::main::main",
        binary: Some("server"),
        package: Some("server"),
        is_test: false,
    };

    #[test]
    fn main_at_the_root_of_a_binary_is_the_program() {
        assert!(PROGRAM.is_program());
        let without_cargo = Place { binary: None, package: None, ..PROGRAM };
        assert!(without_cargo.is_program());
    }

    #[test]
    fn main_anywhere_else_is_a_function() {
        let in_module = Place { module: "server::worker", item: "server::worker::main::main", ..PROGRAM };
        let in_function = Place { item: "server::main::main::main", ..PROGRAM };
        let in_library = Place { binary: None, ..PROGRAM };
        let in_test = Place { is_test: true, ..PROGRAM };
        for place in [in_module, in_function, in_library, in_test] {
            assert!(!place.is_program(), "{place:?}");
        }
    }
}
