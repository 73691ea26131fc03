#[lifecycle::main(crate = nowhere)]
async fn main() {}
