//! What stands in for an expansion that cannot be written, so that the rest of the program gets no second error.
//!
//! It is only ever compiled next to an error, and never runs.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::main::Function;
use crate::paths::Runtime;
use crate::resource::{Declaration, handle};

/// Declares a generic type, so that resources may come after it, and it may ask for what it comes after.
pub(crate) fn generic_resource(declaration: &Declaration, name: &Ident) -> TokenStream {
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
            Self: #krate::private::Resource,
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

/// A function that can be called, around one whose parameters nobody can supply.
pub(crate) fn main(runtime: &Runtime, function: &Function) -> TokenStream {
    let Function { outer_attributes, inner_attributes, visibility, name, definition, .. } = function;
    let krate = runtime.at(name.span());
    quote! {
        #(#outer_attributes)*
        #visibility fn #name() -> #krate::Report {
            #[allow(unused)]
            #(#inner_attributes)*
            #definition
            ::core::unreachable!()
        }
    }
}
