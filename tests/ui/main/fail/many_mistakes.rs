#[lifecycle::main(
    shutdown_timeout = "0s",
    startup_timeout = "1.5m 30s",
    drain_dely = "5s",
    resources = [remote::Db, "Http"],
    flavor = "multi",
    worker_threads = 0,
    colour = "red",
)]
fn main(app: lifecycle::App, arguments: Vec<String>) {}
