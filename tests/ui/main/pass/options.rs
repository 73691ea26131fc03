use lifecycle::{App, Report};

mod engine {
    pub use renamed::runtime;
}

#[lifecycle::main(
    shutdown_timeout = "30s",
    startup_timeout = "1m 30s",
    drain_delay = "0s",
    probe = "0.0.0.0:8081",
    prestop,
    resources = [remote::Db, remote::Tracing],
    flavor = "multi_thread",
    worker_threads = 4,
    crate = engine::runtime,
)]
async fn all(_app: App) {}

#[lifecycle::main(probe = "[::1]:0", startup_timeout = "none", flavor = "current_thread", resources = remote::Db)]
async fn others() {}

#[lifecycle::main()]
async fn none() {}

#[lifecycle::main(resources = linked)]
async fn linked() {}

#[lifecycle::main(resources = [])]
async fn without_resources() {}

fn main() {
    let _entries: [fn() -> Report; 5] = [all, others, none, linked, without_resources];
}
