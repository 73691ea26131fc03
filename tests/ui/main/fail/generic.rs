#[lifecycle::main]
async fn main<T: Default>() {}
