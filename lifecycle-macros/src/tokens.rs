//! Scans of token lists that need no parser: groups, commas, `<…>`.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};

/// Opens the invisible groups that `macro_rules` puts around fragments such as `$path:path`.
pub(crate) fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    let mut flat = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                flat.extend(flatten(group.stream()));
            }
            token => flat.push(token),
        }
    }
    flat
}

pub(crate) fn collect(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}

pub(crate) fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

pub(crate) fn ident(token: &TokenTree) -> Option<&Ident> {
    match token {
        TokenTree::Ident(ident) => Some(ident),
        _ => None,
    }
}

/// The index of the first identifier `word`.
pub(crate) fn position(tokens: &[TokenTree], word: &str) -> Option<usize> {
    tokens.iter().position(|token| ident(token).is_some_and(|ident| ident == word))
}

/// The tokens after a leading `::`.
pub(crate) fn skip_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(first), second, rest @ ..]
            if first.as_char() == ':' && first.spacing() == Spacing::Joint && is_punct(second, ':') =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// The tokens after the next comma.
pub(crate) fn past_comma(tokens: &[TokenTree]) -> &[TokenTree] {
    let comma = tokens.iter().position(|token| is_punct(token, ','));
    comma.map_or(&[], |comma| &tokens[comma + 1..])
}

/// Takes `<…>` off the front of `tokens`: the inside and the rest. The inside is empty if there is no `<…>`.
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

/// Splits at the commas outside `<…>`; a trailing comma adds nothing.
pub(crate) fn split_at_commas(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    let mut depth = Depth::default();
    let parts = tokens.split(|token| {
        depth.pass(token);
        depth.is_outside() && is_punct(token, ',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// The tokens before the first `separator` outside `<…>`.
pub(crate) fn before(tokens: &[TokenTree], separator: char) -> &[TokenTree] {
    let mut depth = Depth::default();
    let end = tokens.iter().position(|token| {
        depth.pass(token);
        depth.is_outside() && is_punct(token, separator)
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

/// The number of open `<`.
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
