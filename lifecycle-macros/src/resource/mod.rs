//! `#[resource]`.

use proc_macro2::TokenStream;
use quote::quote;

use self::model::Declaration;
use crate::ctxt::Ctxt;
use crate::paths::generated_at;

mod check;
mod expand;
mod fallback;
mod handle;
mod model;
mod name;
mod options;
mod subject;

pub(crate) fn resource(options: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let mut declaration = Declaration::read(&cx, options, item.clone());
    check::check(&cx, &mut declaration);
    let subject = &declaration.subject;
    let name = subject.name.as_ref().filter(|_| declaration.second().is_none());
    let constant = name.map(|name| {
        let parts = if subject.generics.is_empty() {
            expand::expand(&declaration, name)
        } else {
            fallback::expand(&declaration, name)
        };
        let import = declaration.runtime.import(generated_at(name.span()));
        let conditions = &subject.conditions;
        let allow_deprecated = subject.is_deprecated.then(|| quote!(#[allow(deprecated)]));
        quote! {
            #(#conditions)*
            #allow_deprecated
            const _: () = { #import #parts };
        }
    });
    let errors = cx.finish();
    quote!(#item #constant #errors)
}
