#[lifecycle::main(shutdown_timeout = "none")]
async fn main() {}
