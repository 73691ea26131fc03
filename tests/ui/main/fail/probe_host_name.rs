#[lifecycle::main(probe = "localhost:8081")]
async fn main() {}
