//! Writes the declaration of a resource: data, and calls into `private`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::handle::handle;
use super::model::Declaration;
use crate::args::Spanned;
use crate::duration::literal;
use crate::paths::{Path, generated_at};

pub(super) fn expand(declaration: &Declaration, name: &Ident) -> TokenStream {
    let node = node(declaration, name);
    let declared = impl_declared(declaration, name);
    let depends_on = declaration.after.iter().map(|path| impl_depends_on(declaration, name, path));
    let obligations = obligations(declaration, name);
    let registration = registration(declaration, name);
    quote!(#node #declared #(#depends_on)* #obligations #registration)
}

fn impl_declared(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let krate = declaration.runtime.at(at);
    let handle = handle(declaration);
    let depth = depth(declaration, name);
    let foundation = declaration.foundation;
    quote_spanned! {at=>
        #[automatically_derived]
        impl #krate::private::Declared for #name {
            type Handle = #handle;
            #depth
            const FOUNDATION: ::core::primitive::bool = #foundation;
            fn node() -> &'static #krate::private::Node {
                &NODE
            }
        }
    }
}

/// In a cycle rustc walks along these constants, so each has the span of its dependencies.
fn depth(declaration: &Declaration, name: &Ident) -> TokenStream {
    let krate = declaration.runtime.at(generated_at(name.span()));
    let (first, last) = match &declaration.after[..] {
        [first, .., last] => (first.first, last.last),
        [only] => (only.first, only.last),
        [] => (name.span(), name.span()),
    };
    let depths = declaration.after.iter().map(|path| declared(declaration, path, "DEPTH"));
    let start = quote_spanned!(first=> const);
    let name = quote_spanned!(last=> DEPTH);
    let end = quote_spanned!(last=> ;);
    quote_spanned! {generated_at(last)=>
        #start #name: ::core::primitive::usize = #krate::private::depth([#(#depths),*]) #end
    }
}

fn node(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let krate = declaration.runtime.at(at);
    let data = data(declaration, name);
    quote_spanned! {at=>
        static NODE: #krate::private::Node = #krate::private::Node::new::<#name>(#data);
    }
}

fn data(declaration: &Declaration, name: &Ident) -> TokenStream {
    let krate = declaration.runtime.at(generated_at(name.span()));
    let display_name = declaration.display_name();
    let nodes = declaration.after.iter().map(|path| declared(declaration, path, "node"));
    let acquire_timeout = optional_duration(declaration.acquire_timeout.as_ref());
    let drain_timeout = optional_duration(declaration.drain_timeout.as_ref());
    let reserve = optional_duration(declaration.reserve.as_ref());
    let Declaration { optional, foundation, .. } = declaration;
    // With the span of the struct; otherwise these would name the line of the attribute.
    let (file, line) =
        (quote_spanned!(name.span()=> ::core::file!()), quote_spanned!(name.span()=> ::core::line!()));
    quote! {
        #krate::private::Declaration {
            name: #display_name,
            file: #file,
            line: #line,
            after: &[#(#nodes),*],
            acquire_timeout: #acquire_timeout,
            drain_timeout: #drain_timeout,
            reserve: #reserve,
            optional: #optional,
            foundation: #foundation,
        }
    }
}

fn impl_depends_on(declaration: &Declaration, name: &Ident, path: &Path) -> TokenStream {
    let krate = declaration.runtime.at(path.first());
    quote_spanned! {path.first()=>
        #[automatically_derived]
        impl #krate::private::DependsOn<#path> for #name {}
    }
}

/// Constants that must hold: no cycle, and foundations at the bottom.
///
/// The depth is evaluated through a generic function: `<Db as Declared>::DEPTH` would repeat the error about a missing
/// `impl Resource`.
fn obligations(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let krate = declaration.runtime.at(at);
    let foundations = declaration.after.iter().filter(|_| declaration.foundation).map(|path| {
        let is_foundation = declared(declaration, path, "FOUNDATION");
        let dependency = path.last_segment();
        let message = format!(
            "`{name}` is a foundation and comes after `{dependency}`, which is not: \
             make `{dependency}` a `foundation` too, or remove `foundation` from `{name}`"
        );
        let panic = quote_spanned!(path.first()=> ::core::panic!);
        quote_spanned!(path.last()=> if !#is_foundation { #panic(#message) })
    });
    quote_spanned! {at=>
        const fn depth<R: #krate::private::Declared>() -> ::core::primitive::usize {
            R::DEPTH
        }
        const _: ::core::primitive::usize = depth::<#name>();
        #(const _: () = #foundations;)*
    }
}

fn registration(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let krate = declaration.runtime.at(at);
    quote_spanned! {at=>
        #krate::private::inventory::submit! {
            #krate::private::Registered(|| &NODE)
        }
    }
}

/// `<path as Declared>::associated`, with the span of `path` on every token.
fn declared(declaration: &Declaration, path: &Path, associated: &str) -> TokenStream {
    let krate = declaration.runtime.at(path.first());
    let associated = Ident::new(associated, path.last());
    let open = quote_spanned!(path.first()=> <);
    quote_spanned!(path.last()=> #open #path as #krate::private::Declared>::#associated)
}

fn optional_duration(duration: Option<&Spanned<Duration>>) -> TokenStream {
    match duration {
        Some(duration) => {
            let duration = literal(duration.value);
            quote!(::core::option::Option::Some(#duration))
        }
        None => quote!(::core::option::Option::None),
    }
}
