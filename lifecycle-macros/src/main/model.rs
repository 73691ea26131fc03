//! What `#[lifecycle::main(…)]` says, as it was written.

use std::net::SocketAddr;
use std::time::Duration;

use proc_macro2::{Span, TokenStream};

use crate::args::{self, Arg, Spanned};
use crate::ctxt::Ctxt;
use crate::paths::{Path, Runtime};
use crate::symbol::{
    self, CRATE, DRAIN_DELAY, FLAVOR, PRESTOP, PROBE, RESOURCES, SHUTDOWN_TIMEOUT, STARTUP_TIMEOUT, Symbol,
    WORKER_THREADS,
};

const OPTIONS: [Symbol; 9] = [
    SHUTDOWN_TIMEOUT,
    STARTUP_TIMEOUT,
    DRAIN_DELAY,
    PROBE,
    PRESTOP,
    RESOURCES,
    FLAVOR,
    WORKER_THREADS,
    CRATE,
];

pub(super) struct Entry {
    pub(super) shutdown_timeout: Option<Spanned<Duration>>,
    pub(super) startup_timeout: Option<StartupTimeout>,
    pub(super) drain_delay: Option<Spanned<Duration>>,
    pub(super) probe: Option<Spanned<SocketAddr>>,
    /// The place of the flag, if it is set.
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
    /// Reads everything; what cannot be read is reported and left at its default.
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
        for arg in args::parse(cx, &OPTIONS, options) {
            match arg.symbol {
                SHUTDOWN_TIMEOUT => entry.shutdown_timeout = arg.duration(cx),
                STARTUP_TIMEOUT => entry.startup_timeout = StartupTimeout::read(cx, &arg),
                DRAIN_DELAY => entry.drain_delay = arg.duration(cx),
                PROBE => entry.probe = Some(probe(cx, &arg)),
                PRESTOP => entry.prestop = arg.flag(cx).then(|| arg.span()),
                RESOURCES => entry.resources = resources(cx, &arg),
                FLAVOR => entry.flavor = Flavor::read(cx, &arg),
                WORKER_THREADS => entry.worker_threads = arg.integer(cx),
                _ => entry.runtime.path = arg.path(cx),
            }
        }
        entry
    }
}

/// An address that cannot be read counts as one all the same, lest its absence cause more errors.
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
    fn read(cx: &Ctxt, arg: &Arg) -> Self {
        let Some(literal) = arg.string(cx) else { return Self::MultiThread };
        let written = literal.value();
        match written.as_str() {
            "multi_thread" => return Self::MultiThread,
            "current_thread" => return Self::CurrentThread,
            _ => {}
        }
        let advice = match symbol::nearest(&written, ["multi_thread", "current_thread"]) {
            Some(flavor) => format!("did you mean \"{flavor}\"?"),
            None => "the flavors are \"multi_thread\" and \"current_thread\"".to_owned(),
        };
        cx.error(literal.span(), format_args!("unknown flavor \"{written}\"; {advice}"));
        Self::MultiThread
    }
}
