#![deny(warnings, missing_docs)]
//! Attributes end up on the function that they are about.

use lifecycle::Report;

/// Seen in the documentation of the crate.
#[lifecycle::main]
#[must_use]
#[allow(non_snake_case)]
#[expect(unused_variables)]
pub async fn Entry() {
    let unused = 1;
}

#[lifecycle::main]
#[cfg(any())]
async fn absent() {
    missing();
}

#[lifecycle::main]
#[allow(dead_code)]
async fn never_called() {}

macro_rules! with_attributes {
    ($(#[$attribute:meta])* $name:ident) => {
        #[lifecycle::main]
        $(#[$attribute])*
        pub async fn $name() {}
    };
}

with_attributes! {
    /// The documentation is that of the function that is called.
    #[must_use]
    documented
}

fn main() {
    let _entry: fn() -> Report = Entry;
}
