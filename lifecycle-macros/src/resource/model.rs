//! What `#[resource(…)]` says, as it was written.

use std::time::Duration;

use proc_macro2::TokenStream;
use syn::LitStr;

use super::Subject;
use crate::args::{self, Spanned};
use crate::ctxt::Ctxt;
use crate::paths::{Path, Runtime};
use crate::symbol::{
    ACQUIRE_TIMEOUT, AFTER, CRATE, DRAIN_TIMEOUT, FOUNDATION, NAME, OPTIONAL, RESERVE, Symbol,
};

const OPTIONS: [Symbol; 8] =
    [AFTER, NAME, ACQUIRE_TIMEOUT, DRAIN_TIMEOUT, RESERVE, OPTIONAL, FOUNDATION, CRATE];

pub(crate) struct Declaration {
    pub(crate) subject: Subject,
    pub(crate) after: Vec<Path>,
    pub(crate) name: Option<LitStr>,
    pub(crate) acquire_timeout: Option<Spanned<Duration>>,
    pub(crate) drain_timeout: Option<Spanned<Duration>>,
    pub(crate) reserve: Option<Spanned<Duration>>,
    pub(crate) optional: bool,
    pub(crate) foundation: bool,
    pub(crate) runtime: Runtime,
}

impl Declaration {
    /// Reads everything; what cannot be read is reported and left at its default.
    pub(super) fn read(cx: &Ctxt, options: TokenStream, item: TokenStream) -> Self {
        let mut declaration = Self {
            subject: Subject::read(item),
            after: Vec::new(),
            name: None,
            acquire_timeout: None,
            drain_timeout: None,
            reserve: None,
            optional: false,
            foundation: false,
            runtime: Runtime::default(),
        };
        for arg in args::parse(cx, &OPTIONS, options) {
            match arg.symbol {
                AFTER => declaration.after = arg.paths(cx),
                NAME => declaration.name = arg.string(cx),
                ACQUIRE_TIMEOUT => declaration.acquire_timeout = arg.duration(cx),
                DRAIN_TIMEOUT => declaration.drain_timeout = arg.duration(cx),
                RESERVE => declaration.reserve = arg.duration(cx),
                OPTIONAL => declaration.optional = arg.flag(cx),
                FOUNDATION => declaration.foundation = arg.flag(cx),
                _ => declaration.runtime.path = arg.path(cx),
            }
        }
        declaration
    }

    /// `name = "…"`, or else the name of the type.
    pub(crate) fn display_name(&self) -> String {
        match (&self.name, &self.subject.name) {
            (Some(name), _) => name.value(),
            (None, Some(ident)) => ident.to_string().trim_start_matches("r#").to_owned(),
            (None, None) => String::new(),
        }
    }
}
