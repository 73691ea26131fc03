//! Durations: as text in an attribute, and as an expression in an expansion.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

mod grammar;

pub(crate) use self::grammar::parse;

/// The expression whose value is `duration`; `private` is the path of the runtime's module of that name.
pub(crate) fn literal(private: &TokenStream, duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(#private::Duration::new(#seconds, #nanoseconds))
}
