//! Calls to other services.

use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, resource};
use reqwest::redirect::Policy;
use reqwest::{Error, Method, RequestBuilder, Url};

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
            // A POST that is redirected becomes a GET, and its answer says nothing of what was to be done.
            .redirect(Policy::none())
            .build()?;
        Ok(Self { http, receipts: cx.get::<Settings>().receipts.clone() })
    }
}

impl Client {
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends a receipt to its payer. It may be sent again if what comes after it fails: the key tells the receiver that
    /// it is the same.
    pub(crate) async fn send_receipt(&self, payment: &str) -> Result {
        let Some(url) = &self.receipts else { return Ok(()) };
        let request = self.request(Method::POST, url.clone()).header("Idempotency-Key", payment);
        succeed(request.json(&serde_json::json!({ "payment": payment }))).await
    }
}

/// Sends a request, and asks for an answer that says success.
pub(crate) async fn succeed(request: RequestBuilder) -> Result {
    let answer = request.send().await.map_err(without_secrets)?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("the answer was {}", answer.status()).into())
    }
}

/// Errors name the whole URL, which may hold a token: what is left of it says who was asked.
fn without_secrets(mut error: Error) -> Error {
    if let Some(url) = error.url_mut() {
        url.set_path("");
        url.set_query(None);
    }
    error
}
