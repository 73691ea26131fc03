//! Docker: an engine, and containers of it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::{Pid, Signal, kill_process};

use super::{cgroup, rootfs, search_path, spawn};
use crate::program::wait_until;

/// What the image of a program is called.
pub(crate) const IMAGE: &str = "registry.example/payments:1.0.0";

/// Which network an engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// That of this machine.
    Shared,
    /// None, until somebody connects it.
    Own,
}

/// An engine of a test's own. With it ends all that it has started.
pub(crate) struct Engine {
    namespace: Child,
    /// The first process in the namespaces, whose end is that of all others.
    init: Option<Pid>,
    scratch: Scratch,
}

impl Engine {
    /// Starts one, and waits until it answers.
    #[track_caller]
    pub(crate) fn start(network: Network) -> Self {
        let scratch = Scratch::new();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/docker-engine"));
        command.env("PATH", search_path()).arg(scratch.path()).arg(cgroup_of(&scratch));
        if network == Network::Own {
            command.arg("--net");
        }
        let err = fs::File::create(scratch.path().join("stderr")).expect("there is room for a file");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(err);
        let namespace = spawn(&mut command, "bash");
        let mut engine = Self { namespace, init: None, scratch };
        engine.wait_until_ready();
        engine
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let pid = self.namespace.id();
        wait_until("the engine is ready", || {
            let has_ended = self.namespace.try_wait().is_ok_and(|status| status.is_some());
            assert!(
                !has_ended,
                "no Docker engine could be started in namespaces of its own: this test needs root, the packages \
                 docker.io and iproute2, and a kernel that lets namespaces and cgroups be made"
            );
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            self.init = children.trim().parse().ok().and_then(Pid::from_raw);
            self.init.is_some() && self.docker(&["version"]).is_some()
        });
    }

    /// The first process in its namespaces, if they are there.
    pub(crate) fn init(&self) -> Option<Pid> {
        self.init
    }

    /// Makes the image of a program, with nothing but the libraries that it needs.
    #[track_caller]
    pub(crate) fn import(&self, program: &Path) {
        let name = program.file_name().expect("a program has a name").display();
        let root = Scratch::new();
        rootfs::fill(root.path(), program);
        self.import_folder(root.path(), IMAGE, &format!(r#"ENTRYPOINT ["/{name}"]"#));
    }

    #[track_caller]
    pub(crate) fn import_folder(&self, folder: &Path, image: &str, change: &str) {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(folder).args(["-c", "."]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut tar = spawn(&mut tar, "tar");
        let archive = tar.stdout.take().expect("its output is a pipe");
        let output = self.command(&["import", "--change", change, "-", image]).stdin(archive).output();
        let output = output.unwrap_or_else(|error| panic!("docker: {error}"));
        assert!(output.status.success(), "docker import: {output:?}");
        assert!(tar.wait().is_ok_and(|status| status.success()), "tar failed");
    }

    /// Runs a container of the image, on the engine's network, and with these options.
    #[track_caller]
    pub(crate) fn container(&self, options: &[&str]) -> Container<'_> {
        let run = ["run", "--detach", "--network", "host"];
        let id = self.run(&[&run, options, &[IMAGE]].concat());
        Container { engine: self, id: id.trim().to_owned() }
    }

    /// What `docker` prints with these arguments.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, &[])
    }

    /// The same, with these variables.
    #[track_caller]
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, String)]) -> String {
        let output =
            self.command(arguments).envs(variables.iter().map(|(name, value)| (name, value))).output();
        let output = output.unwrap_or_else(|error| panic!("docker: {error}"));
        assert!(output.status.success(), "docker {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The same, if it succeeds.
    fn docker(&self, arguments: &[&str]) -> Option<String> {
        let output = self.command(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A client of this engine, and of no other.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        let host = format!("unix://{}", self.scratch.path().join("socket").display());
        command.env_clear().env("PATH", search_path()).env("HOME", self.scratch.path());
        command.args(["--host", &host]).args(arguments).stdin(Stdio::null());
        command
    }

    /// As a power cut ends a machine: all at once, and nobody is told.
    pub(crate) fn kill(&mut self) {
        if let Some(init) = self.init.take() {
            let _ = kill_process(init, Signal::KILL);
        } else {
            let _ = self.namespace.kill();
        }
        let cgroups = cgroup::named(&cgroup_of(&self.scratch));
        cgroups.iter().for_each(|path| cgroup::thaw(path));
        // The first process is reaped when there is no other.
        let _ = self.namespace.wait();
        cgroups.iter().for_each(|path| cgroup::remove(path));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            for file in ["stderr", "log"] {
                let text = fs::read_to_string(self.scratch.path().join(file)).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                // Of the shims' noise, the end is enough.
                eprintln!(
                    "---- Docker, {file}:\n{}\n----",
                    lines[lines.len().saturating_sub(40)..].join("\n")
                );
            }
        }
    }
}

fn cgroup_of(scratch: &Scratch) -> String {
    scratch.path().file_name().expect("it has a name").display().to_string()
}

/// A container of payments. When a test fails, its log is printed.
pub(crate) struct Container<'a> {
    engine: &'a Engine,
    id: String,
}

impl Container<'_> {
    /// What `docker COMMAND… ID` prints.
    #[track_caller]
    pub(crate) fn run(&self, command: &[&str]) -> String {
        self.engine.run(&[command, &[&self.id]].concat())
    }

    /// Runs a program in it, as a hook does.
    pub(crate) fn exec(&self, words: &[&str]) -> Output {
        let output = self.engine.command(&[&["exec", &self.id][..], words].concat()).output();
        output.unwrap_or_else(|error| panic!("docker: {error}"))
    }

    /// All that it has printed so far, in all its lives.
    pub(crate) fn log(&self) -> String {
        let output = self.engine.command(&["logs", &self.id]).output();
        let output = output.unwrap_or_else(|error| panic!("docker: {error}"));
        [output.stdout, output.stderr].iter().map(|text| String::from_utf8_lossy(text)).collect()
    }

    /// Waits until the application runs, for the first time, the second, and so on.
    #[track_caller]
    pub(crate) fn runs_for_the(&self, time: usize) {
        wait_until("payments runs", || {
            self.log().matches("running: everything was acquired").count() == time
        });
    }

    /// How it ended: what it said itself, or 137 if it was killed.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> String {
        self.run(&["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}"])
    }

    /// The files that are in `/tmp`.
    #[track_caller]
    pub(crate) fn temporary_files(&self) -> Vec<String> {
        let changes = self.run(&["diff"]);
        changes.lines().filter_map(|change| change.strip_prefix("A /tmp/")).map(str::to_owned).collect()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- the container {}:\n{}----", self.id, self.log());
        }
    }
}
