//! The item under `#[resource]`.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

use crate::item::{Attribute, Item};
use crate::tokens::{self, collect};

/// The item that the attribute stands on.
pub(super) struct Subject {
    pub(super) keyword: Keyword,
    /// `None` for an item that does not declare a type.
    pub(super) name: Option<Ident>,
    pub(super) generics: Generics,
    /// `#[cfg(…)]` after `#[resource]`: it must remove the expansion together with the struct.
    pub(super) conditions: Vec<TokenStream>,
    /// Further attributes called `resource`.
    pub(super) resource_attributes: Vec<Attribute>,
    /// Whether the struct is `#[deprecated]`: its use in the expansion must not warn.
    pub(super) is_deprecated: bool,
}

/// The keyword of the item.
pub(super) struct Keyword {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Struct,
    Enum,
    Union,
    Function,
    Impl,
    Other,
}

/// The parameters of a generic type; empty for a type without parameters.
#[derive(Default)]
pub(super) struct Generics {
    /// Everything between `<` and `>`.
    pub(super) written: TokenStream,
    /// `T: Bound`, `const N: usize`: without defaults.
    pub(super) parameters: Vec<TokenStream>,
    /// `T`, `N`.
    pub(super) arguments: Vec<TokenStream>,
    /// Everything after `where`.
    pub(super) predicates: TokenStream,
}

impl Subject {
    pub(super) fn read(tokens: TokenStream) -> Self {
        let mut item = Item::read(tokens);
        let (keyword, after) = Keyword::read(&item.rest);
        let conditions = item.attributes_named(&["cfg"]).map(Attribute::to_token_stream).collect();
        let is_deprecated = item.attributes_named(&["deprecated"]).next().is_some();
        let is_type = matches!(keyword.kind, Kind::Struct | Kind::Enum | Kind::Union);
        let (name, generics) = match after.split_first() {
            Some((TokenTree::Ident(name), after)) if is_type => (Some(name.clone()), Generics::read(after)),
            _ => (None, Generics::default()),
        };
        item.attributes.retain(|attribute| attribute.name() == "resource");
        Self { keyword, name, generics, conditions, resource_attributes: item.attributes, is_deprecated }
    }
}

impl Keyword {
    /// The keyword, and the tokens after it; words such as `unsafe` may come before it.
    fn read(tokens: &[TokenTree]) -> (Self, &[TokenTree]) {
        for (i, token) in tokens.iter().enumerate() {
            let kind = match tokens::ident(token).map(Ident::to_string).as_deref() {
                Some("struct") => Kind::Struct,
                Some("enum") => Kind::Enum,
                Some("union") => Kind::Union,
                Some("fn") => Kind::Function,
                Some("impl") => Kind::Impl,
                Some("unsafe" | "const" | "async" | "extern" | "default") => continue,
                None if matches!(token, TokenTree::Literal(_)) => continue,
                _ => break,
            };
            return (Self { kind, span: token.span() }, &tokens[i + 1..]);
        }
        let span = tokens.first().map_or_else(Span::call_site, TokenTree::span);
        (Self { kind: Kind::Other, span }, &[])
    }
}

impl Generics {
    fn read(tokens: &[TokenTree]) -> Self {
        let (written, rest) = tokens::take_angles(tokens);
        let parameters = tokens::split_at_commas(written);
        Self {
            written: collect(written),
            parameters: parameters.iter().map(|parameter| collect(tokens::before(parameter, '='))).collect(),
            arguments: parameters.iter().map(|parameter| argument(parameter)).collect(),
            predicates: predicates(rest),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

/// `'a: 'b` to `'a`, `const N: usize` to `N`, `T: Bound` to `T`.
fn argument(parameter: &[TokenTree]) -> TokenStream {
    let name = tokens::before(tokens::before(parameter, '='), ':');
    let is_const = tokens::position(name, "const") == Some(0);
    collect(&name[usize::from(is_const)..])
}

fn predicates(tokens: &[TokenTree]) -> TokenStream {
    let Some(start) = tokens::position(tokens, "where") else { return TokenStream::new() };
    let predicates = tokens[start + 1..].iter().take_while(|token| match token {
        TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() != ';',
        _ => true,
    });
    predicates.cloned().collect()
}
