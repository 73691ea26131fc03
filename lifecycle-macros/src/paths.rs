//! Paths that the user wrote, and the path of the runtime crate.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

use crate::ctxt::Ctxt;
use crate::tokens::{collect, ident, skip_colons};

/// The keywords that cannot stand in a path, and `_`, which is not a name either.
const KEYWORDS: [&str; 48] = [
    "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// A path without generic arguments: `Db`, `crate::db::Db`, `::remote::Db`.
pub(crate) struct Path {
    tokens: TokenStream,
    pub(crate) first: Span,
    pub(crate) last: Span,
    last_segment: String,
}

impl Path {
    /// Takes a path off the front of `tokens`.
    pub(crate) fn take(tokens: &[TokenTree]) -> Option<(Self, &[TokenTree])> {
        let mut rest = skip_colons(tokens).unwrap_or(tokens);
        let first = tokens.first()?.span();
        loop {
            let segment = rest.first().and_then(ident).filter(|segment| !is_keyword(segment))?;
            rest = &rest[1..];
            if let Some(more) = skip_colons(rest) {
                rest = more;
                continue;
            }
            let path = Self {
                tokens: collect(&tokens[..tokens.len() - rest.len()]),
                first,
                last: segment.span(),
                last_segment: segment.to_string(),
            };
            return Some((path, rest));
        }
    }

    /// The path without spaces, for messages and comparison.
    pub(crate) fn text(&self) -> String {
        self.tokens.to_string().replace(' ', "")
    }

    pub(crate) fn last_segment(&self) -> &str {
        &self.last_segment
    }

    /// Whether this is certainly `name`, seen from where `name` is declared. `self::Db` is not: inside a function it is
    /// the `Db` of the module.
    pub(crate) fn is_local(&self, name: &Ident) -> bool {
        let text = self.text();
        text == "Self" || *name == text
    }

    /// The span of the first token, for generated code before the path: rustc then points at the path.
    pub(crate) fn first(&self) -> Span {
        generated_at(self.first)
    }

    /// The span of the last token, for generated code after the path.
    pub(crate) fn last(&self) -> Span {
        generated_at(self.last)
    }
}

impl ToTokens for Path {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}

/// Keeps the first of equal paths and reports the others.
pub(crate) fn remove_repeated(cx: &Ctxt, paths: &mut Vec<Path>) {
    let mut seen = Vec::new();
    paths.retain(|path| {
        let text = path.text();
        let is_new = !seen.contains(&text);
        if is_new {
            seen.push(text);
        } else {
            cx.error_spanned(path, format_args!("`{text}` is given twice; keep one of the two"));
        }
        is_new
    });
}

/// The path of the runtime crate: `::lifecycle`, or the one in `crate = …`.
#[derive(Default)]
pub(crate) struct Runtime {
    pub(crate) path: Option<Path>,
}

impl Runtime {
    /// Whether `path` is that of the item `name` of the runtime crate.
    pub(crate) fn is_path_of(&self, path: &str, name: &str) -> bool {
        let krate = self.path.as_ref().map_or_else(|| "lifecycle".to_owned(), Path::text);
        let path = path.trim_start_matches("::");
        path.strip_suffix(name) == Some(&format!("{}::", krate.trim_start_matches("::")))
    }

    /// The runtime's path, for code that belongs to `span`.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match &self.path {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(span=> ::lifecycle),
        }
    }

    /// Imports the runtime's module for expansions under the name [`private`]. A runtime that is not found is then one
    /// error, and not one for each use.
    pub(crate) fn import(&self, span: Span) -> TokenStream {
        let krate = self.at(span);
        let private = private(span);
        quote_spanned!(span=> use #krate::private as #private;)
    }
}

/// The runtime's module for expansions, where it is [imported](Runtime::import).
pub(crate) fn private(span: Span) -> TokenStream {
    Ident::new("__private", span).into_token_stream()
}

/// The crate that the expansion is part of.
pub(crate) fn origin(span: Span) -> TokenStream {
    let private = private(span);
    quote_spanned! {span=>
        #private::Origin {
            package: #private::option_env!("CARGO_PKG_NAME"),
            module: #private::module_path!(),
        }
    }
}

pub(crate) fn is_keyword(word: &Ident) -> bool {
    KEYWORDS.iter().any(|keyword| word == keyword)
}

/// `span`, marked as generated code: lints ignore it, and errors still point to it.
pub(crate) fn generated_at(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}
