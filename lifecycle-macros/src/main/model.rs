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

pub(super) struct Entry {
    pub(super) shutdown_timeout: Option<Spanned<Duration>>,
    pub(super) startup_timeout: Option<StartupTimeout>,
    pub(super) drain_delay: Option<Spanned<Duration>>,
    pub(super) probe: Option<Spanned<SocketAddr>>,
    /// The span of the flag, if it is set.
    pub(super) prestop: Option<Span>,
    pub(super) resources: Vec<Path>,
    pub(super) flavor: Flavor,
    pub(super) worker_threads: Option<Spanned<usize>>,
    pub(super) runtime: Runtime,
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

impl Entry {
    /// Reads all options; one that cannot be read is reported and keeps its default.
    pub(super) fn read(cx: &Ctxt, options: TokenStream) -> Self {
        let mut entry = Self {
            shutdown_timeout: None,
            startup_timeout: None,
            drain_delay: None,
            probe: None,
            prestop: None,
            resources: Vec::new(),
            flavor: Flavor::MultiThread,
            worker_threads: None,
            runtime: Runtime::default(),
        };
        for arg in args::parse(cx, options) {
            match arg.option {
                MainOption::ShutdownTimeout => entry.shutdown_timeout = arg.duration(cx),
                MainOption::StartupTimeout => entry.startup_timeout = StartupTimeout::read(cx, &arg),
                MainOption::DrainDelay => entry.drain_delay = arg.duration(cx),
                MainOption::Probe => entry.probe = Some(probe(cx, &arg)),
                MainOption::Prestop => entry.prestop = arg.flag(cx).then(|| arg.span()),
                MainOption::Resources => entry.resources = resources(cx, &arg),
                MainOption::Flavor => entry.flavor = Flavor::read(cx, &arg),
                MainOption::WorkerThreads => entry.worker_threads = arg.integer(cx),
                MainOption::Crate => entry.runtime.path = arg.path(cx),
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

fn resources(cx: &Ctxt, arg: &Arg) -> Vec<Path> {
    let resources = arg.paths(cx);
    if resources.is_empty() {
        arg.empty_list(cx);
    }
    resources
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
