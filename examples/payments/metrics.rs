//! Metrics for Prometheus: at `/metrics` of the probe, and pushed to a gateway if there is one.
//!
//! What is scraped ends with the process, which is gone before anybody has seen that its stop was completed. What is pushed
//! stays: so an alert can count the stops that were killed.

use std::time::Duration;

use lifecycle::{Acquire, Release, Resource, Result, resource};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::Url;
use tokio::time::interval;
use tracing::warn;

use crate::settings::Settings;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Often enough that the beginning of a stop arrives before a grace period is over.
const EVERY: Duration = Duration::from_secs(1);

/// It comes before everything that has metrics, and is released after all of it.
#[resource(foundation, after = Settings, reserve = "2s")]
pub(crate) struct Metrics {
    gateway: Option<Gateway>,
}

impl Resource for Metrics {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let metrics = PrometheusBuilder::new().install_recorder()?;
        let page = metrics.clone();
        cx.page("/metrics", CONTENT_TYPE, move || page.render())?;
        let gateway = Gateway::new(metrics, &cx.get::<Settings>())?;
        if let Some(gateway) = gateway.clone() {
            cx.background("push", async move { gateway.push_for_ever().await });
        }
        Ok(Self { gateway })
    }

    /// Everything else is released, and the stop is counted as completed.
    async fn release(&self, _: &Release) -> Result {
        if let Some(gateway) = &self.gateway {
            gateway.push().await;
        }
        Ok(())
    }
}

/// A Pushgateway, with a group of metrics for each life of the service.
#[derive(Clone)]
struct Gateway {
    metrics: PrometheusHandle,
    http: reqwest::Client,
    url: Url,
}

impl Gateway {
    fn new(metrics: PrometheusHandle, settings: &Settings) -> Result<Option<Self>> {
        let Some(mut url) = settings.push_metrics.clone() else { return Ok(None) };
        url.set_path(&format!("/metrics/job/payments/instance/{}", settings.instance));
        let http = reqwest::Client::builder().timeout(EVERY).build()?;
        Ok(Some(Self { metrics, http, url }))
    }

    async fn push_for_ever(&self) {
        let mut ticks = interval(EVERY);
        loop {
            ticks.tick().await;
            self.push().await;
        }
    }

    /// A gateway that does not answer harms nothing but the metrics.
    async fn push(&self) {
        let put = self.http.put(self.url.clone()).header("Content-Type", CONTENT_TYPE);
        let pushed = put.body(self.metrics.render()).send().await;
        if let Err(error) = pushed.and_then(reqwest::Response::error_for_status) {
            warn!("the metrics could not be pushed: {}", error.without_url());
        }
    }
}
