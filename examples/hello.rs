//! The smallest application: one resource with one task.
//!
//! Run it with `cargo run --example hello` and press Ctrl-C.

use std::time::Duration;

use lifecycle::{Acquire, Release, Resource, Result, resource};

#[resource]
struct Clock;

impl Resource for Clock {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("ticks", async |stopping| {
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            while stopping.run_until(ticks.tick()).await.is_some() {
                println!("tick");
            }
        });
        Ok(Self)
    }

    async fn release(&self, cx: &Release) -> Result {
        println!("goodbye: {}", cx.reason());
        Ok(())
    }
}

#[lifecycle::main]
async fn main() {}
