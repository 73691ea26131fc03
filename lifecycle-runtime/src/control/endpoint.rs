//! What watches an application from the control thread: it answers even while every thread of the application is
//! blocked.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
use super::heartbeat::Heartbeat;
use crate::driver::Driver;

/// Something that was opened before anything is acquired, and is served until the process ends: it answers what is
/// asked about the application, or tells it.
pub(crate) trait Endpoint: Send {
    /// Serves, as a task of the control thread's runtime. It ends when the end of the application was told, and everybody
    /// is answered who has to be: the application's end waits for that, for a moment.
    fn serve(self: Box<Self>, watched: Watched) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Whether load balancers ask here (rule D4).
    fn role(&self) -> Role;
}

/// What an endpoint is to the application.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It answers: its existence counts as serving (rule D4).
    Answers,
    /// It tells.
    Tells,
}

/// What an endpoint watches.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) driver: Arc<Driver>,
    /// Shared by all endpoints. The first that starts it has it asked.
    #[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
    pub(crate) heartbeat: Heartbeat,
}

/// All endpoints of an application.
#[derive(Default)]
pub(crate) struct Endpoints(pub(crate) Vec<Box<dyn Endpoint>>);

impl Endpoints {
    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them answers load balancers (rule D4).
    pub(crate) fn answer(&self) -> bool {
        self.0.iter().any(|endpoint| endpoint.role() == Role::Answers)
    }

    /// Serves all of them, on the runtime that this is called on. The future ends when they have told the end, and have
    /// answered those who wait for it.
    pub(super) fn serve(self, driver: &Arc<Driver>) -> impl Future<Output = ()> + use<> {
        let watched = Watched {
            driver: Arc::clone(driver),
            #[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
            heartbeat: Heartbeat::default(),
        };
        let serve = |endpoint: Box<dyn Endpoint>| tokio::spawn(endpoint.serve(watched.clone()));
        let served: Vec<_> = self.0.into_iter().map(serve).collect();
        async move {
            for endpoint in served {
                let _ = endpoint.await;
            }
        }
    }
}
