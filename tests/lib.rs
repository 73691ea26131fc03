//! What the test binaries share.

#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::new_without_default,
    reason = "its users are the tests of this package"
)]

#[cfg(unix)]
pub mod harness;
