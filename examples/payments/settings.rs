//! The settings, read before anything expensive is acquired. Some of them can stand in a file, and change when that is
//! reloaded.

use std::collections::HashMap;
use std::env::{self, VarError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use lifecycle::{Acquire, BoxError, Misconfigured, Reload, Resource, Result, resource};
use reqwest::Url;
use tracing::info;
use uuid::Uuid;

use crate::telemetry::Telemetry;

#[resource(foundation, after = Telemetry, reload, acquire_timeout = "10s")]
pub(crate) struct Settings {
    /// Distinguishes this process from all others, even in containers, where every process has the same id.
    pub(crate) instance: Uuid,
    pub(crate) address: SocketAddr,
    pub(crate) database: Option<String>,
    pub(crate) redis: Option<String>,
    pub(crate) audit_log: Option<PathBuf>,
    pub(crate) registry: Option<Url>,
    pub(crate) receipts: Option<Url>,
    pub(crate) push_metrics: Option<Url>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) live: RwLock<Live>,
}

/// The files of a certificate with its chain, and of its key.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// What may change while the service runs. The file wins over the environment, which a process keeps.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    pub(crate) settle_every: Duration,
    pub(crate) payment_takes: Duration,
    pub(crate) receipt_takes: Duration,
}

impl Resource for Settings {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let host = read("HOST", "an IP address")?.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let port = read("PORT", "a port")?.unwrap_or(8080);
        let file: Option<PathBuf> = read("SETTINGS_FILE", "a path")?;
        let settings = Self {
            instance: Uuid::new_v4(),
            address: SocketAddr::new(host, port),
            database: read("DATABASE_URL", "text")?,
            redis: read("REDIS_URL", "text")?,
            audit_log: read("AUDIT_LOG", "a path")?,
            registry: url("REGISTRY_URL")?,
            receipts: url("RECEIPTS_URL")?,
            push_metrics: url("METRICS_PUSH_URL")?,
            certificate: certificate()?,
            live: RwLock::new(Live::read(file.as_deref()).await?),
            file,
        };
        info!("this is instance {}", settings.instance);
        Ok(settings)
    }

    async fn reload(&self, _: &Reload) -> Result {
        let live = Live::read(self.file.as_deref()).await?;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        Ok(())
    }
}

impl Settings {
    /// What is in force now.
    pub(crate) fn live(&self) -> Live {
        *self.live.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    async fn read(file: Option<&Path>) -> Result<Self> {
        let lines = match file {
            Some(path) => tokio::fs::read_to_string(path)
                .await
                .map_err(|error| format!("{}: {error}", path.display()))?,
            None => String::new(),
        };
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let split = |line| str::split_once(line, '=').ok_or_else(|| format!("not an assignment: {line}"));
        let file: HashMap<&str, &str> = lines.map(split).collect::<Result<_, _>>()?;
        let millis = |variable: &str| {
            let what = "a number of milliseconds";
            let millis = match file.get(variable) {
                Some(value) => Some(parse(variable, value, what)?),
                None => read(variable, what)?,
            };
            Ok::<_, BoxError>(millis.map(Duration::from_millis))
        };
        let settle_every = millis("SETTLE_MS")?.unwrap_or(Duration::from_secs(5));
        if settle_every.is_zero() {
            return Err(Misconfigured::new("SETTLE_MS must be at least 1").into());
        }
        Ok(Self {
            settle_every,
            payment_takes: millis("PAYMENT_MS")?.unwrap_or_default(),
            receipt_takes: millis("RECEIPT_MS")?.unwrap_or_default(),
        })
    }
}

fn certificate() -> Result<Option<Certificate>> {
    match (read("TLS_CERT", "a path")?, read("TLS_KEY", "a path")?) {
        (Some(chain), Some(key)) => Ok(Some(Certificate { chain, key })),
        (None, None) => Ok(None),
        _ => Err(Misconfigured::new("TLS_CERT and TLS_KEY belong together, and one is missing").into()),
    }
}

fn url(variable: &str) -> Result<Option<Url>> {
    let url: Option<Url> = read(variable, "a URL")?;
    match url {
        Some(url) if url.scheme() != "http" => {
            let mistake = format!("{variable} is not of http; for https, give reqwest a feature for TLS");
            Err(Misconfigured::new(mistake).into())
        }
        url => Ok(url),
    }
}

/// The value of the variable. An empty value counts as unset. A wrong one ends the process with 78: a restart would find
/// it as wrong as before.
fn read<T: FromStr<Err: Into<BoxError>>>(variable: &str, what: &str) -> Result<Option<T>> {
    let value = match env::var(variable) {
        Ok(value) if value.is_empty() => return Ok(None),
        Ok(value) => value,
        Err(VarError::NotPresent) => return Ok(None),
        // A URL may hold a password, so the value is not repeated.
        Err(VarError::NotUnicode(_)) => {
            return Err(Misconfigured::new(format!("{variable} is not UTF-8")).into());
        }
    };
    parse(variable, &value, what).map(Some)
}

fn parse<T: FromStr<Err: Into<BoxError>>>(variable: &str, value: &str, what: &str) -> Result<T> {
    let mistake = |error: T::Err| Misconfigured::new(format!("{variable} is not {what}: {}", error.into()));
    Ok(value.parse().map_err(mistake)?)
}
