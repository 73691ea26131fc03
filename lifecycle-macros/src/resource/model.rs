//! What `#[resource(…)]` and the item beneath it say, as written.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::LitStr;

use super::options::ResourceOption;
use super::subject::Subject;
use crate::args::{self, Spanned};
use crate::ctxt::Ctxt;
use crate::item::Attribute;
use crate::paths::{Path, Runtime};

pub(super) struct Declaration {
    pub(super) subject: Subject,
    pub(super) after: Vec<Path>,
    pub(super) name: Option<LitStr>,
    pub(super) acquire_timeout: Option<Spanned<Duration>>,
    pub(super) drain_timeout: Option<Spanned<Duration>>,
    pub(super) reserve: Option<Spanned<Duration>>,
    /// The spans of flags that are set.
    pub(super) optional: Option<Span>,
    pub(super) skippable: Option<Span>,
    pub(super) supplied: Option<Span>,
    pub(super) reload: bool,
    pub(super) foundation: bool,
    pub(super) runtime: Runtime,
}

impl Declaration {
    /// Reads all options; one that cannot be read is reported and keeps its default.
    pub(super) fn read(cx: &Ctxt, options: TokenStream, item: TokenStream) -> Self {
        let mut declaration = Self {
            subject: Subject::read(item),
            after: Vec::new(),
            name: None,
            acquire_timeout: None,
            drain_timeout: None,
            reserve: None,
            optional: None,
            skippable: None,
            supplied: None,
            reload: false,
            foundation: false,
            runtime: Runtime::default(),
        };
        for arg in args::parse(cx, options) {
            match arg.option {
                ResourceOption::After => declaration.after = arg.paths(cx),
                ResourceOption::Name => declaration.name = arg.string(cx),
                ResourceOption::AcquireTimeout => declaration.acquire_timeout = arg.duration(cx),
                ResourceOption::DrainTimeout => declaration.drain_timeout = arg.duration(cx),
                ResourceOption::Reserve => declaration.reserve = arg.duration(cx),
                ResourceOption::Optional => declaration.optional = arg.flag_span(cx),
                ResourceOption::Skippable => declaration.skippable = arg.flag_span(cx),
                ResourceOption::Supplied => declaration.supplied = arg.flag_span(cx),
                ResourceOption::Reload => declaration.reload = arg.flag(cx),
                ResourceOption::Foundation => declaration.foundation = arg.flag(cx),
                ResourceOption::Crate => declaration.runtime = arg.runtime(cx),
            }
        }
        declaration
    }

    /// A second `#[resource]` on the same item, which declares it on its own.
    pub(super) fn second(&self) -> Option<&Attribute> {
        let mut attributes = self.subject.resource_attributes.iter();
        attributes
            .find(|Attribute { path, .. }| path == "resource" || self.runtime.is_path_of(path, "resource"))
    }

    /// `name = "…"`, or else the name of the type.
    pub(super) fn display_name(&self) -> String {
        match (&self.name, &self.subject.name) {
            (Some(name), _) => name.value(),
            (None, Some(ident)) => ident.to_string().trim_start_matches("r#").to_owned(),
            (None, None) => String::new(),
        }
    }
}
