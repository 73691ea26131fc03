//! Podman, with images and containers of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use lifecycle_tests::harness::examples;
use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::{Pid, geteuid};

use super::{rootfs, search_path};

/// What the manifests in `examples/kubernetes` call the image and the program in it.
pub(crate) const IMAGE: &str = "registry.example/payments:1.0.0";
pub(crate) const PROGRAM: &str = "/usr/local/bin/payments";

/// What a container may do is not what the tests are about; machines that are containers themselves allow less than the
/// defaults ask for.
const CONFIGURATION: &str = r#"
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=10000:10000"]
seccomp_profile = "unconfined"
apparmor_profile = "unconfined"
log_driver = "k8s-file"

[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
"#;

/// A storage that has one image, of payments. It is gone with all containers when this is dropped.
pub(crate) struct Podman {
    scratch: Scratch,
}

impl Podman {
    #[track_caller]
    pub(crate) fn start() -> Self {
        assert!(geteuid().is_root(), "the containers of Podman are root's here: run the tests as root");
        let podman = Self { scratch: Scratch::new() };
        fs::write(podman.scratch.path().join("containers.conf"), CONFIGURATION)
            .expect("there is room for a file");
        podman.import();
        podman
    }

    /// Makes the image.
    #[track_caller]
    fn import(&self) {
        let folder = self.scratch.path().join("rootfs");
        fs::create_dir(&folder).expect("there is room for a directory");
        rootfs::fill(&folder, examples::executable("payments"));
        let place = folder.join(PROGRAM.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("it is in a directory"))
            .and_then(|()| fs::rename(folder.join("payments"), place))
            .expect("there is room for a directory");
        let archive = self.scratch.path().join("rootfs.tar");
        let mut tar = Command::new("tar");
        let packed = tar.arg("-C").arg(&folder).arg("-cf").arg(&archive).arg(".").status();
        assert!(packed.is_ok_and(|status| status.success()), "cannot make an archive");
        self.run(&["import", "--quiet", &archive.display().to_string(), IMAGE]);
    }

    /// Runs a command of Podman, and gives what it prints.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output();
        let output =
            output.unwrap_or_else(|error| panic!("cannot run podman: {error}; it comes with `podman`"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let complaint = text(&output.stderr);
        assert!(output.status.success(), "podman {}: {complaint}", arguments.join(" "));
        text(&output.stdout)
    }

    /// The pid of the container's main process, outside of the container.
    #[track_caller]
    pub(crate) fn pid(&self, container: &str) -> Pid {
        let pid = self.run(&["inspect", "--format", "{{.State.Pid}}", container]);
        pid.parse().ok().and_then(Pid::from_raw).unwrap_or_else(|| panic!("{container} has no pid: {pid:?}"))
    }

    /// What Podman says of the container's state, and its exit code.
    #[track_caller]
    pub(crate) fn state(&self, container: &str) -> String {
        self.run(&["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container])
    }

    /// What the container has printed so far.
    #[track_caller]
    pub(crate) fn log(&self, container: &str) -> String {
        self.run(&["logs", container])
    }

    /// For files that go with the storage.
    pub(crate) fn directory(&self) -> &Path {
        self.scratch.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let place = |name: &str| self.scratch.path().join(name);
        let mut command = Command::new("podman");
        command.env("PATH", search_path()).env("CONTAINERS_CONF", place("containers.conf"));
        command.arg("--root").arg(place("storage")).arg("--runroot").arg(place("run"));
        command.arg("--tmpdir").arg(place("tmp")).arg("--storage-driver=vfs").args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// The same for an end that does what it can.
    fn try_to(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if thread::panicking() {
            for container in self.try_to(&["ps", "--all", "--quiet"]).lines() {
                eprintln!("---- the container:\n{}----", self.try_to(&["logs", container]));
            }
        }
        self.try_to(&["pod", "rm", "--all", "--force", "--time=0"]);
        self.try_to(&["rm", "--all", "--force", "--time=0"]);
        self.try_to(&["rmi", "--all", "--force"]);
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let ours = |mount: &&str| Path::new(mount).starts_with(self.scratch.path());
        for mount in mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(ours) {
            let _ = Command::new("umount").arg(mount).status();
        }
    }
}
