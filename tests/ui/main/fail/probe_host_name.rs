#[lifecycle::main(probe = "localhost:8081", prestop)]
async fn main() {}
