#[lifecycle::main(flavor = "current-thread")]
async fn main() {}
