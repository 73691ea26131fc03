//! The context of a release.

use std::time::Duration;

use tokio::time::Instant;

use crate::driver::Context;
use crate::model::phase::Reason;

/// The context passed to [`Resource::release`](crate::Resource::release): how much time there is, and why it happens.
///
/// It has no `get`. What a release needs of another resource, `acquire` keeps in the struct; that resource is still there,
/// since it is released later.
///
/// ```
/// # use lifecycle::{Acquire, Release, Resource, Result, resource};
/// # #[resource]
/// # struct Db;
/// # impl Resource for Db {
/// #     async fn acquire(_: &Acquire<Self>) -> Result<Self> { Ok(Db) }
/// # }
/// # impl Db { async fn save(&self, _: &str) -> Result { Ok(()) } }
/// use std::sync::Arc;
///
/// #[resource(after = Db)]
/// struct Session {
///     db: Arc<Db>,
/// }
///
/// impl Resource for Session {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         Ok(Self { db: cx.get::<Db>() })
///     }
///
///     async fn release(&self, _: &Release) -> Result {
///         self.db.save("the session").await
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Release {
    pub(crate) context: Context,
}

impl Release {
    /// When this release is cut off. It is earlier than the application's deadline by what is set aside for `abort`
    /// (100 ms, or a tenth of the reserve if that is less) and for the resources beneath (rule D6), and becomes
    /// earlier still when somebody insists (rule D8).
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.context.seat.driver.release_limit(self.context.seat.id)
    }

    /// The time left until the [`deadline`](Self::deadline).
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// Why the application stops.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.context.seat.driver.reason()
    }
}
