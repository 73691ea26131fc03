//! The error collector: every mistake of one attribute, reported in one build.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects errors while the input is read and checked; [`Ctxt::finish`] must be called.
pub(crate) struct Ctxt {
    /// `None` once finished.
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Self { errors: RefCell::new(Some(Vec::new())) }
    }

    /// Reports a mistake under one token.
    pub(crate) fn error(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Reports a mistake under all of `tokens`, which must not be empty.
    pub(crate) fn error_spanned(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// The collected errors as items that fail to compile.
    pub(crate) fn finish(self) -> TokenStream {
        let errors = self.errors.borrow_mut().take();
        errors.into_iter().flatten().map(syn::Error::into_compile_error).collect()
    }

    fn push(&self, error: syn::Error) {
        if let Some(errors) = &mut *self.errors.borrow_mut() {
            errors.push(error);
        }
    }
}

impl Drop for Ctxt {
    /// A lost error would let a wrong attribute compile.
    fn drop(&mut self) {
        if !std::thread::panicking() && self.errors.borrow().is_some() {
            panic!("errors were collected, but never emitted");
        }
    }
}
