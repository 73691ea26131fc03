//! What users hold: the application, the contexts of hooks, tasks, notices.

pub(crate) mod acquire;
pub(crate) mod app;
pub(crate) mod body;
mod never;
pub(crate) mod owner;
pub(crate) mod release;
pub(crate) mod reload;
pub(crate) mod spawner;
pub(crate) mod stopping;
pub(crate) mod tasks;
