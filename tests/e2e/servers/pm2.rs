//! PM2, with one application.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::{Server, spawn};
use crate::program::wait_until;

/// What PM2 calls the application.
const NAME: &str = "payments";

/// A PM2 daemon of its own, which is gone when this is dropped.
pub(crate) struct Pm2 {
    program: PathBuf,
    home: Scratch,
    /// What the application is called.
    name: &'static str,
}

impl Pm2 {
    /// A PM2 that was asked for nothing so far.
    #[track_caller]
    fn of(name: &'static str) -> Self {
        let pm2 = Self { program: installed(), home: Scratch::new(), name };
        // Without this file it is a new installation, which tells its maker.
        fs::write(pm2.home.path().join("touch"), "").expect("there is room for a file");
        pm2
    }

    /// Begins to start what is called so by an ecosystem file in JavaScript, whose script `./NAME` is this program.
    #[track_caller]
    pub(crate) fn begin(name: &'static str, program: &Path, ecosystem: &str) -> (Self, Server) {
        let pm2 = Self::of(name);
        let file = pm2.home.path().join("ecosystem.config.js");
        symlink(program, pm2.home.path().join(name)).expect("there is room for a link");
        fs::write(&file, ecosystem).expect("there is room for a file");
        let mut start = pm2.command(&["start", &file.display().to_string()]);
        start.stdout(Stdio::null()).stderr(Stdio::null());
        let start = Server::new(spawn(&mut start, "npm"));
        (pm2, start)
    }

    /// Starts a program under PM2, with these variables and settings. What it prints is in the file `log`.
    #[track_caller]
    pub(crate) fn start(program: &Path, env: &Value, settings: &Value) -> Self {
        let pm2 = Self::of(NAME);
        // PM2 loses what it has not read when a process ends: the process writes to a file by itself.
        let log = pm2.home.path().join("log");
        let command = format!("exec {} >>{} 2>&1", program.display(), log.display());
        let mut app = json!({
            "name": NAME, "script": "/bin/sh", "args": ["-c", command], "interpreter": "none",
            "exec_mode": "fork", "env": env,
        });
        let settings = settings.as_object().expect("settings have names").clone();
        app.as_object_mut().expect("it has names").extend(settings);
        let file = pm2.home.path().join("ecosystem.json");
        fs::write(&file, json!({ "apps": [app] }).to_string()).expect("there is room for a file");
        pm2.run(&["start", &file.display().to_string()]);
        pm2
    }

    #[track_caller]
    pub(crate) fn reload(&self) {
        self.run(&["reload", self.name]);
    }

    #[track_caller]
    pub(crate) fn stop(&self) {
        self.run(&["stop", self.name]);
    }

    /// What PM2 knows of the application.
    #[track_caller]
    pub(crate) fn knows(&self, property: &str) -> Value {
        let list = self.run(&["jlist"]);
        let list: Value = serde_json::from_str(&list).unwrap_or_else(|error| panic!("{error} in {list}"));
        list[0]["pm2_env"][property].clone()
    }

    /// What the application has printed so far.
    pub(crate) fn log(&self) -> String {
        self.text("log")
    }

    /// What it has printed so far, as PM2 has read it.
    pub(crate) fn outputs(&self) -> String {
        let files = fs::read_dir(self.home.path().join("logs")).into_iter().flatten().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap_or_default()).collect()
    }

    /// What PM2 itself has to say.
    pub(crate) fn own_log(&self) -> String {
        self.text("pm2.log")
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.home.path().join(file)).unwrap_or_default()
    }

    /// Ends the application and the daemon, of which nothing may be left.
    #[track_caller]
    pub(crate) fn end(self) {
        let processes = self.processes();
        assert!(!processes.is_empty(), "PM2 does not say who it is");
        self.run(&["kill"]);
        wait_until("PM2 and its application are gone", || {
            processes.iter().all(|pid| test_kill_process(*pid).is_err())
        });
    }

    /// The daemon, and the application if it runs.
    fn processes(&self) -> Vec<Pid> {
        let files = ["pm2.pid", &format!("pids/{}-0.pid", self.name)].map(|file| self.home.path().join(file));
        let pids = files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
        pids.filter_map(Pid::from_raw).collect()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap_or_else(|error| panic!("pm2: {error}"));
        assert!(output.status.success(), "pm2 {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.home.path());
        command.env("PM2_HOME", self.home.path()).env("PM2_DISCRETE_MODE", "true");
        command.args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        command
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "---- PM2:\n{}---- the application:\n{}----",
                self.own_log(),
                self.log() + &self.outputs()
            );
        }
        // After `end` nobody is there any more.
        let processes = self.processes();
        if !processes.is_empty() {
            let _ = self.command(&["kill"]).output();
            for pid in processes {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// PM2 as `tests/run` installs it, for these tests alone.
#[track_caller]
fn installed() -> PathBuf {
    let version = include_str!("../pm2-version").trim();
    // Cargo's directory for the files of tests is one of those in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let prefix = target.join("tests/pm2");
    let package = fs::read_to_string(prefix.join("node_modules/pm2/package.json")).unwrap_or_default();
    let package: Value = serde_json::from_str(&package).unwrap_or_default();
    assert_eq!(
        package["version"],
        version,
        "PM2 is missing: run tests/run, or `npm install --prefix {} pm2@{version}`",
        prefix.display()
    );
    prefix.join("node_modules/.bin/pm2")
}
