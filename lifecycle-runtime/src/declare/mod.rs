//! Declarations: the trait of resources, what `#[resource]` says of them, and which of them an application has.

pub(crate) mod declared;
mod get;
mod hooks;
pub(crate) mod node;
pub(crate) mod resource;
pub(crate) mod roots;
pub(crate) mod supplied;
