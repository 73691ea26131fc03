#[lifecycle::main]
async fn main() -> Result<(), std::io::Error> {
    let _path = std::env::current_dir()?;
}
