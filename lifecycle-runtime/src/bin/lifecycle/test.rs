//! `lifecycle test`: whether a server, any server, stops gracefully.

#[cfg(unix)]
mod check;
#[cfg(unix)]
mod client;
#[cfg(unix)]
mod round;
#[cfg(unix)]
mod sending;
#[cfg(unix)]
mod sockets;

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use lifecycle::private::program::duration;

use crate::Outcome;

const EXAMPLES: &str = "\
Examples:
  lifecycle test --request '/slow?ms=2000' -- ./target/release/server
  PORT=3000 lifecycle test --port 3000 --ready /readyz --request /report -- \\
    node server.js

Name the program itself: a shell in between (`sh -c`, `npm start`) would get the
signal in its place.

Exit codes: 0 all checks passed, 1 one failed, 2 wrong usage, 3 the test could
not be carried out, 128+n interrupted by signal n.";

/// Tests whether a server stops gracefully. Any server will do: it need not be
/// built with lifecycle.
///
/// The server is started, and asked for something that takes a while. SIGTERM is
/// sent while the request is under way. It must be answered in full, nobody who
/// connects meanwhile may be left without an answer, and the server must end with
/// exit code 0 within the grace period. Then the same with SIGINT. The server, and
/// what it has started, is killed at the end in any case.
///
/// HTTP/1.1 without TLS is spoken.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where the server listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The same as --url http://127.0.0.1:PORT.
    #[arg(long, value_name = "PORT", conflicts_with = "url")]
    port: Option<u16>,
    /// What is asked for: a GET that takes a second or two.
    #[arg(long, value_name = "PATH", default_value = "/")]
    request: String,
    /// A path that answers 2xx once the server is up; without it, the server is
    /// up when it accepts connections.
    #[arg(long, value_name = "PATH")]
    ready: Option<String>,
    /// How long the stop may take.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    grace: Duration,
    /// How long the start may take.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    startup: Duration,
    /// The server, and its arguments.
    #[arg(required = true, last = true, value_name = "SERVER")]
    command: Vec<OsString>,
}

#[cfg(not(unix))]
pub(crate) fn run(arguments: Arguments) -> Outcome {
    let Arguments { url: _, port: _, request: _, ready: _, grace: _, startup: _, command: _ } = arguments;
    Err("`lifecycle test` sends signals of Unix, which this system does not have".to_owned())
}

#[cfg(unix)]
pub(crate) fn run(arguments: Arguments) -> Outcome {
    use std::process::ExitCode;

    use nix::sys::signal::Signal;

    use self::client::Server;
    use self::round::{Round, Setting};
    use crate::signals;

    let Arguments { url, port, request, ready, grace, startup, command } = arguments;
    let url = port.map_or(url, |port| format!("http://127.0.0.1:{port}"));
    let usage = |what: String| {
        crate::output::complain(what);
        Ok(ExitCode::from(2))
    };
    let server = match Server::at(&url) {
        Ok(server) => server,
        Err(what) => return usage(format!("--url {url:?}: {what}")),
    };
    for (option, path) in [("--request", Some(&request)), ("--ready", ready.as_ref())] {
        if let Some(path) = path.filter(|path| !client::is_path(path)) {
            return usage(format!("{option} {path:?}: expected a path such as \"/slow?ms=2000\""));
        }
    }
    let setting = Setting { server, request, ready, grace, startup, command };
    signals::interruptible(async {
        let mut failed = 0;
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            failed += Round::new(&setting, signal).run().await?;
        }
        check::conclude(failed);
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(crate::WRONG) })
    })
}
