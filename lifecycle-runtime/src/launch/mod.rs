//! Puts an application together and lets it live: the builder, the configuration, `#[lifecycle::main]`.

pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod entry;
mod environment;
pub(crate) mod life;
pub(crate) mod plan;
#[cfg(feature = "cli")]
pub mod program;
mod runtime;
#[cfg(feature = "testing")]
mod synthetic;
pub(crate) mod threads;
mod timeline;
