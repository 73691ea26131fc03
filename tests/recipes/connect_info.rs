use lifecycle::App;

use self::recipe::Http;
use crate::support::{Work, ask, assert_clean, stop_server};

#[path = "code/connect_info.rs"]
mod recipe;

static WORK: Work = Work::new();

async fn work() {
    WORK.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered() {
    let app = App::builder().resources::<Http>().start().await.expect("it starts");
    let address = app.get::<Http>().address;
    let answer = ask(address, "/whoami");
    WORK.begun(1).await;
    let end = stop_server(app, address).await;
    WORK.may_end(1);
    let client: std::net::SocketAddr = answer.await.expect("it is answered").parse().expect("an address");
    assert!(client.ip().is_loopback() && client != address);
    assert_clean(&end.await.expect("it ends"));
}
