//! `#[lifecycle::main]`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ctxt::Ctxt;

mod check;
mod expand;
mod function;
mod model;

pub(crate) use self::function::Function;

pub(crate) fn main(options: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let mut entry = model::Entry::read(&cx, options);
    let expansion = match Function::read(item.clone()) {
        Ok(function) => {
            check::check(&cx, &mut entry, &function);
            // Inside an `impl`, where alone there is a `self`, the method is fine as it is.
            if function.has_receiver() { item.clone() } else { expand::expand(&entry, &function) }
        }
        Err(span) => {
            cx.error(span, "`#[lifecycle::main]` goes on an `async fn`");
            item.clone()
        }
    };
    let errors = cx.finish();
    quote!(#expansion #errors)
}
