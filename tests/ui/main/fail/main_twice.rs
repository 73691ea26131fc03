#[lifecycle::main(drain_delay = "5s")]
#[lifecycle::main]
async fn main() {}
