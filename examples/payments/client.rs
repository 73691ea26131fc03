//! Calls to other services.

use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, resource};
use reqwest::{Method, RequestBuilder, Url};

use crate::settings::Settings;

#[resource(after = Settings)]
pub(crate) struct Client {
    http: reqwest::Client,
    receipts: Option<Url>,
}

impl Resource for Client {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self { http, receipts: cx.get::<Settings>().receipts.clone() })
    }
}

impl Client {
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends a receipt to its payer. It may be sent again after a crash: the key tells the receiver that it is the same.
    pub(crate) async fn send_receipt(&self, payment: &str) -> Result {
        if let Some(url) = &self.receipts {
            let request = self.request(Method::POST, url.clone()).header("Idempotency-Key", payment);
            request.json(&serde_json::json!({ "payment": payment })).send().await?.error_for_status()?;
        }
        Ok(())
    }
}
