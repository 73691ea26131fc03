//! Everything that the expansions of `#[resource]` and `#[lifecycle::main]` may touch, and in `program` what the program
//! `lifecycle` may. Not part of the public interface.
//!
//! For the expansions, that is also what they need of the standard library: the user's program may have a dependency called `core`.

pub use std::any::type_name_of_val;
pub use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
pub use std::primitive::{bool, usize};
pub use std::sync::Arc;
pub use std::time::Duration;
pub use std::{cfg, file, line, module_path, option::Option, option_env, panic, unreachable};

pub use inventory;

pub use crate::__lifecycle_entry as entry;

pub use crate::declare::declared::{Declared, DependsOn, Handle, Registered, dependency, depth};
pub use crate::declare::node::{Declaration, Node, Origin};
pub use crate::declare::resource::Resource;
pub use crate::declare::supplied::Supplied;
pub use crate::handles::app::App;
pub use crate::handles::body::Output;
pub use crate::handles::reload::{NotDeclaredReload, Reload, ReloadContext};
pub use crate::launch::entry::{Body, Main, Place, run};
#[cfg(feature = "cli")]
pub use crate::launch::program;
pub use crate::launch::threads::Threads;
pub use crate::model::graph::Necessity;
pub use crate::model::reload::Hangup;
pub use crate::model::report::Report;
#[cfg(feature = "probe")]
pub use crate::probe::Probe;

/// The block of an entry point, as it is.
///
/// It passes through a macro so that a runtime that is not found is one error: the block is then gone with everything in
/// it.
#[doc(hidden)]
#[macro_export]
macro_rules! __lifecycle_entry {
    ($($block:tt)*) => {{ $($block)* }};
}
