#[lifecycle::main(drain_delay = "5s", drain_delay = "10s")]
async fn main() {}
