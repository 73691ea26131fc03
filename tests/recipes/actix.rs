use lifecycle::App;

use self::recipe::Http;
use crate::support::{Work, ask, assert_clean, stop_server};

#[path = "code/actix.rs"]
mod recipe;

static WORK: Work = Work::new();

async fn work() {
    WORK.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered() {
    let app = App::builder().resources::<Http>().start().await.expect("it starts");
    let address = app.get::<Http>().address;
    let answer = ask(address, "/jobs/7");
    WORK.begun(1).await;
    let end = stop_server(app, address).await;
    WORK.may_end(1);
    assert_eq!(answer.await.expect("it is answered"), "done: 7");
    assert_clean(&end.await.expect("it ends"));
}
