//! The type that `cx.get` gives.

use proc_macro2::TokenStream;
use quote::quote;

use super::model::Declaration;

/// For an optional resource an `Option`, as it may be missing.
pub(super) fn handle(declaration: &Declaration) -> TokenStream {
    if declaration.optional {
        quote!(::core::option::Option<::std::sync::Arc<Self>>)
    } else {
        quote!(::std::sync::Arc<Self>)
    }
}
