//! Plain data: the words of the domain, without tokio, clock, environment or I/O. Every other room may use it; it uses
//! none.

pub(crate) mod duration;
pub(crate) mod exit_code;
pub(crate) mod failure;
pub(crate) mod first_of;
pub(crate) mod graph;
pub(crate) mod json;
pub(crate) mod left_out;
pub(crate) mod misconfigured;
pub(crate) mod moment;
pub(crate) mod order;
pub(crate) mod phase;
pub(crate) mod planned_probe;
pub(crate) mod platform;
pub(crate) mod reload;
pub(crate) mod report;
mod report_text;
pub(crate) mod signal;
pub(crate) mod units;

use std::sync::Arc;

/// The name of a resource: part of its declaration.
pub(crate) type Name = &'static str;

/// The name of a task: shared, so that a notice can carry it at no cost.
pub(crate) type TaskName = Arc<str>;
