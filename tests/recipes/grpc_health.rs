use std::time::Duration;

use lifecycle::App;
use tonic::transport::Channel;
use tonic_health::ServingStatus::{NotServing, Serving};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use self::recipe::Grpc;
use crate::support::{assert_clean, stop};

#[path = "code/grpc_health.rs"]
mod recipe;

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_hears_that_the_drain_begins_while_calls_are_still_served() {
    // The delay is for those who watch. As long as one does, nothing is hurried.
    let builder = App::builder().resources::<Grpc>().drain_delay(Duration::from_secs(2));
    let app = builder.start().await.expect("it starts");
    let address = app.get::<Grpc>().address;
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect_lazy();
    let mut client = HealthClient::new(channel);
    let whole = || HealthCheckRequest { service: String::new() };

    let mut watched = client.watch(whole()).await.expect("it is served").into_inner();
    let first = watched.message().await.expect("a message").expect("not the end");
    assert_eq!(first.status, i32::from(Serving as u8));

    let end = tokio::spawn(stop(app));
    let second = watched.message().await.expect("a message").expect("not the end");
    assert_eq!(second.status, i32::from(NotServing as u8));
    // Still served, on the same connection, though no longer recommended.
    let checked = client.check(whole()).await.expect("it is served").into_inner();
    assert_eq!(checked.status, i32::from(NotServing as u8));

    // At the turn, the stream ends as a stream ends.
    assert_eq!(watched.message().await.expect("a proper end"), None);
    assert_clean(&end.await.expect("it stops").await.expect("it ends"));
}
