//! Runs each recipe, stops it while work is under way, and asserts that nothing is lost. The recipes say `super::` for
//! what a test puts in place of a real broker, database or job.

#![cfg(unix)]
#![allow(unreachable_pub, reason = "the recipes are written as in a program of their own")]

mod actix;
mod arguments;
mod broker;
mod connect_info;
mod grpc_health;
mod log;
mod page;
mod periodic;
mod queue;
mod retry;
mod support;
mod warp;
mod workers;
