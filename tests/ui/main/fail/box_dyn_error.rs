use std::error::Error;

#[lifecycle::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _number: u32 = "1".parse()?;
    Ok(())
}
