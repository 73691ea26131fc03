//! A library whose resources not every program wants that calls one of its functions.

use lifecycle::{Acquire, Resource, Result, resource};

/// What a command `version` calls.
pub fn version() -> &'static str {
    "jobs 1"
}

/// It would go on until its turn.
#[resource]
#[derive(Debug)]
pub struct Worker {
    _private: (),
}

impl Resource for Worker {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        println!("acquired jobs::Worker");
        cx.spawn("jobs", |stopping| stopping);
        Ok(Self { _private: () })
    }
}

/// Others call one of their resources so, too.
#[resource]
#[derive(Debug)]
pub struct Mailer {
    _private: (),
}

impl Resource for Mailer {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        println!("acquired jobs::Mailer");
        Ok(Self { _private: () })
    }
}
