#[lifecycle::main(resources = linkd)]
async fn main() {}
