#[lifecycle::main(resources = all)]
async fn main() {}
