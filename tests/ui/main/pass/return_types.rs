use std::process::ExitCode;

use lifecycle::{BoxError, Report};

#[lifecycle::main]
async fn unit() -> () {}

#[lifecycle::main]
async fn result() -> lifecycle::Result {
    let _number: u32 = "1".parse()?;
    Ok(())
}

#[lifecycle::main]
async fn io() -> std::io::Result<()> {
    let _path = std::env::current_dir()?;
    Ok(())
}

#[lifecycle::main]
async fn boxed() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err("no".into())
}

#[lifecycle::main]
async fn text() -> Result<(), String> {
    Ok(())
}

#[lifecycle::main]
async fn code() -> ExitCode {
    ExitCode::from(3)
}

#[lifecycle::main]
async fn code_or_error() -> Result<ExitCode, BoxError>
where
    u8: Copy,
{
    return Ok(ExitCode::SUCCESS);
}

fn main() {
    let _entries: [fn() -> Report; 7] = [unit, result, io, boxed, text, code, code_or_error];
}
