//! Instructions, which do not depend on what else the machine does.

use std::path::PathBuf;
use std::process::Command;

/// The instructions of one of `count` units of what the program does as a child with these arguments and a count: the
/// difference of a run with as many units again.
pub(crate) fn instructions(arguments: &[&str], count: usize) -> f64 {
    let [once, twice] = [count, 2 * count].map(|count| run(arguments, count));
    (twice - once) / count as f64
}

fn run(arguments: &[&str], count: usize) -> f64 {
    let file = output_file();
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe().expect("the program has a path"))
        .arg("--child")
        .args(arguments)
        .arg(count.to_string())
        .status()
        .expect("`--callgrind` needs valgrind");
    assert!(status.success(), "{status}");
    let counted = std::fs::read_to_string(&file).expect("callgrind writes what it counted");
    std::fs::remove_file(&file).expect("the file is ours");
    let sum = counted.lines().find_map(|line| line.strip_prefix("summary: "));
    sum.and_then(|sum| sum.trim().parse().ok()).expect("callgrind writes a sum")
}

fn output_file() -> PathBuf {
    std::env::temp_dir().join(format!("lifecycle-bench.{}.callgrind", std::process::id()))
}
