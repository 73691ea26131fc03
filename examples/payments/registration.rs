//! Service discovery: others find this instance in a registry. It is taken out first of all, before requests are
//! drained, so that nobody is sent here any more. It is optional: an instance that the registry did not take serves all
//! the same, and is not found there until it is started anew.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, Skip, Stopping, resource};
use reqwest::{Method, Url};
use serde_json::json;
use tracing::{info, warn};

use crate::client::{Client, succeed};
use crate::http::Http;
use crate::settings::Settings;

/// How long the registry may take to answer. Requests under way are drained only afterwards, in what is left then.
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
            // It may have been heard all the same.
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
        // Who looks there will find out by the health check.
        Err(error) => warn!("could not deregister: {error}"),
    }
}
