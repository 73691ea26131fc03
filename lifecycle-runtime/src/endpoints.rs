//! Where an application is asked for its state, and where it tells it: the probe and systemd, both served by the
//! control thread, so that they answer also while every thread of the application is blocked.

use std::sync::Arc;

use crate::config::Config;
use crate::driver::Driver;
use crate::engine::command::Notice;
use crate::error::Failure;
#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
use crate::heartbeat::Heartbeat;
#[cfg(feature = "probe")]
use crate::probe::Listener;
#[cfg(all(feature = "systemd", target_os = "linux"))]
use crate::systemd::Manager;

/// What was opened before anything is acquired.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    #[cfg(feature = "probe")]
    probe: Option<Listener>,
    #[cfg(all(feature = "systemd", target_os = "linux"))]
    manager: Option<Manager>,
}

/// Endpoints that are being served. Those that answer do so until their runtime is gone.
#[derive(Debug, Default)]
pub(crate) struct Served {
    #[cfg(all(feature = "systemd", target_os = "linux"))]
    manager: Option<tokio::task::JoinHandle<()>>,
}

impl Endpoints {
    /// Takes what the configuration and the environment name, and tells what is to be said about it.
    pub(crate) fn open(config: &Config) -> Result<(Self, Vec<Notice>), Vec<Failure>> {
        #[cfg_attr(
            not(any(feature = "probe", all(feature = "systemd", target_os = "linux"))),
            expect(unused_mut, reason = "there is nothing to open")
        )]
        let (mut endpoints, mut notices) = (Self::default(), Vec::new());
        #[cfg(feature = "probe")]
        if let Some(probe) = config.probe {
            let listener = Listener::bind(probe).map_err(|failure| vec![failure])?;
            notices.push(Notice::ProbeListens(listener.address()));
            endpoints.probe = Some(listener);
        }
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        match Manager::find() {
            Ok(manager) => endpoints.manager = manager,
            Err(why) => notices.push(Notice::NotNotifying(why)),
        }
        let _ = config;
        Ok((endpoints, notices))
    }

    /// Whether there is something that load balancers look at (rule D4).
    #[cfg(feature = "probe")]
    pub(crate) fn have_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// Serves them, on the runtime that this is called on.
    pub(crate) fn serve(self, driver: &Arc<Driver>) -> Served {
        #[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
        let heartbeat = Heartbeat::default();
        #[cfg(feature = "probe")]
        if let Some(probe) = self.probe {
            heartbeat.start(driver);
            tokio::spawn(probe.serve(Arc::clone(driver), heartbeat.clone()));
        }
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        let manager = self.manager.map(|manager| {
            heartbeat.start(driver);
            tokio::spawn(manager.keep_informed(Arc::clone(driver), heartbeat))
        });
        let _ = driver;
        Served {
            #[cfg(all(feature = "systemd", target_os = "linux"))]
            manager,
        }
    }
}

impl Served {
    /// Waits until those that tell have told the end.
    pub(crate) async fn end(self) {
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        if let Some(manager) = self.manager {
            let _ = manager.await;
        }
    }
}

/// What `Builder::probe` takes in a program that is built without the feature: nothing implements it, and the error
/// says what to do.
#[cfg(not(feature = "probe"))]
#[diagnostic::on_unimplemented(
    message = "the feature `probe` of `lifecycle-runtime` is not enabled",
    label = "this needs the feature `probe`",
    note = "enable it in Cargo.toml: `lifecycle-runtime = {{ version = \"…\", features = [\"probe\"] }}`"
)]
pub trait NeedsFeatureProbe {}
