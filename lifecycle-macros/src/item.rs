//! An item, read only as far as a macro must know it; the rest stays the tokens that the user wrote.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// What stands before the keyword of an item, and everything after it.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: TokenStream,
    pub(crate) rest: Vec<TokenTree>,
}

/// An outer attribute.
pub(crate) struct Attribute {
    /// The last segment of its path: `allow`, `instrument`.
    pub(crate) name: String,
    tokens: [TokenTree; 2],
}

impl Item {
    pub(crate) fn read(tokens: TokenStream) -> Self {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        let mut attributes = Vec::new();
        while let [pound @ TokenTree::Punct(punct), TokenTree::Group(body), after @ ..] = rest {
            if punct.as_char() != '#' {
                break;
            }
            let name = Attribute::name(body.stream());
            attributes.push(Attribute { name, tokens: [pound.clone(), body.clone().into()] });
            rest = after;
        }
        let visibility = match rest {
            [TokenTree::Ident(word), TokenTree::Group(scope), ..]
                if word == "pub" && scope.delimiter() == Delimiter::Parenthesis =>
            {
                2
            }
            [TokenTree::Ident(word), ..] if word == "pub" => 1,
            // `$vis` of a `macro_rules`.
            [TokenTree::Group(invisible), ..] if invisible.delimiter() == Delimiter::None => 1,
            _ => 0,
        };
        let (visibility, rest) = rest.split_at(visibility);
        Self { attributes, visibility: visibility.iter().cloned().collect(), rest: rest.to_vec() }
    }

    /// The attributes with one of `names`.
    pub(crate) fn attributes_named(&self, names: &[&str]) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| names.contains(&attribute.name.as_str()))
    }
}

impl Attribute {
    fn name(body: TokenStream) -> String {
        let segments = body.into_iter().take_while(|token| match token {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(punct) => punct.as_char() == ':',
            _ => false,
        });
        let last = segments.filter(|token| matches!(token, TokenTree::Ident(_))).last();
        last.map(|segment| segment.to_string()).unwrap_or_default()
    }
}

impl ToTokens for Attribute {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.iter().cloned());
    }
}

/// Takes `<…>` off the front of `tokens`: the inside, and the rest; nothing if there is none.
pub(crate) fn take_angles(tokens: &[TokenTree]) -> (&[TokenTree], &[TokenTree]) {
    let mut depth = Depth::default();
    for (i, token) in tokens.iter().enumerate() {
        depth.pass(token);
        if depth.is_outside() {
            return if i == 0 { (&[], tokens) } else { (&tokens[1..i], &tokens[i + 1..]) };
        }
    }
    (&[], tokens)
}

/// Splits at the commas that are not inside `<…>`; a trailing comma adds nothing.
pub(crate) fn split_at_commas(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    let mut depth = Depth::default();
    let parts = tokens.split(|token| {
        depth.pass(token);
        depth.is_outside() && matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// The part of a generic parameter or of an argument before `separator`.
pub(crate) fn before(tokens: &[TokenTree], separator: char) -> &[TokenTree] {
    let mut depth = Depth::default();
    let end = tokens.iter().position(|token| {
        depth.pass(token);
        depth.is_outside() && matches!(token, TokenTree::Punct(punct) if punct.as_char() == separator)
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

/// The first identifier called `word`, as an index.
pub(crate) fn position(tokens: &[TokenTree], word: &str) -> Option<usize> {
    tokens.iter().position(|token| ident(token).is_some_and(|ident| ident == word))
}

pub(crate) fn ident(token: &TokenTree) -> Option<&Ident> {
    match token {
        TokenTree::Ident(ident) => Some(ident),
        _ => None,
    }
}

/// How many `<` are open.
#[derive(Default)]
struct Depth {
    open: usize,
    is_after_minus: bool,
}

impl Depth {
    fn pass(&mut self, token: &TokenTree) {
        let mut is_minus = false;
        if let TokenTree::Punct(punct) = token {
            match punct.as_char() {
                '<' => self.open += 1,
                '>' if !self.is_after_minus => self.open = self.open.saturating_sub(1),
                '-' => is_minus = punct.spacing() == Spacing::Joint,
                _ => {}
            }
        }
        self.is_after_minus = is_minus;
    }

    fn is_outside(&self) -> bool {
        self.open == 0
    }
}
