#[lifecycle::main(resources = Http, Metrics)]
async fn main() {}
