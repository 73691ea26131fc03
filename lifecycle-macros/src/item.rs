//! An item, read only as far as a macro needs to; the rest stays as the user wrote it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use crate::tokens::{collect, flatten};

/// An item split before its keyword.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: TokenStream,
    pub(crate) rest: Vec<TokenTree>,
}

/// An outer attribute.
pub(crate) struct Attribute {
    /// Without spaces: `allow`, `tracing::instrument`.
    pub(crate) path: String,
    tokens: [TokenTree; 2],
}

impl Item {
    pub(crate) fn read(tokens: TokenStream) -> Self {
        let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // `$item:item` of a `macro_rules`.
        while let [TokenTree::Group(whole)] = &tokens[..] {
            if whole.delimiter() != Delimiter::None {
                break;
            }
            tokens = whole.stream().into_iter().collect();
        }
        let mut rest = &tokens[..];
        let mut attributes = Vec::new();
        while let [pound @ TokenTree::Punct(punct), TokenTree::Group(body), after @ ..] = rest {
            if punct.as_char() != '#' {
                break;
            }
            let path = Attribute::path(body.stream());
            attributes.push(Attribute { path, tokens: [pound.clone(), body.clone().into()] });
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
        Self { attributes, visibility: collect(visibility), rest: rest.to_vec() }
    }

    /// The attributes whose name is one of `names`.
    pub(crate) fn attributes_named(&self, names: &[&str]) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| names.contains(&attribute.name()))
    }
}

impl Attribute {
    /// The last segment of its path: `allow`, `instrument`.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit(':').next().unwrap_or_default()
    }

    fn path(body: TokenStream) -> String {
        let path = flatten(body).into_iter().take_while(|token| match token {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(punct) => punct.as_char() == ':',
            TokenTree::Group(_) | TokenTree::Literal(_) => false,
        });
        path.map(|token| token.to_string()).collect()
    }
}

impl ToTokens for Attribute {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.iter().cloned());
    }
}
