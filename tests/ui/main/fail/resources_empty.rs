#[lifecycle::main(resources = [])]
async fn main() {}
