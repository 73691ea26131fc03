//! The type that `cx.get` gives.

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
