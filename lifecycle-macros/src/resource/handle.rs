//! The types that depend on options: what `cx.get` gives, and what the hook `reload` takes.

use proc_macro2::{Span, TokenStream};
use quote::quote;

use super::model::Declaration;
use crate::paths::private;

/// For an optional or skippable resource an `Option`, as it may be missing.
pub(super) fn handle(declaration: &Declaration) -> TokenStream {
    let private = private(Span::call_site());
    if declaration.optional.or(declaration.skippable).is_some() {
        quote!(#private::Option<#private::Arc<Self>>)
    } else {
        quote!(#private::Arc<Self>)
    }
}

/// For a resource that is not declared `reload` a type of which there is no value: its hook is never called.
pub(super) fn reload(declaration: &Declaration) -> TokenStream {
    let private = private(Span::call_site());
    if declaration.reload { quote!(#private::Reload) } else { quote!(#private::NotDeclaredReload) }
}
