#[lifecycle::main(remote::Db)]
async fn main() {}
