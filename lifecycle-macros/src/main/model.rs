//! What `#[lifecycle::main(…)]` says, as written.

use std::net::SocketAddr;
use std::time::Duration;

use proc_macro2::{Span, TokenStream};

use super::options::MainOption;
use crate::args::{self, Spanned};
use crate::ctxt::Ctxt;
use crate::option;
use crate::paths::{Path, Runtime};

type Arg = args::Arg<MainOption>;

/// The value of `resources` that stands for every resource that is linked into the program.
const LINKED: &str = "linked";

pub(super) struct Entry {
    pub(super) shutdown_timeout: Option<Spanned<Duration>>,
    pub(super) startup_timeout: Option<StartupTimeout>,
    pub(super) drain_delay: Option<Spanned<Duration>>,
    pub(super) hangup: Option<Hangup>,
    pub(super) probe: Option<Spanned<SocketAddr>>,
    /// The span of the flag, if it is set.
    pub(super) prestop: Option<Span>,
    pub(super) resources: Resources,
    pub(super) flavor: Flavor,
    pub(super) worker_threads: Option<Spanned<usize>>,
    pub(super) runtime: Runtime,
}

/// What the application consists of, besides what these need.
pub(super) enum Resources {
    /// The resources of the package.
    OfPackage,
    /// `linked`: every resource that is linked into the program.
    Linked,
    Named(Vec<Path>),
}

pub(super) enum StartupTimeout {
    /// `"none"`.
    Unlimited,
    Limit(Spanned<Duration>),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Flavor {
    MultiThread,
    CurrentThread,
}

/// What SIGHUP does.
#[derive(Clone, Copy)]
pub(super) enum Hangup {
    Reload,
    Stop,
    Ignore,
}

impl Entry {
    /// Reads all options; one that cannot be read is reported and keeps its default.
    pub(super) fn read(cx: &Ctxt, options: TokenStream) -> Self {
        let mut entry = Self {
            shutdown_timeout: None,
            startup_timeout: None,
            drain_delay: None,
            hangup: None,
            probe: None,
            prestop: None,
            resources: Resources::OfPackage,
            flavor: Flavor::MultiThread,
            worker_threads: None,
            runtime: Runtime::default(),
        };
        for arg in args::parse(cx, options) {
            match arg.option {
                MainOption::ShutdownTimeout => entry.shutdown_timeout = arg.duration(cx),
                MainOption::StartupTimeout => entry.startup_timeout = StartupTimeout::read(cx, &arg),
                MainOption::DrainDelay => entry.drain_delay = arg.duration(cx),
                MainOption::Hangup => entry.hangup = Hangup::read(cx, &arg),
                MainOption::Probe => entry.probe = Some(probe(cx, &arg)),
                MainOption::Prestop => entry.prestop = arg.flag_span(cx),
                MainOption::Resources => entry.resources = Resources::read(cx, &arg),
                MainOption::Flavor => entry.flavor = Flavor::read(cx, &arg),
                MainOption::WorkerThreads => entry.worker_threads = arg.integer(cx),
                MainOption::Crate => entry.runtime = arg.runtime(cx),
            }
        }
        entry
    }
}

/// An address that cannot be read is replaced: a missing one could cause further errors.
fn probe(cx: &Ctxt, arg: &Arg) -> Spanned<SocketAddr> {
    let any = || Spanned { value: SocketAddr::from(([0, 0, 0, 0], 0)), span: arg.span() };
    arg.socket_address(cx).unwrap_or_else(any)
}

impl Resources {
    fn read(cx: &Ctxt, arg: &Arg) -> Self {
        match arg.word() {
            Some(word) if word == LINKED => Self::Linked,
            Some(word) => {
                let advice = match option::nearest(&word.to_string(), [LINKED]) {
                    Some(linked) => format!("did you mean `{linked}`?"),
                    None => format!(
                        "for every linked resource, write `resources = {LINKED}`; if it is one, `resources = [{word}]`"
                    ),
                };
                cx.error(word.span(), format_args!("`{word}` does not look like a resource; {advice}"));
                Self::Linked
            }
            None => Self::Named(arg.paths(cx)),
        }
    }
}

impl StartupTimeout {
    fn read(cx: &Ctxt, arg: &Arg) -> Option<Self> {
        let literal = arg.duration_literal(cx)?;
        if literal.value() == "none" {
            return Some(Self::Unlimited);
        }
        args::duration(cx, &literal).map(Self::Limit)
    }
}

impl Hangup {
    const NAMES: [(&str, Self); 3] =
        [("reload", Self::Reload), ("stop", Self::Stop), ("ignore", Self::Ignore)];

    fn read(cx: &Ctxt, arg: &Arg) -> Option<Self> {
        let literal = arg.string(cx)?;
        let written = literal.value();
        let named = Self::NAMES.into_iter().find(|(name, _)| *name == written);
        if named.is_none() {
            let advice = match option::nearest(&written, Self::NAMES.map(|(name, _)| name)) {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => {
                    "SIGHUP can \"reload\", \"stop\", or be left to the program with \"ignore\"".to_owned()
                }
            };
            cx.error(literal.span(), format_args!("unknown action \"{written}\"; {advice}"));
        }
        named.map(|(_, hangup)| hangup)
    }
}

impl Flavor {
    const NAMES: [(&str, Self); 2] =
        [("multi_thread", Self::MultiThread), ("current_thread", Self::CurrentThread)];

    fn read(cx: &Ctxt, arg: &Arg) -> Self {
        let Some(literal) = arg.string(cx) else { return Self::MultiThread };
        let written = literal.value();
        if let Some((_, flavor)) = Self::NAMES.into_iter().find(|(name, _)| *name == written) {
            return flavor;
        }
        let advice = match option::nearest(&written, Self::NAMES.map(|(name, _)| name)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "the flavors are \"multi_thread\" and \"current_thread\"".to_owned(),
        };
        cx.error(literal.span(), format_args!("unknown flavor \"{written}\"; {advice}"));
        Self::MultiThread
    }
}
