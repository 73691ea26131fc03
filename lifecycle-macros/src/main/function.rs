//! The function under `#[lifecycle::main]`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

use crate::item::{self, Attribute, Item};
use crate::paths::generated_at;

/// Attributes of a function as seen from outside. All others, such as `#[instrument]`, are about its body.
const OUTER: [&str; 14] = [
    "allow",
    "cfg",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "no_mangle",
    "track_caller",
    "unsafe",
    "warn",
];

pub(crate) struct Function {
    pub(crate) outer_attributes: Vec<TokenStream>,
    pub(crate) inner_attributes: Vec<TokenStream>,
    pub(crate) visibility: TokenStream,
    pub(crate) name: Ident,
    /// The function from its first keyword to the end of its body; as it was written, but `async` in any case.
    pub(crate) definition: TokenStream,
    pub(crate) is_async: bool,
    pub(crate) fn_token: Span,
    /// `unsafe`, `const` and `extern`.
    pub(crate) qualifiers: Vec<TokenTree>,
    pub(crate) generics: TokenStream,
    pub(crate) parameters: Vec<TokenStream>,
    pub(crate) output: TokenStream,
    pub(crate) has_body: bool,
}

impl Function {
    /// `Err` is the place of what is no function with a body.
    pub(super) fn read(tokens: TokenStream) -> Result<Self, Span> {
        let Item { attributes, visibility, rest: definition } = Item::read(tokens);
        let start = definition.first().map_or_else(Span::call_site, TokenTree::span);
        let fn_index = definition.iter().position(|token| match token {
            TokenTree::Ident(word) => word == "fn",
            _ => false,
        });
        let (qualifiers, rest) = definition.split_at(fn_index.ok_or(start)?);
        if !qualifiers.iter().all(is_qualifier) {
            return Err(start);
        }
        let [fn_token, TokenTree::Ident(name), rest @ ..] = rest else { return Err(start) };
        let (generics, rest) = item::take_angles(rest);
        let [TokenTree::Group(parameters), rest @ .., TokenTree::Group(body)] = rest else {
            return Err(start);
        };
        let parameters: Vec<TokenTree> = parameters.stream().into_iter().collect();
        let is_async = item::position(qualifiers, "async").is_some();
        let (outer, inner): (Vec<_>, Vec<_>) =
            attributes.iter().partition(|attribute| OUTER.contains(&attribute.name.as_str()));
        Ok(Self {
            outer_attributes: outer.into_iter().map(Attribute::to_token_stream).collect(),
            inner_attributes: inner.into_iter().map(Attribute::to_token_stream).collect(),
            visibility,
            name: name.clone(),
            is_async,
            fn_token: fn_token.span(),
            qualifiers: qualifiers.iter().filter(|word| !is_async_keyword(word)).cloned().collect(),
            generics: generics.iter().cloned().collect(),
            parameters: item::split_at_commas(&parameters).into_iter().map(collect).collect(),
            output: output(rest),
            has_body: body.delimiter() == Delimiter::Brace && !body.stream().is_empty(),
            definition: make_async(&definition, fn_token.span(), body),
        })
    }

    /// Whether a call with nothing but the application can be written.
    pub(crate) fn is_callable(&self) -> bool {
        self.qualifiers.is_empty()
            && self.generics.is_empty()
            && self.parameters.len() <= 1
            && !self.has_receiver()
    }

    pub(crate) fn has_receiver(&self) -> bool {
        let first = self.parameters.first().cloned().unwrap_or_default();
        let first: Vec<TokenTree> = first.into_iter().collect();
        item::position(item::before(&first, ':'), "self").is_some()
    }
}

/// The type behind `->`.
fn output(tokens: &[TokenTree]) -> TokenStream {
    let end = item::position(tokens, "where").unwrap_or(tokens.len());
    match &tokens[..end] {
        [TokenTree::Punct(minus), TokenTree::Punct(_), output @ ..] if minus.as_char() == '-' => {
            collect(output)
        }
        _ => TokenStream::new(),
    }
}

/// The function with `async` in any case: a body that awaits would cause more errors without it.
///
/// A function that awaits nothing is marked as generated from its first token to its last, so that `unused_async` does
/// not object to what can only be an `async fn`.
fn make_async(definition: &[TokenTree], fn_token: Span, body: &Group) -> TokenStream {
    let start = definition.iter().position(is_async_keyword);
    let mut at = start.map_or(fn_token, |start| definition[start].span());
    let mut body = body.clone();
    if !awaits(body.stream()) {
        at = generated_at(at);
        body.set_span(generated_at(body.span()));
    }
    let signature = definition[..definition.len() - 1].iter().enumerate();
    let signature = signature.filter(|(i, _)| Some(*i) != start).map(|(_, token)| token);
    quote_spanned!(at=> async #(#signature)* #body)
}

fn awaits(body: TokenStream) -> bool {
    body.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "await",
        TokenTree::Group(group) => awaits(group.stream()),
        _ => false,
    })
}

fn is_qualifier(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => word == "async" || word == "const" || word == "unsafe" || word == "extern",
        TokenTree::Literal(_) => true,
        _ => false,
    }
}

fn is_async_keyword(token: &TokenTree) -> bool {
    item::ident(token).is_some_and(|word| word == "async")
}

fn collect(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}
