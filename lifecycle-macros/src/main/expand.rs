//! Writes the entry point: data and one call.

use std::net::SocketAddr;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use super::function::Function;
use super::model::{Entry, Flavor, Hangup, Resources, StartupTimeout};
use crate::args::Spanned;
use crate::duration::literal;
use crate::paths::{Path, generated_at, origin, private};

pub(super) fn expand(entry: &Entry, function: &Function) -> TokenStream {
    let Function { outer_attributes, inner_attributes, visibility, name, definition, .. } = function;
    let krate = entry.runtime.at(Span::call_site());
    let import = entry.runtime.import(Span::call_site());
    let private = private(Span::call_site());
    let builder = builder(entry);
    let threads = threads(entry);
    let body = if function.has_body { quote!(Written) } else { quote!(Empty) };
    let is_program = is_program(name);
    let start = start(function);
    let main = quote! {
        #private::Main {
            builder: #builder,
            threads: #threads,
            body: #private::Body::#body,
            is_program: #is_program,
        }
    };
    let call = call(function, &quote!(#main, #start));
    quote! {
        #(#outer_attributes)*
        #visibility fn #name() -> #krate::private::Report {
            #krate::private::entry! {
                #import
                #(#inner_attributes)*
                #definition
                #call
            }
        }
    }
}

/// The call of `private::run`, with the span of the return type: rustc points there if no entry point can return it.
fn call(function: &Function, arguments: &TokenStream) -> TokenStream {
    let name = function.name.span();
    let (first, last) = ends(&function.output).unwrap_or((name, name));
    let private = private(generated_at(first));
    quote_spanned!(generated_at(last)=> #private::run(#arguments))
}

/// Whether the function is the program's own `main`.
fn is_program(name: &Ident) -> TokenStream {
    if name != "main" {
        return quote!(false);
    }
    let private = private(Span::call_site());
    quote! {
        #private::Place {
            module: #private::module_path!(),
            item: #private::type_name_of_val(&#name),
            binary: #private::option_env!("CARGO_BIN_NAME"),
            package: #private::option_env!("CARGO_PKG_NAME"),
            is_test: #private::cfg!(test),
        }
        .is_program()
    }
}

/// The closure that takes the application. Its span is that of the parameter: rustc points there if the type is wrong.
fn start(function: &Function) -> TokenStream {
    let name = &function.name;
    match function.parameters.first().and_then(ends) {
        Some((_, parameter)) => {
            // If the user has a constant `app`, a binding of that name is a pattern.
            let app = Ident::new("__app", generated_at(parameter));
            quote!(|#app| #name(#app))
        }
        None => quote!(|_| #name()),
    }
}

fn builder(entry: &Entry) -> TokenStream {
    let private = private(Span::call_site());
    let shutdown_timeout = entry.shutdown_timeout.as_ref().map(|limit| {
        let limit = literal(&private, limit.value);
        quote!(.shutdown_timeout(#limit))
    });
    let startup_timeout = entry.startup_timeout.as_ref().map(|limit| match limit {
        StartupTimeout::Unlimited => quote!(.startup_timeout(#private::Option::None)),
        StartupTimeout::Limit(limit) => {
            let limit = literal(&private, limit.value);
            quote!(.startup_timeout(#limit))
        }
    });
    let drain_delay = entry.drain_delay.as_ref().map(|delay| {
        let delay = literal(&private, delay.value);
        quote!(.drain_delay(#delay))
    });
    let hangup = entry.hangup.map(|hangup| {
        let hangup = match hangup {
            Hangup::Reload => quote!(Reload),
            Hangup::Stop => quote!(Stop),
            Hangup::Ignore => quote!(Ignore),
        };
        quote!(.hangup(#private::Hangup::#hangup))
    });
    let probe = entry.probe.as_ref().map(|address| {
        let argument = socket_address(address);
        let argument = match entry.prestop {
            Some(span) => quote_spanned!(span=> #private::Probe::at(#argument).prestop()),
            None => argument,
        };
        quote!(.probe(#argument))
    });
    let resources = match &entry.resources {
        Resources::Linked => TokenStream::new(),
        Resources::OfPackage => {
            let origin = origin(Span::call_site());
            quote!(.package(#origin.package()))
        }
        Resources::Named(paths) if paths.is_empty() => quote!(.resources::<()>()),
        Resources::Named(paths) => paths.iter().map(select).collect(),
    };
    quote!(#private::App::builder() #shutdown_timeout #startup_timeout #drain_delay #hangup #probe #resources)
}

/// One call for each resource, so that each type that is not one is an error under its own path.
fn select(path: &Path) -> TokenStream {
    let resources = quote_spanned!(path.first()=> .resources::<);
    quote_spanned!(path.last()=> #resources #path>())
}

/// The address as data, with the span of its literal: rustc points there if the feature `probe` is not enabled.
fn socket_address(address: &Spanned<SocketAddr>) -> TokenStream {
    let private = private(address.span);
    let port = address.value.port();
    match address.value {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            quote_spanned! {address.span=>
                #private::SocketAddr::new(
                    #private::IpAddr::V4(#private::Ipv4Addr::new(#a, #b, #c, #d)),
                    #port,
                )
            }
        }
        SocketAddr::V6(v6) => {
            let segments = v6.ip().segments();
            let (flow, scope) = (v6.flowinfo(), v6.scope_id());
            quote_spanned! {address.span=>
                #private::SocketAddr::V6(#private::SocketAddrV6::new(
                    #private::Ipv6Addr::new(#(#segments),*),
                    #port,
                    #flow,
                    #scope,
                ))
            }
        }
    }
}

fn threads(entry: &Entry) -> TokenStream {
    let private = private(Span::call_site());
    match (entry.flavor, &entry.worker_threads) {
        (Flavor::CurrentThread, _) => quote!(#private::Threads::Current),
        (Flavor::MultiThread, None) => {
            quote!(#private::Threads::Multi { workers: #private::Option::None })
        }
        (Flavor::MultiThread, Some(workers)) => {
            let workers = workers.value;
            quote!(#private::Threads::Multi { workers: #private::Option::Some(#workers) })
        }
    }
}

fn ends(tokens: &TokenStream) -> Option<(Span, Span)> {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next()?;
    Some((first, spans.last().unwrap_or(first)))
}
