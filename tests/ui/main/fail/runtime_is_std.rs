#[lifecycle::main(crate = std)]
async fn main() {}
