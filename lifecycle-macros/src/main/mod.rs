//! `#[lifecycle::main]`.

use proc_macro2::TokenStream;
use quote::quote;

use self::function::Function;
use self::model::Entry;
use crate::ctxt::Ctxt;

mod body;
mod check;
mod expand;
mod fallback;
mod function;
mod model;
mod options;

pub(crate) fn main(options: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let mut entry = Entry::read(&cx, options);
    let expansion = match Function::read(item.clone()) {
        Ok(function) => {
            check::check(&cx, &mut entry, &function);
            if function.has_receiver() {
                // It stands in an `impl`, where the method is fine as it is.
                item.clone()
            } else if function.is_callable() {
                expand::expand(&entry, &function)
            } else {
                fallback::expand(&entry.runtime, &function)
            }
        }
        Err(span) => {
            cx.error(span, "`#[lifecycle::main]` goes on an `async fn`");
            item.clone()
        }
    };
    let errors = cx.finish();
    quote!(#expansion #errors)
}
