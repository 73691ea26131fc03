//! Everything that the expansions of `#[resource]` and `#[lifecycle::main]` may touch. Not part of the public interface.

pub use inventory;

pub use crate::declare::declared::{Declared, DependsOn, Handle, Registered, depth};
pub use crate::declare::node::{Declaration, Node};
pub use crate::declare::resource::Resource;
pub use crate::handles::body::Output;
pub use crate::launch::entry::{Body, Main, Place, Threads, run};
#[cfg(feature = "testing")]
pub use crate::launch::synthetic::synthetic;
