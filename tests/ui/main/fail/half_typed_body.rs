#[lifecycle::main]
async fn main() {
    let x = ;
}
