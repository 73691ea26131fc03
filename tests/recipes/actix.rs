use lifecycle::App;

use self::recipe::Http;
use crate::support::{Work, answer_under_way};

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
    assert_eq!(answer_under_way(app, address, &WORK, "/jobs/7").await, "done: 7");
}
