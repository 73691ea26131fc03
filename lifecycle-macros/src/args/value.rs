//! Reads the value of an option as the type that is expected there.

use std::net::SocketAddr;
use std::time::Duration;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{LitInt, LitStr};

use crate::ctxt::Ctxt;
use crate::duration;
use crate::option::OptionName;
use crate::paths::Path;
use crate::tokens::{collect, flatten, is_punct};

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

    /// A path, or a list of paths in brackets.
    pub(crate) fn paths(&self, cx: &Ctxt) -> Vec<Path> {
        let Some(value) = self.value(cx) else { return Vec::new() };
        let [TokenTree::Group(list)] = value else {
            return self.path_from(cx, value).into_iter().collect();
        };
        if list.delimiter() != Delimiter::Bracket {
            let option = self.option;
            cx.error_spanned(
                list,
                format_args!("several resources go in brackets: `{option} = [Db, Cache]`"),
            );
        }
        let elements = flatten(list.stream());
        let elements = elements.split(|token| is_punct(token, ',')).filter(|element| !element.is_empty());
        elements.filter_map(|element| self.path_from(cx, element)).collect()
    }

    /// Reports a list that is empty as written; mistakes inside a list have been reported already.
    pub(crate) fn empty_list(&self, cx: &Ctxt) {
        let Value::Written(value) = &self.value else { return };
        if let [TokenTree::Group(list)] = &value[..] {
            if list.stream().is_empty() {
                let option = self.option;
                cx.error_spanned(
                    list,
                    format_args!("`{option}` is empty; remove it to run every declared resource"),
                );
            }
        }
    }

    fn path_from(&self, cx: &Ctxt, value: &[TokenTree]) -> Option<Path> {
        let option = self.option;
        let example = option.example();
        if let [literal @ TokenTree::Literal(_)] = value {
            if let Ok(literal) = syn::parse2::<LitStr>(literal.to_token_stream()) {
                let text = literal.value();
                cx.error(
                    literal.span(),
                    format_args!("expected a path, found a string; write `{text}` without the quotes"),
                );
                return quoted_path(&literal);
            }
        }
        match Path::take(value) {
            Some((path, [])) => Some(path),
            Some((path, [angle, ..])) if is_punct(angle, '<') => {
                let path = path.text();
                cx.error_spanned(
                    collect(value),
                    format_args!(
                        "a resource has no generic arguments; declare a newtype around `{path}<…>` and name that"
                    ),
                );
                None
            }
            Some((path, [next @ TokenTree::Ident(_), ..])) => {
                cx.error_spanned(next, "expected `,`");
                Some(path)
            }
            Some((path, [next, ..])) => {
                let path = path.text();
                cx.error_spanned(next, format_args!("unexpected token after `{path}`"));
                None
            }
            None => {
                cx.error_spanned(collect(value), format_args!("expected a path, as in `{example}`"));
                None
            }
        }
    }

    fn literal<L: syn::parse::Parse>(&self, cx: &Ctxt, expected: &str) -> Option<L> {
        let value = self.value(cx)?;
        let literal = match value {
            [literal @ TokenTree::Literal(_)] => syn::parse2(literal.to_token_stream()).ok(),
            _ => None,
        };
        if literal.is_none() {
            let example = self.option.example();
            cx.error_spanned(collect(value), format_args!("expected {expected}, as in `{example}`"));
        }
        literal
    }

    /// The tokens of the value: at least one.
    fn value(&self, cx: &Ctxt) -> Option<&[TokenTree]> {
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

/// The path that a string was meant to be: a missing path could cause further errors.
fn quoted_path(literal: &LitStr) -> Option<Path> {
    let text = literal.value();
    if !text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':') {
        return None;
    }
    let mut tokens: Vec<TokenTree> = text.parse::<TokenStream>().ok()?.into_iter().collect();
    tokens.iter_mut().for_each(|token| token.set_span(literal.span()));
    let (path, rest) = Path::take(&tokens)?;
    rest.is_empty().then_some(path)
}
