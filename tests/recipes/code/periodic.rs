use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, resource};
use tokio::time::{MissedTickBehavior, interval};

use super::Ledger;

#[resource(after = Ledger)]
pub struct Settlement;

impl Resource for Settlement {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let ledger = cx.get::<Ledger>();
        cx.spawn("settle", |stopping| async move {
            let mut ticks = interval(Duration::from_millis(10));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The notice interrupts the wait for a tick, never a settlement that has begun.
            while stopping.run_until(ticks.tick()).await.is_some() {
                if let Err(error) = ledger.settle().await {
                    tracing::warn!("not settled, and tried again at the next tick: {error}");
                }
            }
        });
        Ok(Self)
    }
}
