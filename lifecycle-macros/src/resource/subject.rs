//! The item under `#[resource]`.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

use crate::item::{self, Attribute, Item};

/// What the attribute stands on.
pub(crate) struct Subject {
    pub(crate) keyword: Keyword,
    /// `None` for items that declare no type.
    pub(crate) name: Option<Ident>,
    pub(crate) generics: Generics,
    /// `#[cfg(…)]` written after `#[resource]`: what takes the struct away must take the expansion away.
    pub(crate) conditions: Vec<TokenStream>,
    /// Whether naming the struct is worth a warning that only the user's own code should get.
    pub(crate) is_deprecated: bool,
}

/// The word that says what kind of item this is.
pub(crate) struct Keyword {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Struct,
    Enum,
    Union,
    Function,
    Impl,
    Other,
}

/// The parameters of a generic type; empty for a type that has none.
#[derive(Default)]
pub(crate) struct Generics {
    /// All that stands between `<` and `>`.
    pub(crate) written: TokenStream,
    /// `T: Bound`, `const N: usize`: without defaults.
    pub(crate) parameters: Vec<TokenStream>,
    /// `T`, `N`.
    pub(crate) arguments: Vec<TokenStream>,
    /// What follows `where`.
    pub(crate) predicates: TokenStream,
}

impl Subject {
    pub(super) fn read(tokens: TokenStream) -> Self {
        let item = Item::read(tokens);
        let (keyword, after) = Keyword::read(&item.rest);
        let conditions = item.attributes_named(&["cfg"]).map(Attribute::to_token_stream).collect();
        let is_deprecated = item.attributes_named(&["deprecated"]).next().is_some();
        let is_type = matches!(keyword.kind, Kind::Struct | Kind::Enum | Kind::Union);
        let (name, generics) = match after.split_first() {
            Some((TokenTree::Ident(name), after)) if is_type => (Some(name.clone()), Generics::read(after)),
            _ => (None, Generics::default()),
        };
        Self { keyword, name, generics, conditions, is_deprecated }
    }
}

impl Keyword {
    /// The keyword, and what follows it; words such as `unsafe` may stand before it.
    fn read(tokens: &[TokenTree]) -> (Self, &[TokenTree]) {
        for (i, token) in tokens.iter().enumerate() {
            let kind = match item::ident(token).map(Ident::to_string).as_deref() {
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
        let (written, rest) = item::take_angles(tokens);
        let parameters = item::split_at_commas(written);
        Self {
            written: collect(written),
            parameters: parameters.iter().map(|parameter| collect(item::before(parameter, '='))).collect(),
            arguments: parameters.iter().map(|parameter| argument(parameter)).collect(),
            predicates: predicates(rest),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

/// `'a: 'b` to `'a`, `const N: usize` to `N`, `T: Bound` to `T`.
fn argument(parameter: &[TokenTree]) -> TokenStream {
    let name = item::before(item::before(parameter, '='), ':');
    let is_const = item::position(name, "const") == Some(0);
    collect(&name[usize::from(is_const)..])
}

fn predicates(tokens: &[TokenTree]) -> TokenStream {
    let Some(start) = item::position(tokens, "where") else { return TokenStream::new() };
    let predicates = tokens[start + 1..].iter().take_while(|token| match token {
        TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() != ';',
        _ => true,
    });
    predicates.cloned().collect()
}

fn collect(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}
