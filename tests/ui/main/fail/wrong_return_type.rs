#[lifecycle::main]
async fn main() -> Vec<u8> {
    Vec::new()
}
