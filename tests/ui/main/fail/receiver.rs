struct Application;

impl Application {
    #[lifecycle::main]
    async fn start(self) {}
}

fn main() {}
