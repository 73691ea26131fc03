//! Questions about the block of a function, which otherwise stays as the user wrote it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::tokens::{flatten, ident, is_punct, position};

/// Whether the block holds no code. Such a `main` waits for its resources instead of running a body.
///
/// A block is taken for written if there is any doubt: the body of a `main` that counts as empty is never run.
pub(super) fn is_empty(block: &Group) -> bool {
    let tokens = flatten(block.stream());
    let tokens = skip_inner_attributes(&tokens);
    match (block.delimiter(), tokens) {
        (_, []) => true,
        // `$body:block` of a `macro_rules`.
        (Delimiter::None, [TokenTree::Group(block)]) => is_empty(block),
        _ => instrumented(tokens).is_some_and(|block| is_empty(&block)),
    }
}

/// Whether `word` is anywhere in the block.
pub(super) fn mentions(block: TokenStream, word: &str) -> bool {
    block.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// The block that `#[tracing::instrument]` above this attribute has wrapped: it always leaves code of its own.
fn instrumented(tokens: &[TokenTree]) -> Option<Group> {
    let future = position(tokens, "__tracing_instrument_future")?;
    let [equals, r#async, r#move, TokenTree::Group(wrapper), ..] = &tokens[future + 1..] else { return None };
    let is_async_block = is_punct(equals, '=') && ident(r#async)? == "async" && ident(r#move)? == "move";
    match flatten(wrapper.stream()).pop()? {
        TokenTree::Group(block) if is_async_block => Some(block),
        _ => None,
    }
}

fn skip_inner_attributes(mut tokens: &[TokenTree]) -> &[TokenTree] {
    while let [pound, bang, TokenTree::Group(_), rest @ ..] = tokens {
        if !is_punct(pound, '#') || !is_punct(bang, '!') {
            break;
        }
        tokens = rest;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

    use super::is_empty;

    fn block(text: &str) -> Group {
        match text.parse::<TokenStream>().unwrap().into_iter().next() {
            Some(TokenTree::Group(block)) => block,
            _ => panic!("not a block: {text}"),
        }
    }

    /// What `$body:block` of a `macro_rules` becomes.
    fn fragment(text: &str) -> Group {
        Group::new(Delimiter::None, TokenTree::from(block(text)).into())
    }

    /// What `#[tracing::instrument]` makes of a body.
    fn instrumented(body: &str) -> String {
        format!(
            "{{
                {{}}
                let __tracing_attr_span = {{ {{}} }};
                let __tracing_instrument_future = async move {{
                    if false {{
                        let __tracing_attr_fake_return: () = loop {{}};
                        return __tracing_attr_fake_return;
                    }}
                    {body}
                }};
                if !__tracing_attr_span.is_disabled() {{
                    ::tracing::Instrument::instrument(__tracing_instrument_future, __tracing_attr_span).await
                }} else {{
                    __tracing_instrument_future.await
                }}
            }}"
        )
    }

    #[test]
    fn a_block_without_code_is_empty() {
        for text in ["{}", "{ #![allow(unused)] }", "{ #![allow(unused)] #![warn(missing_docs)] }"] {
            assert!(is_empty(&block(text)), "{text}");
            assert!(is_empty(&fragment(text)), "{text}");
            assert!(is_empty(&block(&instrumented(text))), "{text}");
        }
    }

    #[test]
    fn a_block_with_code_is_not_empty() {
        for text in ["{ work(); }", "{ #![allow(unused)] 1 }", "{ {} }", "{ ; }", "{ #[cfg(x)] {} }"] {
            assert!(!is_empty(&block(text)), "{text}");
            assert!(!is_empty(&fragment(text)), "{text}");
            assert!(!is_empty(&block(&instrumented(text))), "{text}");
        }
    }
}
