#[lifecycle::main(hangup = "reloads")]
async fn main() {}

mod nothing_like_it {
    #[lifecycle::main(hangup = "quit")]
    async fn main() {}
}

mod unquoted {
    #[lifecycle::main(hangup = ignore)]
    async fn main() {}
}
