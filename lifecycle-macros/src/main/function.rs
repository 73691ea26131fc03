//! The function under `#[lifecycle::main]`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

use super::body;
use crate::item::{Attribute, Item};
use crate::paths::generated_at;
use crate::tokens::{self, collect};

/// Attributes for callers of a function. All others, such as `#[instrument]`, are for its body.
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

/// Attributes that make an entry point too. They are left out of the expansion.
const ENTRY_POINTS: [&str; 2] = ["main", "test"];

pub(super) struct Function {
    pub(super) entry_points: Vec<Attribute>,
    pub(super) outer_attributes: Vec<TokenStream>,
    pub(super) inner_attributes: Vec<TokenStream>,
    pub(super) visibility: TokenStream,
    pub(super) name: Ident,
    /// The function from its first keyword to the end of its body: as written, and always `async`.
    pub(super) definition: TokenStream,
    pub(super) is_async: bool,
    pub(super) fn_token: Span,
    /// `unsafe`, `const` and `extern`.
    pub(super) qualifiers: Vec<TokenTree>,
    pub(super) generics: TokenStream,
    pub(super) parameters: Vec<TokenStream>,
    pub(super) output: TokenStream,
    pub(super) has_body: bool,
    /// Whether the block calls `block_on`, as the expansion of `#[tokio::main]` does.
    pub(super) blocks_on: bool,
}

impl Function {
    /// `Err` is the span of an item that is not a function with a body.
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
        let (generics, rest) = tokens::take_angles(rest);
        let [TokenTree::Group(parameters), rest @ .., TokenTree::Group(body)] = rest else {
            return Err(start);
        };
        let parameters: Vec<TokenTree> = parameters.stream().into_iter().collect();
        let is_async = tokens::position(qualifiers, "async").is_some();
        let (entry_points, others): (Vec<_>, Vec<_>) =
            attributes.into_iter().partition(|attribute| ENTRY_POINTS.contains(&attribute.name()));
        let (outer, inner): (Vec<_>, Vec<_>) =
            others.iter().partition(|attribute| OUTER.contains(&attribute.name()));
        Ok(Self {
            entry_points,
            outer_attributes: outer.into_iter().map(Attribute::to_token_stream).collect(),
            inner_attributes: inner.into_iter().map(Attribute::to_token_stream).collect(),
            visibility,
            name: name.clone(),
            is_async,
            fn_token: fn_token.span(),
            qualifiers: qualifiers.iter().filter(|word| !is_async_keyword(word)).cloned().collect(),
            generics: generics.iter().cloned().collect(),
            parameters: tokens::split_at_commas(&parameters).into_iter().map(collect).collect(),
            output: output(rest),
            has_body: !body::is_empty(body),
            blocks_on: body::mentions(body.stream(), "block_on"),
            definition: make_async(&definition, fn_token.span(), body),
        })
    }

    /// Whether it can be called with the application as its only argument.
    pub(super) fn is_callable(&self) -> bool {
        self.qualifiers.is_empty()
            && self.generics.is_empty()
            && self.parameters.len() <= 1
            && !self.has_receiver()
    }

    pub(super) fn has_receiver(&self) -> bool {
        let first = self.parameters.first().cloned().unwrap_or_default();
        let first: Vec<TokenTree> = first.into_iter().collect();
        tokens::position(tokens::before(&first, ':'), "self").is_some()
    }
}

/// The type behind `->`.
fn output(tokens: &[TokenTree]) -> TokenStream {
    let end = tokens::position(tokens, "where").unwrap_or(tokens.len());
    match &tokens[..end] {
        [TokenTree::Punct(minus), TokenTree::Punct(_), output @ ..] if minus.as_char() == '-' => {
            collect(output)
        }
        _ => TokenStream::new(),
    }
}

/// The function with `async`, written or not: without it, a body that awaits would cause further errors.
///
/// A function that awaits nothing is marked as generated from its first token to its last, since the lint
/// `unused_async` would object to an `async fn` that the user cannot write differently.
fn make_async(definition: &[TokenTree], fn_token: Span, body: &Group) -> TokenStream {
    let start = definition.iter().position(is_async_keyword);
    let mut at = start.map_or(fn_token, |start| definition[start].span());
    let mut body = body.clone();
    if !body::mentions(body.stream(), "await") {
        at = generated_at(at);
        body.set_span(generated_at(body.span()));
    }
    let signature = definition[..definition.len() - 1].iter().enumerate();
    let signature = signature.filter(|(i, _)| Some(*i) != start).map(|(_, token)| token);
    quote_spanned!(at=> async #(#signature)* #body)
}

fn is_qualifier(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => word == "async" || word == "const" || word == "unsafe" || word == "extern",
        TokenTree::Literal(_) => true,
        _ => false,
    }
}

fn is_async_keyword(token: &TokenTree) -> bool {
    tokens::ident(token).is_some_and(|word| word == "async")
}
