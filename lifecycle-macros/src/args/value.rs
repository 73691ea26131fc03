//! Reads the value of an option as the type that is expected there.

use std::net::SocketAddr;
use std::time::Duration;

use proc_macro2::{Ident, Literal, Span, TokenTree};
use quote::ToTokens;
use syn::{Lit, LitInt, LitStr};

use crate::ctxt::Ctxt;
use crate::duration;
use crate::option::OptionName;
use crate::paths::{Path, Runtime, is_keyword};
use crate::tokens::collect;

/// Crates that may be taken for the runtime, as it is named in `crate = …`.
const OTHER_CRATES: [&str; 5] = ["std", "core", "alloc", "tokio", "lifecycle_macros"];

/// One option as it was written; its value is read by the method for the expected type.
pub(crate) struct Arg<O> {
    pub(crate) option: O,
    pub(super) key: Ident,
    pub(super) value: Value,
}

pub(super) enum Value {
    /// A name alone.
    Absent,
    /// The tokens after `=`; there may be none.
    Written(Vec<TokenTree>),
    /// Not a value; reported already.
    Reported,
}

/// A value and the span of its literal.
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<O: OptionName> Arg<O> {
    /// A flag is set by its name alone.
    pub(crate) fn flag(&self, cx: &Ctxt) -> bool {
        let option = self.option;
        let Value::Written(value) = &self.value else { return true };
        match &value[..] {
            [TokenTree::Ident(no)] if no == "false" => {
                cx.error(no.span(), format_args!("`{option}` takes no value; remove it to switch it off"));
                return false;
            }
            [] => {
                cx.error(self.key.span(), format_args!("`{option}` takes no value; write `{option}` alone"));
            }
            _ => cx.error_spanned(
                collect(value),
                format_args!("`{option}` takes no value; write `{option}` alone"),
            ),
        }
        true
    }

    /// The span of a flag that is set.
    pub(crate) fn flag_span(&self, cx: &Ctxt) -> Option<Span> {
        self.flag(cx).then(|| self.key.span())
    }

    /// The tokens after `=`, if there is one.
    pub(super) fn tokens(&self) -> Option<&[TokenTree]> {
        match &self.value {
            Value::Written(tokens) => Some(tokens),
            Value::Absent | Value::Reported => None,
        }
    }

    pub(crate) fn string(&self, cx: &Ctxt) -> Option<LitStr> {
        self.literal(cx, "a string")
    }

    pub(crate) fn duration(&self, cx: &Ctxt) -> Option<Spanned<Duration>> {
        duration(cx, &self.duration_literal(cx)?)
    }

    /// The literal of a duration, for options that also accept a word.
    pub(crate) fn duration_literal(&self, cx: &Ctxt) -> Option<LitStr> {
        self.literal(cx, "a duration in quotes")
    }

    pub(crate) fn integer(&self, cx: &Ctxt) -> Option<Spanned<usize>> {
        let literal: LitInt = self.literal(cx, "an integer")?;
        match literal.base10_parse() {
            Ok(value) => Some(Spanned { value, span: literal.span() }),
            Err(_) => {
                cx.error(literal.span(), format_args!("this number is too large for `{}`", self.option));
                None
            }
        }
    }

    pub(crate) fn socket_address(&self, cx: &Ctxt) -> Option<Spanned<SocketAddr>> {
        let literal = self.literal::<LitStr>(cx, "a socket address in quotes")?;
        let written = literal.value();
        if let Ok(value) = written.parse() {
            return Some(Spanned { value, span: literal.span() });
        }
        let advice = match written.rsplit_once(':') {
            Some(("" | "*", port)) if port.parse::<u16>().is_ok() => {
                format!("; to listen on all interfaces, write \"0.0.0.0:{port}\" or \"[::]:{port}\"")
            }
            Some((host, port)) if port.parse::<u16>().is_ok() => {
                format!("; `{host}` is not an IP address, and host names are not resolved")
            }
            Some(_) => String::new(),
            None => "; the port is missing".to_owned(),
        };
        cx.error(
            literal.span(),
            format_args!("expected a socket address such as \"0.0.0.0:8081\" or \"[::]:8081\"{advice}"),
        );
        None
    }

    /// The span of the option's name.
    pub(crate) fn span(&self) -> Span {
        self.key.span()
    }

    pub(crate) fn path(&self, cx: &Ctxt) -> Option<Path> {
        let value = self.value(cx)?;
        self.path_from(cx, value)
    }

    /// The path of the runtime crate. One that certainly is not counts as not written.
    pub(crate) fn runtime(&self, cx: &Ctxt) -> Runtime {
        let path = self.path(cx);
        let is_other = |path: &Path| OTHER_CRATES.contains(&path.text().trim_start_matches("::"));
        if let Some(other) = path.as_ref().filter(|path| is_other(path)) {
            let name = other.text();
            cx.error_spanned(
                other,
                format_args!(
                    "`{name}` is not the runtime; write the name under which `lifecycle-runtime` is a dependency, or \
                     remove `crate` if that is `lifecycle`"
                ),
            );
            return Runtime::default();
        }
        Runtime { path }
    }

    pub(super) fn path_from(&self, cx: &Ctxt, value: &[TokenTree]) -> Option<Path> {
        match (Path::take(value), value) {
            (Some((path, [])), _) => Some(path),
            (Some((path, [next, ..])), _) => {
                cx.error_spanned(next, format_args!("unexpected `{next}` after `{}`", path.text()));
                Some(path)
            }
            (None, [TokenTree::Ident(word), ..]) if is_keyword(word) => {
                cx.error_spanned(collect(value), format_args!("expected a path, found the keyword `{word}`"));
                None
            }
            (None, _) => {
                let example = self.option.example();
                cx.error_spanned(collect(value), format_args!("expected a path, as in `{example}`"));
                None
            }
        }
    }

    fn literal<L: syn::parse::Parse>(&self, cx: &Ctxt, expected: &str) -> Option<L> {
        let value = self.value(cx)?;
        let literal = match value {
            [TokenTree::Literal(literal)] => {
                let parsed = syn::parse2(literal.to_token_stream()).ok();
                parsed.inspect(|_| check_suffix(cx, literal))
            }
            _ => None,
        };
        if literal.is_none() {
            let example = self.option.example();
            cx.error_spanned(collect(value), format_args!("expected {expected}, as in `{example}`"));
        }
        literal
    }

    /// The tokens of the value: at least one.
    pub(super) fn value(&self, cx: &Ctxt) -> Option<&[TokenTree]> {
        match &self.value {
            Value::Written(value) if !value.is_empty() => Some(value),
            Value::Reported => None,
            Value::Absent | Value::Written(_) => {
                let (option, example) = (self.option, self.option.example());
                cx.error(self.key.span(), format_args!("`{option}` needs a value, as in `{example}`"));
                None
            }
        }
    }
}

pub(crate) fn duration(cx: &Ctxt, literal: &LitStr) -> Option<Spanned<Duration>> {
    match duration::parse(&literal.value()) {
        Ok(value) => Some(Spanned { value, span: literal.span() }),
        Err(error) => {
            cx.error(literal.span(), error);
            None
        }
    }
}

/// Rust accepts any suffix in the input of a macro: `"30s"x`, `4k`.
fn check_suffix(cx: &Ctxt, literal: &Literal) {
    let parsed = Lit::new(literal.clone());
    let suffix = parsed.suffix();
    if !suffix.is_empty() {
        cx.error(literal.span(), format_args!("unexpected suffix `{suffix}`; remove it"));
    }
}
