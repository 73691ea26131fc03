//! The settings from the environment, read once, before anything expensive is acquired.

use std::env::{self, VarError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lifecycle::{Acquire, BoxError, Misconfigured, Resource, Result, resource};
use reqwest::Url;
use tracing::info;
use uuid::Uuid;

use crate::telemetry::Telemetry;

#[resource(foundation, after = Telemetry)]
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
    pub(crate) settle_every: Duration,
    pub(crate) payment_takes: Duration,
    pub(crate) receipt_takes: Duration,
}

impl Resource for Settings {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let host = read("HOST", "an IP address")?.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let port = read("PORT", "a port")?.unwrap_or(8080);
        let settle_every = millis("SETTLE_MS")?.unwrap_or(Duration::from_secs(5));
        if settle_every.is_zero() {
            return Err(Misconfigured::new("SETTLE_MS must be at least 1").into());
        }
        let settings = Self {
            instance: Uuid::new_v4(),
            address: SocketAddr::new(host, port),
            database: read("DATABASE_URL", "text")?,
            redis: read("REDIS_URL", "text")?,
            audit_log: read("AUDIT_LOG", "a path")?,
            registry: url("REGISTRY_URL")?,
            receipts: url("RECEIPTS_URL")?,
            push_metrics: url("METRICS_PUSH_URL")?,
            settle_every,
            payment_takes: millis("PAYMENT_MS")?.unwrap_or_default(),
            receipt_takes: millis("RECEIPT_MS")?.unwrap_or_default(),
        };
        info!("this is instance {}", settings.instance);
        Ok(settings)
    }
}

fn millis(variable: &str) -> Result<Option<Duration>> {
    Ok(read(variable, "a number of milliseconds")?.map(Duration::from_millis))
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
    let mistake = |error: T::Err| Misconfigured::new(format!("{variable} is not {what}: {}", error.into()));
    Ok(Some(value.parse().map_err(mistake)?))
}
