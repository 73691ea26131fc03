//! Service discovery: other services find this instance in a registry. It is deregistered first of all, before requests
//! are drained, so that no more traffic is sent here. The resource is optional: an instance that could not register
//! still serves, but is not found in the registry until it is restarted.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, Skip, Stopping, resource};
use reqwest::{Method, Url};
use serde_json::json;
use tracing::{info, warn};

use crate::client::{Client, succeed};
use crate::http::Http;
use crate::settings::Settings;

/// How long the registry may take to answer. Requests are drained only afterwards, in the time that is left.
const LEAVE: Duration = Duration::from_secs(1);

#[resource(after = [Client, Http, Settings], optional)]
pub(crate) struct Registration;

impl Resource for Registration {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let (settings, client) = (cx.get::<Settings>(), cx.get::<Client>());
        let Some(registry) = &settings.registry else { return Err(Skip.into()) };
        let entry = registry.join(&format!("services/payments/{}", settings.instance))?;
        let address = json!({ "address": cx.get::<Http>().address });
        let entered = succeed(client.request(Method::PUT, entry.clone()).json(&address)).await;
        if entered.is_err() {
            // The registry may have received it nevertheless.
            leave(&client, entry.clone()).await;
        }
        entered?;
        info!("registered");
        // Not at this resource's turn, which is after the delay, but as soon as the stop begins.
        let draining = cx.draining();
        cx.spawn("deregister", |_| deregister(client, entry, draining));
        Ok(Self)
    }
}

async fn deregister(client: Arc<Client>, entry: Url, draining: Stopping) {
    draining.await;
    leave(&client, entry).await;
}

async fn leave(client: &Client, entry: Url) {
    match succeed(client.request(Method::DELETE, entry).timeout(LEAVE)).await {
        Ok(()) => info!("deregistered"),
        // Clients of the registry will notice by their health checks.
        Err(error) => warn!("could not deregister: {error}"),
    }
}
