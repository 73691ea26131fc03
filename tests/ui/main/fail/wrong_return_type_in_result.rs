#[lifecycle::main]
async fn main() -> Result<(), u8> {
    Ok(())
}
