//! What stands in for the declaration of a generic type, so that the rest of the program gets no second error.
//!
//! It only compiles next to an error, and never runs.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::handle::handle;
use super::model::Declaration;

/// Declares the type, so that resources may come after it, and it may ask for its own dependencies.
pub(super) fn expand(declaration: &Declaration, name: &Ident) -> TokenStream {
    let krate = declaration.runtime.at(name.span());
    let generics = &declaration.subject.generics;
    let (parameters, arguments) = (&generics.parameters, &generics.arguments);
    let parameters = quote!(<#(#parameters),*>);
    let generic = quote!(#name<#(#arguments),*>);
    let predicates = &generics.predicates;
    let dependencies = &declaration.after;
    let handle = handle(declaration);
    let foundation = declaration.foundation;
    quote! {
        impl #parameters #krate::private::Declared for #generic
        where
            Self: 'static,
            #predicates
        {
            type Handle = #handle;
            const DEPTH: ::core::primitive::usize = 1;
            const FOUNDATION: ::core::primitive::bool = #foundation;
            fn node() -> &'static #krate::private::Node {
                ::core::unreachable!()
            }
        }
        #(impl #parameters #krate::private::DependsOn<#dependencies> for #generic where #predicates {})*
    }
}
