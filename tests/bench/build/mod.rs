//! What it costs to build a program, and what the program weighs: beside tokio alone, and beside others.

mod programs;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use self::programs::Program;
use crate::options::Options;
use crate::series::Series;
use crate::table::{Show, Table};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let hello = programs::hello();
    if options.is_quick {
        // What is built for tokio is built for each of them.
        return vec![builds(options, "a small program", &hello[..1])];
    }
    vec![builds(options, "a small program", &hello), builds(options, "a server", &programs::server())]
}

pub(crate) fn measure_resources(options: &Options) -> Vec<Table> {
    let counts: &[usize] = if options.is_quick { &[20] } else { &[200, 1_000] };
    let table = |count: &usize| many(options, &programs::resources(*count));
    counts.iter().map(table).collect()
}

/// From nothing, and again after a change. The seconds are those of CPU, all processes together.
fn builds(options: &Options, what: &str, programs: &[Program]) -> Table {
    let mut rows: Vec<(String, Vec<Series>)> =
        programs.iter().map(|program| (program.name.clone(), vec![Series::new(); 7])).collect();
    for _ in 0..options.rounds {
        for (program, (_, row)) in programs.iter().zip(&mut rows) {
            let package = Package::write(program);
            package.forget();
            let from_nothing = package.build(&["build"]);
            package.change(program);
            let after_a_change = package.build(&["build"]);
            row[0].push(from_nothing.wall);
            row[1].push(from_nothing.cpu);
            row[2].push(after_a_change.wall);
            row[3].push(after_a_change.cpu);
            row[4].push(package.crates());
            if !options.is_quick {
                package.build(&["build", "--release"]);
            }
            let [size, threads] = package.weight(if options.is_quick { "debug" } else { "release" });
            row[5].push(size);
            row[6].push(threads);
        }
    }
    Table {
        title: format!("{what}: built by one `cargo build`, in seconds"),
        columns: vec![
            ("from nothing", Show::Range),
            ("of CPU", Show::Range),
            ("after a change", Show::Range),
            ("of CPU", Show::Range),
            ("crates", Show::Median),
            ("KB, stripped release", Show::Median),
            ("threads", Show::Median),
        ],
        rows,
    }
}

/// What many resources cost, once everything beneath them is built.
fn many(options: &Options, programs: &[Program]) -> Table {
    let mut rows: Vec<(String, Vec<Series>)> =
        programs.iter().map(|program| (program.name.clone(), vec![Series::new(); 3])).collect();
    for _ in 0..options.rounds.min(3) {
        for (program, (_, row)) in programs.iter().zip(&mut rows) {
            let package = Package::write(program);
            let small = Program { code: "fn main() {}\n".to_owned(), ..program.clone() };
            for (column, command) in ["check", "build"].into_iter().enumerate() {
                // Incremental files of an earlier round would be found.
                let _ = fs::remove_dir_all(package.target().join("debug/incremental"));
                package.change(&small);
                package.build(&[command]);
                package.change(program);
                row[column].push(package.build(&[command]).cpu);
            }
            let size = fs::metadata(package.program("debug")).expect("it was built").len();
            row[2].push(size as f64 / 1024.0 / 1024.0);
        }
    }
    Table {
        title: format!("{}: seconds of CPU, without what they depend on", programs[1].name),
        columns: vec![("check", Show::Range), ("dev build", Show::Range), ("MiB", Show::Median)],
        rows,
    }
}

/// Cargo builds what comes from a path incrementally, which takes longer, and what comes from a registry not.
const AS_FROM_A_REGISTRY: &str = "[profile.dev.package.lifecycle-runtime]\nincremental = false\n\n\
    [profile.dev.package.lifecycle-macros]\nincremental = false\n\n";

/// What a build took, and how much of it was CPU time, of all its processes.
struct Seconds {
    wall: f64,
    cpu: f64,
}

/// A package in a folder of its own, outside the workspace, with the versions of the workspace's lock file.
struct Package(PathBuf);

impl Package {
    fn write(program: &Program) -> Self {
        let folder = std::env::temp_dir().join(format!("lifecycle-bench-{}", std::process::id()));
        let package = Self(folder.join(program.name.replace([' ', ','], "-")));
        fs::create_dir_all(package.0.join("src")).expect("there is a folder for temporary files");
        let workspace = fs::canonicalize(WORKSPACE).expect("the workspace is where it was");
        let dependencies = program.dependencies.replace("{}", &workspace.display().to_string());
        let profiles = if dependencies.contains("lifecycle-runtime") { AS_FROM_A_REGISTRY } else { "" };
        let manifest = format!(
            "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n{profiles}\
             [profile.release]\nstrip = true\n\n[dependencies]\n{dependencies}\n"
        );
        package.put("Cargo.toml", &manifest);
        package.put("src/main.rs", &program.code);
        fs::copy(workspace.join("Cargo.lock"), package.0.join("Cargo.lock")).expect("there is a lock file");
        package
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("the folder is ours");
    }

    fn target(&self) -> PathBuf {
        self.0.join("target")
    }

    fn program(&self, profile: &str) -> PathBuf {
        self.target().join(profile).join("hello")
    }

    fn forget(&self) {
        let _ = fs::remove_dir_all(self.target());
    }

    /// Writes the program anew, with a line more.
    fn change(&self, program: &Program) {
        let changed = format!("{}\n// {:?}\n", program.code, std::time::SystemTime::now());
        self.put("src/main.rs", &changed);
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).current_dir(&self.0).env("CARGO_TARGET_DIR", self.target());
        if let Some(toolchain) = option_env!("RUSTUP_TOOLCHAIN") {
            cargo.env("RUSTUP_TOOLCHAIN", toolchain);
        }
        cargo.env_remove("RUSTFLAGS").stdin(Stdio::null()).stderr(Stdio::piped());
        cargo
    }

    fn build(&self, arguments: &[&str]) -> Seconds {
        let (begun, before) = (Instant::now(), cpu_of_children());
        let output = self.cargo(arguments).output().expect("cargo runs");
        let (wall, cpu) = (begun.elapsed(), cpu_of_children() - before);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Seconds { wall: wall.as_secs_f64(), cpu: cpu.as_secs_f64() }
    }

    /// In the tree, the program included.
    fn crates(&self) -> f64 {
        let output =
            self.cargo(&["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]).output();
        let listed = String::from_utf8(output.expect("cargo runs").stdout).expect("names are UTF-8");
        let mut crates: Vec<&str> = listed.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        crates.sort_unstable();
        crates.dedup();
        crates.len() as f64
    }

    /// The size of the program in KB, and its threads while it waits for its end.
    fn weight(&self, profile: &str) -> [f64; 2] {
        let program = self.program(profile);
        let size = fs::metadata(&program).expect("it was built").len() as f64 / 1000.0;
        let mut child = Command::new(&program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says when it is ready");
        let threads = settled(|| threads_of(child.id()));
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        [size, threads as f64]
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        // Gone with the last of them.
        let _ = self.0.parent().map(fs::remove_dir);
    }
}

/// A figure that has not changed for half a second.
fn settled(mut figure: impl FnMut() -> usize) -> usize {
    let (mut last, mut since) = (figure(), 0);
    while since < 10 {
        std::thread::sleep(Duration::from_millis(50));
        let now = figure();
        since = if now == last { since + 1 } else { 0 };
        last = now;
    }
    last
}

fn threads_of(process: u32) -> usize {
    fs::read_dir(Path::new("/proc").join(process.to_string()).join("task")).map_or(0, Iterator::count)
}

fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    let duration = |time: nix::sys::time::TimeVal| {
        Duration::from_secs_f64(time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
    };
    duration(usage.user_time()) + duration(usage.system_time())
}
