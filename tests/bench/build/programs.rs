//! The programs that are built: what a newcomer would write first, with the framework and without it.

use std::fmt::Write as _;

/// A program of a package that depends on nothing else.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    /// Lines of `[dependencies]`. `{}` stands for the folder of the workspace.
    pub(super) dependencies: &'static str,
    pub(super) code: String,
}

const TOKIO: &str =
    r#"tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "sync", "time"] }"#;
const LIFECYCLE: &str = r#"lifecycle = { path = "{}/lifecycle-runtime", package = "lifecycle-runtime" }"#;

/// One task, and the end at Ctrl-C.
pub(super) fn hello() -> [Program; 3] {
    let program = |name: &str, dependencies, code: &str| Program {
        name: name.to_owned(),
        dependencies,
        code: code.to_owned(),
    };
    [
        program(
            "tokio",
            TOKIO,
            r#"#[tokio::main]
async fn main() {
    println!("ready");
    let work = tokio::spawn(std::future::pending::<()>());
    tokio::signal::ctrl_c().await.unwrap();
    work.abort();
}
"#,
        ),
        program(
            "tokio-graceful-shutdown",
            concat!(
                r#"tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "time"] }"#,
                "\ntokio-graceful-shutdown = \"0.20\"\nmiette = \"7\""
            ),
            r#"use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

async fn work(subsystem: &mut SubsystemHandle) -> miette::Result<()> {
    println!("ready");
    subsystem.on_shutdown_requested().await;
    Ok(())
}

#[tokio::main]
async fn main() -> miette::Result<()> {
    Toplevel::new(async |root: &mut SubsystemHandle| {
        root.start(SubsystemBuilder::new("Work", work));
    })
    .catch_signals()
    .handle_shutdown_requests(std::time::Duration::from_secs(1))
    .await
    .map_err(Into::into)
}
"#,
        ),
        program(
            "lifecycle",
            LIFECYCLE,
            r#"use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Work;

impl Resource for Work {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        println!("ready");
        cx.spawn("work", |stopping| stopping);
        Ok(Self)
    }
}

#[lifecycle::main]
async fn main() {}
"#,
        ),
    ]
}

/// axum alone, without the framework.
const AXUM: &str = r#"use axum::{Router, routing::get};

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("ready");
    let asked = async { tokio::signal::ctrl_c().await.unwrap() };
    axum::serve(listener, Router::new().route("/", get("OK"))).with_graceful_shutdown(asked).await.unwrap();
}
"#;

/// A server of one route. axum speaks HTTP/2 only with a feature of its own, `serve_http` in any case.
pub(super) fn server() -> [Program; 3] {
    let program = |name: &str, dependencies, code: &str| Program {
        name: name.to_owned(),
        dependencies,
        code: code.to_owned(),
    };
    [
        program(
            "axum",
            concat!(
                r#"tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "time", "net"] }"#,
                "\naxum = \"0.8\""
            ),
            AXUM,
        ),
        program(
            "axum with HTTP/2",
            concat!(
                r#"tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "time", "net"] }"#,
                "\naxum = { version = \"0.8\", features = [\"http2\"] }"
            ),
            AXUM,
        ),
        program(
            "lifecycle with http, and axum",
            concat!(
                r#"lifecycle = { path = "{}/lifecycle-runtime", package = "lifecycle-runtime", features = ["http"] }"#,
                "\ntokio = { version = \"1\", features = [\"net\"] }\naxum = \"0.8\""
            ),
            r#"use axum::{Router, routing::get};
use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("ready");
        cx.serve_http(listener, Router::new().route("/", get("OK")));
        Ok(Self)
    }
}

#[lifecycle::main]
async fn main() {}
"#,
        ),
    ]
}

/// How many stand beside one another; each needs two of those before.
const ABREAST: usize = 10;

fn needed_by(number: usize) -> Vec<usize> {
    let Some(first) = (number / ABREAST).checked_sub(1).map(|row| row * ABREAST) else { return Vec::new() };
    vec![first + number % ABREAST, first + (number + 1) % ABREAST]
}

/// The same graph of so many resources, by hand and with the framework.
pub(super) fn resources(count: usize) -> [Program; 2] {
    [
        Program { name: format!("{count} by hand"), dependencies: TOKIO, code: by_hand(count) },
        Program { name: format!("{count} resources"), dependencies: LIFECYCLE, code: with_lifecycle(count) },
    ]
}

fn with_lifecycle(count: usize) -> String {
    let mut code = "use lifecycle::{Acquire, Release, Resource, Result, resource};\n".to_owned();
    for number in 0..count {
        let needed = needed_by(number);
        let after: Vec<_> = needed.iter().map(|needed| format!("R{needed}")).collect();
        let after =
            if after.is_empty() { String::new() } else { format!("(after = [{}])", after.join(", ")) };
        let got: Vec<_> = needed.iter().map(|needed| format!("cx.get::<R{needed}>().value")).collect();
        let got = if got.is_empty() { "1".to_owned() } else { got.join(" ^ ") };
        let cx = if needed.is_empty() { "_" } else { "cx" };
        let _ = write!(
            code,
            "
#[resource{after}]
struct R{number} {{ value: usize }}

impl Resource for R{number} {{
    async fn acquire({cx}: &Acquire<Self>) -> Result<Self> {{
        tokio_yield().await;
        Ok(Self {{ value: {got} }})
    }}
    async fn release(&self, _: &Release) -> Result {{
        tokio_yield().await;
        std::hint::black_box(self.value);
        Ok(())
    }}
}}
"
        );
    }
    code + YIELD + "\n#[lifecycle::main]\nasync fn main() {}\n"
}

/// The members of a row are acquired concurrently, the rows one after the other. All are released one by one, from the last.
fn by_hand(count: usize) -> String {
    let mut code = "use std::sync::Arc;\n\ntype Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;\n".to_owned();
    for number in 0..count {
        let needed = needed_by(number);
        let parameters: Vec<_> = needed.iter().map(|needed| format!("r{needed}: Arc<R{needed}>")).collect();
        let got: Vec<_> = needed.iter().map(|needed| format!("r{needed}.value")).collect();
        let got = if got.is_empty() { "1".to_owned() } else { got.join(" ^ ") };
        let _ = write!(
            code,
            "
struct R{number} {{ value: usize }}

impl R{number} {{
    async fn acquire({}) -> Result<Arc<Self>> {{
        tokio_yield().await;
        Ok(Arc::new(Self {{ value: {got} }}))
    }}
    async fn release(&self) -> Result {{
        tokio_yield().await;
        std::hint::black_box(self.value);
        Ok(())
    }}
}}
",
            parameters.join(", ")
        );
    }
    let rows = count.div_ceil(ABREAST);
    let (mut starts, mut stops) = (String::new(), String::new());
    for row in 0..rows {
        let members = row * ABREAST..count.min((row + 1) * ABREAST);
        let each = |f: &dyn Fn(usize) -> String| members.clone().map(f).collect::<Vec<_>>().join(", ");
        let fields = each(&|member| format!("r{member}: Arc<R{member}>"));
        let names = each(&|member| format!("r{member}"));
        let acquired = each(&|member| {
            let needed = needed_by(member);
            let needed: Vec<_> = needed.iter().map(|needed| format!("below.r{needed}.clone()")).collect();
            format!("R{member}::acquire({})", needed.join(", "))
        });
        let released: String = members
            .clone()
            .rev()
            .map(|member| format!("        self.r{member}.release().await?;\n"))
            .collect();
        let below = row.checked_sub(1).map_or(String::new(), |below| format!("below: &Row{below}"));
        let _ = write!(
            code,
            "
struct Row{row} {{ {fields} }}

impl Row{row} {{
    async fn start({below}) -> Result<Self> {{
        let ({names}) = tokio::try_join!({acquired})?;
        Ok(Self {{ {names} }})
    }}
    async fn stop(self) -> Result {{
{released}        Ok(())
    }}
}}
"
        );
        let below = row.checked_sub(1).map_or(String::new(), |below| format!("&row{below}"));
        let _ = writeln!(starts, "    let row{row} = Row{row}::start({below}).await?;");
        stops.insert_str(0, &format!("    row{row}.stop().await?;\n"));
    }
    let wait = "    tokio::signal::ctrl_c().await?;\n";
    format!(
        "{code}{YIELD}\n#[tokio::main]\nasync fn main() -> Result {{\n{starts}{wait}{stops}    Ok(())\n}}\n"
    )
}

const YIELD: &str = "\nasync fn tokio_yield() { std::future::ready(()).await }\n";
