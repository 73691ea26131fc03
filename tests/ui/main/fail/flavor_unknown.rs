#[lifecycle::main(flavor = "green")]
async fn main() {}
