#[lifecycle::main(probe = ":8081")]
async fn main() {}
