//! systemd, as PID 1 of namespaces of its own.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use lifecycle_tests::harness::scratch::Scratch;

use super::cgroup;
use crate::program::wait_until;

/// A systemd, and the units that a test gives it.
pub(crate) struct Systemd {
    /// Its end is that of everything within.
    namespace: Child,
    pid: String,
    /// All that can be written to, within.
    scratch: Scratch,
}

impl Systemd {
    /// Boots one with these units, by name. What they write to is in `scratch`.
    #[track_caller]
    pub(crate) fn boot(scratch: Scratch, units: &[(&str, &str)]) -> Self {
        let directory = scratch.path().join("units");
        fs::create_dir(&directory)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", directory.display()));
        for (name, text) in units.iter().chain(&[("test.target", "[Unit]\nDefaultDependencies=no\n")]) {
            let path = directory.join(name);
            fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        }
        let console = File::create(scratch.path().join("console"));
        let console = console.unwrap_or_else(|error| panic!("no console: {error}"));
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/systemd-namespace"));
        command.arg(scratch.path()).stdin(Stdio::null());
        command
            .stderr(console.try_clone().unwrap_or_else(|error| panic!("no console: {error}")))
            .stdout(console);
        let namespace = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let mut systemd = Self { namespace, pid: String::new(), scratch };
        systemd.wait_until_ready();
        systemd
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let pid = self.namespace.id();
        wait_until("systemd is ready", || {
            let has_ended = self.namespace.try_wait().is_ok_and(|status| status.is_some());
            assert!(
                !has_ended,
                "no systemd could be started in namespaces of its own: this test needs root, the package systemd, \
                 and a kernel that lets namespaces and cgroups be made"
            );
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            self.pid = children.unwrap_or_default().trim().to_owned();
            !self.pid.is_empty() && self.within("test", &["-S", "/run/systemd/private"]).is_some()
        });
    }

    /// What a program prints within the namespaces, if it succeeds.
    pub(crate) fn within(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid, "-m", "-p", program]).args(arguments).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[track_caller]
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> String {
        self.within("systemctl", arguments).unwrap_or_else(|| panic!("systemctl {arguments:?} failed"))
    }

    /// The properties of a unit, now.
    #[track_caller]
    pub(crate) fn show(&self, unit: &str) -> HashMap<String, String> {
        let text = self.systemctl(&["show", unit]);
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Asserts that properties of a unit have these values.
    #[track_caller]
    pub(crate) fn assert_shows(&self, unit: &str, expected: &[(&str, &str)]) {
        let shown = self.show(unit);
        for (property, value) in expected {
            assert_eq!(shown.get(*property).map(String::as_str), Some(*value), "{property} of {unit}");
        }
    }

    /// Waits until a property of a unit has a value.
    #[track_caller]
    pub(crate) fn wait_for(&self, unit: &str, property: &str, value: &str) {
        wait_until(&format!("{property} of {unit} is {value:?}"), || {
            self.show(unit).get(property).is_some_and(|shown| shown == value)
        });
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = self.namespace.kill();
        let _ = self.namespace.wait();
        if thread::panicking() {
            for file in ["console", "output"] {
                let text = fs::read_to_string(self.scratch.path().join(file)).unwrap_or_default();
                eprintln!("---- {file}:\n{text}----");
            }
        }
        if let Ok(cgroup) = fs::read_to_string(self.scratch.path().join("cgroup")) {
            cgroup::remove(Path::new(cgroup.trim()));
        }
    }
}
