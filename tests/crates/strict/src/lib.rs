//! Expansions under the strictest lints that a user may choose. It builds without a warning, or not at all.

#![forbid(unsafe_code)]
#![forbid(
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    unreachable_pub,
    single_use_lifetimes,
    elided_lifetimes_in_paths,
    absolute_paths_not_starting_with_crate,
    missing_copy_implementations,
    trivial_casts,
    trivial_numeric_casts,
    unused_import_braces,
    unused_lifetimes,
    unused_results,
    unused_macro_rules,
    variant_size_differences,
    let_underscore_drop,
    redundant_lifetimes,
    non_local_definitions
)]
#![deny(warnings)]
#![deny(clippy::all, clippy::pedantic)]
#![forbid(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::default_numeric_fallback,
    clippy::exhaustive_structs,
    clippy::items_after_statements,
    clippy::missing_const_for_fn,
    clippy::multiple_inherent_impl,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::str_to_string,
    clippy::unreachable,
    clippy::unused_async,
    clippy::unwrap_used,
    clippy::use_self
)]

use lifecycle::{Acquire, Release, Report, Resource, Result, resource};

/// A foundation.
#[resource(foundation)]
#[derive(Clone, Copy, Debug)]
pub struct Tracing {
    _private: (),
}

impl Resource for Tracing {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        std::future::ready(()).await;
        Ok(Self { _private: () })
    }
}

/// A resource with every option.
#[resource(
    after = [Tracing],
    name = "the database",
    acquire_timeout = "1h 30m",
    drain_timeout = "100s",
    reserve = "1s 500ms",
    optional,
    crate = ::lifecycle
)]
#[derive(Clone, Copy, Debug)]
pub struct Db {
    _private: (),
}

impl Resource for Db {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _tracing = cx.get::<Tracing>();
        std::future::ready(()).await;
        Ok(Self { _private: () })
    }
}

mod cache {
    use super::{Acquire, Release, Resource, Result, resource};

    /// A private resource.
    #[resource(after = [super::Db, super::Tracing])]
    #[derive(Debug)]
    pub(super) struct Cache {
        _private: Box<str>,
    }

    impl Resource for Cache {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            let _db = cx.get::<super::Db>();
            std::future::ready(()).await;
            Ok(Self { _private: Box::default() })
        }

        async fn release(&self, _: &Release) -> Result {
            std::future::ready(()).await;
            Ok(())
        }
    }
}

/// Starts the application.
pub fn start() -> Report {
    empty()
}

#[lifecycle::main]
async fn empty() {}

/// An entry point with every option.
#[lifecycle::main(
    shutdown_timeout = "30s",
    startup_timeout = "none",
    drain_delay = "5s",
    resources = [Db, cache::Cache],
    flavor = "multi_thread",
    worker_threads = 12345,
    crate = ::lifecycle
)]
pub async fn all_options(app: lifecycle::App) {
    let _db = app.get::<Db>();
    std::future::ready(()).await;
}
