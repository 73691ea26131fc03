//! What counts as a body, wherever it comes from.

use recorder::Body;

/// Stands in for the runtime, and shows what an expansion passes to it.
mod recorder {
    pub use lifecycle::private::Body;

    pub mod private {
        pub use lifecycle::private::*;

        pub type Report = Body;

        pub fn run<F>(main: Main, _: impl FnOnce(lifecycle::App) -> F) -> Body {
            main.body
        }
    }
}

#[lifecycle::main(crate = recorder)]
async fn empty() {
    // A comment is not code.
}

#[lifecycle::main(crate = recorder)]
async fn inner_attribute() {
    #![allow(unused)]
}

#[lifecycle::main(crate = recorder)]
#[tracing::instrument]
async fn instrumented() {}

#[tracing::instrument]
#[lifecycle::main(crate = recorder)]
async fn instrumented_before() {}

#[lifecycle::main(crate = recorder)]
async fn statement() {
    work();
}

#[tracing::instrument]
#[lifecycle::main(crate = recorder)]
async fn instrumented_statement() {
    work();
}

macro_rules! block {
    ($name:ident $body:block) => {
        #[lifecycle::main(crate = recorder)]
        async fn $name() $body
    };
}

macro_rules! item {
    ($item:item) => {
        #[lifecycle::main(crate = recorder)]
        $item
    };
}

block!(empty_block {});
block!(block {
    work();
});
item!(
    async fn item() {
        work();
    }
);

fn work() {}

fn main() {
    for entry in [empty, inner_attribute, instrumented, instrumented_before, empty_block] {
        assert!(matches!(entry(), Body::Empty));
    }
    for entry in [statement, instrumented_statement, block, item] {
        assert!(matches!(entry(), Body::Written));
    }
}
