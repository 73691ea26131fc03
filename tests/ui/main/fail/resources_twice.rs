#[lifecycle::main(resources = [remote::Db, remote::Db])]
async fn main() {}
