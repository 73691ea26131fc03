//! Writes the declaration of a resource: data, and calls into `private`.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::handle::{handle, reload};
use super::model::Declaration;
use crate::args::Spanned;
use crate::duration::literal;
use crate::paths::{Path, generated_at, origin, private};

/// In a cycle, rustc says little more than this name.
const DEPTH: &str = "RESOURCES_THAT_COME_AFTER_EACH_OTHER";

pub(super) fn expand(declaration: &Declaration, name: &Ident) -> TokenStream {
    let node = node(declaration, name);
    let declared = impl_declared(declaration, name);
    let depends_on = declaration.after.iter().map(|path| impl_depends_on(name, path));
    let obligations = obligations(declaration, name);
    let registration = registration(name);
    quote!(#node #declared #(#depends_on)* #obligations #registration)
}

fn impl_declared(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let private = private(at);
    let (handle, reload) = (handle(declaration), reload(declaration));
    let depth = depth(declaration, name);
    let foundation =
        declaration.foundation.then(|| quote_spanned!(at=> const FOUNDATION: #private::bool = true;));
    quote_spanned! {at=>
        #[automatically_derived]
        impl #private::Declared for #name {
            type Handle = #handle;
            type Reload = #reload;
            #depth
            #foundation
            fn node() -> &'static #private::Node {
                &NODE
            }
        }
    }
}

/// The depth of the resource in the graph, which cannot be evaluated in a cycle: rustc then walks along these constants,
/// so each has the span of its dependencies.
///
/// The depths of the dependencies are evaluated through a generic function. Taken directly, they would be evaluated by
/// two more steps of the compiler, each with a note.
fn depth(declaration: &Declaration, name: &Ident) -> TokenStream {
    let private = private(generated_at(name.span()));
    let (first, last) = match &declaration.after[..] {
        [first, .., last] => (first.first, last.last),
        [only] => (only.first, only.last),
        [] => (name.span(), name.span()),
    };
    let depths = declaration.after.iter().map(|path| quote_spanned!(path.last()=> depth::<#path>()));
    let start = quote_spanned!(first=> const);
    let name = Ident::new(DEPTH, last);
    let end = quote_spanned!(last=> ;);
    quote_spanned! {generated_at(last)=>
        #start #name: #private::usize = #private::depth([#(#depths),*]) #end
    }
}

fn node(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let private = private(at);
    let data = data(declaration, name);
    let new = if declaration.supplied.is_some() { quote!(supplied) } else { quote!(new) };
    quote_spanned! {at=>
        static NODE: #private::Node = #private::Node::#new::<#name>(#data);
    }
}

fn data(declaration: &Declaration, name: &Ident) -> TokenStream {
    let private = private(generated_at(name.span()));
    let display_name = declaration.display_name();
    let nodes = declaration.after.iter().map(|path| {
        let private = self::private(path.first());
        quote_spanned!(path.last()=> #private::dependency::<#name, #path>())
    });
    let acquire_timeout = optional_duration(declaration.acquire_timeout.as_ref());
    let drain_timeout = optional_duration(declaration.drain_timeout.as_ref());
    let reserve = optional_duration(declaration.reserve.as_ref());
    let necessity = match (declaration.optional, declaration.skippable) {
        (Some(_), _) => quote!(Optional),
        (None, Some(_)) => quote!(Skippable),
        (None, None) => quote!(Required),
    };
    let foundation = declaration.foundation;
    let supplied = declaration.supplied.is_some();
    let origin = origin(Span::call_site());
    // Not as generated code: these would name the line of the attribute.
    let at_name = self::private(name.span());
    let file = quote_spanned!(name.span()=> #at_name::file!());
    let line = quote_spanned!(name.span()=> #at_name::line!());
    quote! {
        #private::Declaration {
            name: #display_name,
            file: #file,
            line: #line,
            origin: #origin,
            after: &[#(#nodes),*],
            acquire_timeout: #acquire_timeout,
            drain_timeout: #drain_timeout,
            reserve: #reserve,
            necessity: #private::Necessity::#necessity,
            foundation: #foundation,
            supplied: #supplied,
        }
    }
}

fn impl_depends_on(name: &Ident, path: &Path) -> TokenStream {
    let private = private(path.first());
    quote_spanned! {path.first()=>
        #[automatically_derived]
        impl #private::DependsOn<#path> for #name {
            type Dependency = #path;
        }
    }
}

/// Constants that must hold: no cycle, and foundations at the bottom.
fn obligations(declaration: &Declaration, name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let private = private(at);
    let foundations = declaration.after.iter().filter(|_| declaration.foundation).map(|path| {
        let dependency = path.last_segment();
        let message = format!(
            "`{name}` is a foundation and comes after `{dependency}`, which is not: \
             make `{dependency}` a `foundation` too, or remove `foundation` from `{name}`"
        );
        let private = self::private(path.first());
        let panic = quote_spanned!(path.first()=> #private::panic!);
        quote_spanned!(path.last()=> if !is_foundation::<#path>() { #panic(#message) })
    });
    let is_foundation = declaration.foundation.then(|| {
        quote_spanned! {at=>
            const fn is_foundation<D>() -> #private::bool
            where
                #name: #private::DependsOn<D>,
            {
                <<#name as #private::DependsOn<D>>::Dependency as #private::Declared>::FOUNDATION
            }
        }
    });
    let depth = Ident::new(DEPTH, at);
    quote_spanned! {at=>
        const fn depth<D>() -> #private::usize
        where
            #name: #private::DependsOn<D>,
        {
            <<#name as #private::DependsOn<D>>::Dependency as #private::Declared>::#depth
        }
        const _: #private::usize = <#name as #private::Declared>::#depth;
        #is_foundation
        #(const _: () = #foundations;)*
    }
}

fn registration(name: &Ident) -> TokenStream {
    let at = generated_at(name.span());
    let private = private(at);
    quote_spanned! {at=>
        #private::inventory::submit! {
            #private::Registered(&NODE)
        }
    }
}

fn optional_duration(duration: Option<&Spanned<Duration>>) -> TokenStream {
    let private = private(Span::call_site());
    match duration {
        Some(duration) => {
            let duration = literal(&private, duration.value);
            quote!(#private::Option::Some(#duration))
        }
        None => quote!(#private::Option::None),
    }
}
