//! Real processes, what they are asked over sockets, and directories that are theirs.

pub mod cargo;
pub mod customers;
pub mod examples;
pub mod http;
pub mod machine;
pub mod namespace;
pub mod pairs;
pub mod path;
pub mod program;
pub mod scratch;

/// The number that a variable holds, if it is there.
#[track_caller]
pub fn number_from_environment(variable: &str, default: u64) -> u64 {
    let Ok(value) = std::env::var(variable) else { return default };
    value.parse().unwrap_or_else(|error| panic!("{variable}={value:?} is no number: {error}"))
}
