#[lifecycle::main]
async fn main() {
    let _x: u32 = "one";
}
