//! Reads the value of an option that names resources: a path, or a list of paths in brackets.
//!
//! A path is kept whatever is wrong around it: its absence would make `cx.get` an error too.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::LitStr;

use super::value::Arg;
use crate::ctxt::Ctxt;
use crate::option::OptionName;
use crate::paths::{Path, is_keyword};
use crate::tokens::{collect, flatten, ident, is_punct, outside_angles};

impl<O: OptionName> Arg<O> {
    /// A path, or a list of paths in brackets.
    pub(crate) fn paths(&self, cx: &Ctxt) -> Vec<Path> {
        let Some(value) = self.value(cx) else { return Vec::new() };
        let (tokens, list) = match value {
            [TokenTree::Group(list)] => (flatten(list.stream()), Some(list.delimiter())),
            _ => (open_lists(value), None),
        };
        let elements = Element::split(&tokens);
        if list == Some(Delimiter::Bracket) {
            elements.iter().for_each(|element| element.check_comma(cx));
        }
        let paths: Vec<Path> = elements.iter().filter_map(|element| self.resource(cx, element)).collect();
        if list != Some(Delimiter::Bracket) && (list.is_some() || elements.len() > 1) {
            self.needs_brackets(cx, value, &paths);
        }
        paths
    }

    /// A value that is one word, and not written like the name of a type.
    pub(crate) fn word(&self) -> Option<&Ident> {
        let Some([TokenTree::Ident(word)]) = self.tokens() else { return None };
        let is_type = word.to_string().starts_with(char::is_uppercase);
        (!is_type && !is_keyword(word)).then_some(word)
    }

    fn resource(&self, cx: &Ctxt, element: &Element<'_>) -> Option<Path> {
        if let [literal @ TokenTree::Literal(_)] = element.tokens {
            if let Ok(literal) = syn::parse2::<LitStr>(literal.to_token_stream()) {
                let text = literal.value();
                cx.error(
                    literal.span(),
                    format_args!("expected a path, found a string; write `{text}` without the quotes"),
                );
                return quoted_path(&literal);
            }
        }
        match Path::take(element.tokens) {
            Some((path, [angle, ..])) if is_punct(angle, '<') => {
                let path = path.text();
                cx.error_spanned(
                    collect(element.tokens),
                    format_args!(
                        "a resource has no generic arguments; declare a newtype around `{path}<…>` and name that"
                    ),
                );
                None
            }
            _ => self.path_from(cx, element.tokens),
        }
    }

    fn needs_brackets(&self, cx: &Ctxt, value: &[TokenTree], paths: &[Path]) {
        let option = self.option;
        let names: Vec<String> = paths.iter().map(Path::text).collect();
        match &names[..] {
            [] => {}
            [name] => cx.error_spanned(collect(value), format_args!("write `{option} = {name}`")),
            _ => cx.error_spanned(
                collect(value),
                format_args!("several resources go in brackets: `{option} = [{}]`", names.join(", ")),
            ),
        }
    }
}

/// What should be one path.
struct Element<'t> {
    tokens: &'t [TokenTree],
    /// The token before which, or in place of which, a comma is missing.
    not_comma: Option<&'t TokenTree>,
}

impl<'t> Element<'t> {
    /// Splits at commas, at what is written in place of a comma, and where a comma is missing.
    fn split(tokens: &'t [TokenTree]) -> Vec<Self> {
        let mut elements = Vec::new();
        let mut start = 0;
        let mut not_comma = None;
        for (i, token) in outside_angles(tokens) {
            let element = Self { tokens: &tokens[start..i], not_comma };
            let is_second_name = i > start && is_name(token) && is_name(&tokens[i - 1]);
            if is_separator(token) {
                not_comma = Some(token).filter(|token| !is_punct(token, ','));
                start = i + 1;
            } else if is_second_name {
                not_comma = Some(token);
                start = i;
            } else {
                continue;
            }
            elements.push(element);
        }
        elements.push(Self { tokens: &tokens[start..], not_comma });
        elements.retain(|element| !element.tokens.is_empty());
        elements
    }

    fn check_comma(&self, cx: &Ctxt) {
        match self.not_comma {
            Some(TokenTree::Ident(name)) => {
                cx.error(name.span(), format_args!("expected `,` before `{name}`"));
            }
            Some(other) => cx.error(other.span(), format_args!("expected `,`, found `{other}`")),
            None => {}
        }
    }
}

/// A comma, or what is written in place of one.
fn is_separator(token: &TokenTree) -> bool {
    [',', ';', '|', '+'].into_iter().any(|separator| is_punct(token, separator))
}

/// The tokens of a value that is not one list; a list in it counts as its elements.
fn open_lists(value: &[TokenTree]) -> Vec<TokenTree> {
    let open = |token: &TokenTree| match token {
        TokenTree::Group(list) => flatten(list.stream()),
        other => vec![other.clone()],
    };
    value.iter().flat_map(open).collect()
}

fn is_name(token: &TokenTree) -> bool {
    ident(token).is_some_and(|word| !is_keyword(word))
}

/// The path that a string was meant to be.
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
