#[lifecycle::main]
#[tokio::main]
async fn main() {
    work().await;
}

async fn work() {}
