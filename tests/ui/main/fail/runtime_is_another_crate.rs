#[lifecycle::main(crate = remote)]
async fn main() {}
