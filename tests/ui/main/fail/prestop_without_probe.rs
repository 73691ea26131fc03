#[lifecycle::main(prestop)]
async fn main() {}
