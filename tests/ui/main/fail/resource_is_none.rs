struct Config;

#[lifecycle::main(resources = [remote::Db, Config])]
async fn main() {}
