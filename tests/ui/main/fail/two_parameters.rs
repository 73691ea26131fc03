#[lifecycle::main]
async fn main(app: lifecycle::App, arguments: Vec<String>) {}
