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
    match outside_angles(tokens).next() {
        Some((0, _)) | None => (&[], tokens),
        Some((end, _)) => (&tokens[1..end], &tokens[end + 1..]),
    }
}

/// Splits at the commas outside `<…>`; a trailing comma adds nothing.
pub(crate) fn split_at_commas(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (i, _) in outside_angles(tokens).filter(|(_, token)| is_punct(token, ',')) {
        parts.push(&tokens[start..i]);
        start = i + 1;
    }
    parts.push(&tokens[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// The tokens before the first `separator` outside `<…>`.
pub(crate) fn before(tokens: &[TokenTree], separator: char) -> &[TokenTree] {
    let end = outside_angles(tokens).find(|(_, token)| is_punct(token, separator));
    &tokens[..end.map_or(tokens.len(), |(end, _)| end)]
}

/// The tokens that are not inside `<…>`, with their indices; of the angles themselves, those that close.
pub(crate) fn outside_angles(tokens: &[TokenTree]) -> impl Iterator<Item = (usize, &TokenTree)> {
    let mut open = 0_usize;
    let mut is_after_minus = false;
    tokens.iter().enumerate().filter(move |(_, token)| {
        let mut is_minus = false;
        if let TokenTree::Punct(punct) = token {
            match punct.as_char() {
                '<' => open += 1,
                // Not that of `->`.
                '>' if !is_after_minus => open = open.saturating_sub(1),
                '-' => is_minus = punct.spacing() == Spacing::Joint,
                _ => {}
            }
        }
        is_after_minus = is_minus;
        open == 0
    })
}
