#[cfg(any())]
#[lifecycle::main]
async fn main() {}

#[cfg(not(any()))]
fn main() {}

mod service {
    #[lifecycle::main]
    pub async fn main() {
        tokio::task::yield_now().await;
    }
}

const _: fn() -> lifecycle::Report = service::main;
