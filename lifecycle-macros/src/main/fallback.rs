//! What stands in for an entry point that cannot be written, so that the rest of the program gets no second error.
//!
//! It only compiles next to an error, and never runs.

use proc_macro2::TokenStream;
use quote::quote;

use super::function::Function;
use crate::paths::Runtime;

/// A function that can be called, around one whose parameters nothing can supply.
pub(super) fn expand(runtime: &Runtime, function: &Function) -> TokenStream {
    let Function { outer_attributes, inner_attributes, visibility, name, definition, .. } = function;
    let krate = runtime.at(name.span());
    quote! {
        #(#outer_attributes)*
        #visibility fn #name() -> #krate::Report {
            #[allow(unused)]
            #(#inner_attributes)*
            #definition
            #krate::private::unreachable!()
        }
    }
}
