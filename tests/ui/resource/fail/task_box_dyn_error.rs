use std::error::Error;

use lifecycle::{Acquire, Resource, Result, Stopping, resource};

#[resource]
struct Ticker;

impl Resource for Ticker {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("ticks", ticks);
        Ok(Ticker)
    }
}

async fn ticks(_: Stopping) -> Result<(), Box<dyn Error>> {
    let _number: u32 = "1".parse()?;
    Ok(())
}

fn main() {}
