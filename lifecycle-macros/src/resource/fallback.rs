//! What stands in for the declaration of a generic type, so that the rest of the program gets no second error.
//!
//! It only compiles next to an error, and never runs.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::handle::{handle, reload};
use super::model::Declaration;
use crate::paths::{generated_at, private};

/// Declares the type, so that resources may come after it, and it may ask for its own dependencies.
pub(super) fn expand(declaration: &Declaration, name: &Ident) -> TokenStream {
    let private = private(generated_at(name.span()));
    let generics = &declaration.subject.generics;
    let (parameters, arguments) = (&generics.parameters, &generics.arguments);
    let parameters = quote!(<#(#parameters),*>);
    let generic = quote!(#name<#(#arguments),*>);
    let predicates = &generics.predicates;
    let dependencies = &declaration.after;
    let (handle, reload) = (handle(declaration), reload(declaration));
    let foundation = declaration.foundation;
    quote! {
        impl #parameters #private::Declared for #generic
        where
            Self: 'static,
            #predicates
        {
            type Handle = #handle;
            type Reload = #reload;
            const RESOURCES_THAT_COME_AFTER_EACH_OTHER: #private::usize = 1;
            const FOUNDATION: #private::bool = #foundation;
            fn node() -> &'static #private::Node {
                #private::unreachable!()
            }
        }
        #(
            impl #parameters #private::DependsOn<#dependencies> for #generic
            where
                #predicates
            {
                type Dependency = #dependencies;
            }
        )*
    }
}
