#[lifecycle::main]
#[tokio::test]
async fn it_works() {
    work().await;
}

async fn work() {}

fn main() {}
