#[tokio::main]
#[lifecycle::main]
async fn main() {
    work().await;
}

async fn work() {}
