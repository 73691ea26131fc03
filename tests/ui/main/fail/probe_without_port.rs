#[lifecycle::main(probe = "0.0.0.0")]
async fn main() {}
