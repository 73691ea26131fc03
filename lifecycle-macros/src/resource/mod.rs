//! `#[resource]`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ctxt::Ctxt;

mod check;
mod expand;
mod model;
mod subject;

pub(crate) use self::expand::handle;
pub(crate) use self::model::Declaration;
pub(crate) use self::subject::{Kind, Subject};

pub(crate) fn resource(options: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let mut declaration = Declaration::read(&cx, options, item.clone());
    check::check(&cx, &mut declaration);
    let expansion = expand::expand(&declaration);
    let errors = cx.finish();
    quote!(#item #expansion #errors)
}
