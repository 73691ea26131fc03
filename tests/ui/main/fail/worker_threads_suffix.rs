#[lifecycle::main(worker_threads = 4k)]
async fn main() {}
