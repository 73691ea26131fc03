//! Writes payments as one module, as it is, and once more for each bug. The test includes them.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const SOURCE: &str = "../../examples/payments";

const FILES: [&str; 14] = [
    "audit_log",
    "cache",
    "client",
    "database",
    "http",
    "queue",
    "registration",
    "scratch",
    "settings",
    "settlement",
    "telemetry",
    "tls",
    "trace",
    "worker",
];

/// A bug: its name, and what is changed in which file.
type Bug = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const BUGS: [Bug; 3] = [
    // The receipt counts as written before it is sent: a worker that is dropped in between never sends it.
    (
        "not_cancel_safe",
        "worker",
        &[(
            "        sleep(takes).await;
        self.client.send_receipt(payment).await?;
        if self.database.receipt_is_written(payment).await? {
",
            "        let is_new = self.database.receipt_is_written(payment).await?;
        sleep(takes).await;
        self.client.send_receipt(payment).await?;
        if is_new {
",
        )],
    ),
    // A lock that is a file, and that only a release to its end removes.
    (
        "lock_left",
        "scratch",
        &[
            ("    path: PathBuf,\n", "    path: PathBuf,\n    lock_file: PathBuf,\n"),
            ("Ok(Self { path, _lock: lock })", "Ok(Self { path, lock_file: PathBuf::new(), _lock: lock })"),
            (
                "        let parent = env::temp_dir();\n",
                "        let parent = env::temp_dir();
        let beside = cx.get::<Settings>().audit_log.clone();
        let lock_file = beside.unwrap_or_default().with_extension(\"lock\");\n",
            ),
            (
                "        .await?
    }

    async fn release",
                "        .await?
        .and_then(|scratch: Self| {
            File::create_new(&lock_file).map_err(|error| format!(\"locked by somebody else: {error}\"))?;
            Ok(Self { lock_file, ..scratch })
        })
    }

    async fn release",
            ),
            (
                "        let path = self.path.clone();
",
                "        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        fs::remove_file(&self.lock_file)?;
        let path = self.path.clone();
",
            ),
        ],
    ),
    // The client hears that its payment was charged before that is so.
    (
        "acknowledged_early",
        "http",
        &[(
            "            let _ = result.send(service.charge(&payment).await);
",
            "            let _ = result.send(Ok(Charge::New));
            let _ = service.charge(&payment).await;
",
        )],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    write("intact", None)?;
    for bug in &BUGS {
        write(bug.0, Some(bug))?;
    }
    Ok(())
}

fn write(name: &str, bug: Option<&Bug>) -> Result<(), Box<dyn Error>> {
    let mut payments = String::new();
    for file in FILES {
        let mut code = fs::read_to_string(Path::new(SOURCE).join(file).with_extension("rs"))?;
        if let Some((_, _, changes)) = bug.filter(|(_, place, _)| *place == file) {
            for (from, to) in *changes {
                let count = code.matches(from).count();
                if count != 1 {
                    return Err(format!("the bug {name}: {count} times in {file}.rs:\n{from}").into());
                }
                code = code.replace(from, to);
            }
        }
        // The documentation of a module must stand in front of it. Paths count from the root of the crate, those of files
        // from its folder.
        let code: String = code
            .lines()
            .filter(|line| !line.starts_with("//!"))
            .fold(String::new(), |all, line| all + line + "\n");
        let code = code.replace("crate::", &format!("crate::{name}::"));
        let code = code.replace("\"payments/migrations\"", &format!("\"{SOURCE}/migrations\""));
        payments += &format!("pub(crate) mod {file} {{\n{code}}}\n");
    }
    let target = Path::new(&env::var("OUT_DIR")?).join(name).with_extension("rs");
    fs::write(target, payments)?;
    Ok(())
}
