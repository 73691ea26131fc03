//! Durations: as text in an attribute, and as an expression in an expansion.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

mod grammar;

pub(crate) use self::grammar::parse;

/// The expression whose value is `duration`.
pub(crate) fn literal(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanoseconds))
}
