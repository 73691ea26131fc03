//! Real processes, what they are asked over sockets, and directories that are theirs.

pub mod cargo;
pub mod customers;
pub mod examples;
pub mod http;
pub mod machine;
pub mod namespace;
pub mod program;
pub mod scratch;
