//! The files of `examples/deploy`: what they say fits together, and the image that they describe works. The swarm of
//! `stack.yaml` is in `rolling::swarm`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::health_check::HealthCheck;
use crate::program::wait_until;
use crate::rolling::RESERVES;
use crate::scratch::Scratch;
use crate::servers::docker::{Container, Engine, IMAGE, Network};
use crate::servers::rootfs;
use crate::{examples, machine};

/// The reserves and half of the delays have to fit into so much of the grace period.
const SHARE: f64 = 0.8;

#[track_caller]
fn text(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// The word that follows the only `key` of the text.
#[track_caller]
fn word<'a>(text: &'a str, key: &str) -> &'a str {
    let mut places = text.split(key).skip(1);
    let (Some(rest), None) = (places.next(), places.next()) else { panic!("{key:?} is not there once") };
    rest.split([' ', '}', '\n']).next().unwrap_or_default()
}

#[track_caller]
fn seconds(text: &str, key: &str) -> Duration {
    let word = word(text, key);
    let number = word.strip_suffix('s').and_then(|number| number.parse().ok());
    Duration::from_secs(number.unwrap_or_else(|| panic!("{key:?} is {word:?}, and not in seconds")))
}

#[test]
fn what_the_engine_gives_is_what_the_application_is_told() {
    for file in ["compose", "stack"] {
        let text = text(&format!("examples/deploy/{file}.yaml"));
        let given = seconds(&text, "\n    stop_grace_period: ");
        assert_eq!(seconds(&text, "      LIFECYCLE_GRACE_PERIOD: "), given, "{file}");
        assert!(given.mul_f64(SHARE) >= RESERVES, "{file}: the reserves do not fit");
    }
}

#[test]
fn the_delays_of_the_stack_fit_the_checks_that_it_proposes() {
    let text = text("examples/deploy/stack.yaml");
    let number = |key| word(&text, key).parse().unwrap_or_else(|error| panic!("{key:?}: {error}"));
    let interval = seconds(&text, "check port 8081 inter ");
    let check = HealthCheck { interval, failures: number(" fall "), successes: number(" rise ") };
    let delay = seconds(&text, "LIFECYCLE_DRAIN_DELAY: ${DRAIN_DELAY:-");
    assert_eq!(delay, check.drain_delay());
    // The next task may go when requests are sent to the new one.
    let noticed = check.interval * check.successes + Duration::from_secs(1);
    assert_eq!(seconds(&text, "        delay: ${UPDATE_DELAY:-"), noticed);
    let deadline = seconds(&text, "\n    stop_grace_period: ").mul_f64(SHARE);
    assert!(deadline >= 2 * delay + RESERVES, "the delay would be cut short");
}

#[test]
fn the_dockerfile_fits_the_defaults() {
    let text = text("examples/deploy/Dockerfile");
    let startup_timeout = Duration::from_secs(60);
    assert_eq!(
        seconds(&text, "--start-period="),
        startup_timeout,
        "Docker gives up sooner or later than the start"
    );
    let instructions = |name: &str| text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    assert_eq!(
        instructions("ENTRYPOINT "),
        [r#"ENTRYPOINT ["/usr/local/bin/payments"]"#],
        "a shell would be PID 1"
    );
    assert!(instructions("CMD ").is_empty() && instructions("STOPSIGNAL ").is_empty());
}

/// With stand-ins for the two images that it is made from, and for cargo.
#[test]
fn the_dockerfile_makes_an_image_that_is_healthy_and_stops_cleanly() {
    let _machine = machine::shared();
    // The ports are those that the image says: they have to be free.
    let engine = Engine::start(Network::Own);
    let context = Scratch::new();
    let dockerfile = text("examples/deploy/Dockerfile");
    fs::write(context.path().join("Dockerfile"), &dockerfile).expect("there is room for a file");
    let rust =
        format!("rust:{}-bookworm", word(&text("rust-toolchain.toml"), "channel = ").trim_matches('"'));
    assert!(dockerfile.contains(&format!("FROM {rust} AS build\n")), "it builds with another compiler");
    stand_in(&engine, &rust, &["cp", "mkdir"], &|root| {
        let cargo = "#!/bin/bash\n[ \"$*\" = \"build --release --locked --example payments\" ] &&\n\
                     /mkdir -p target/release/examples && /cp /payments target/release/examples\n";
        let path = root.join("usr/bin/cargo");
        fs::write(&path, cargo).expect("there is room for a file");
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    });
    stand_in(&engine, "debian:bookworm-slim", &[], &|_| {});
    let folder = context.path().display().to_string();
    let build = ["build", "--quiet", "--network", "host", "--tag", IMAGE, &folder];
    engine.run_with(&build, &[("DOCKER_BUILDKIT", "0".to_owned())]);

    let container = engine.container(&["--env", "LIFECYCLE_GRACE_PERIOD=30s", "--stop-timeout", "30"]);
    container.runs_for_the(1);
    assert!(!container.log().contains(" WARN "), "it warns: {}", container.log());
    container.has_health("healthy");
    container.run(&["stop"]);
    assert_eq!(container.exit_code(), "exited 0");
    assert!(container.log().contains(" of 24.0 s: SIGTERM received; exit code 0"), "{}", container.log());
    assert_notices(&engine);
}

/// What the image calls healthy is not always so.
#[track_caller]
fn assert_notices(engine: &Engine) {
    let at_once = ["--health-interval", "1s", "--health-retries", "1", "--health-start-period", "1ms"];
    let elsewhere = ["--env", "LIFECYCLE_PROBE_ADDR=127.0.0.1:8082"];
    engine.container(&[&at_once[..], &elsewhere].concat()).has_health("unhealthy");
}

impl Container<'_> {
    #[track_caller]
    fn has_health(&self, health: &str) {
        wait_until(&format!("Docker says that it is {health}"), || {
            self.run(&["inspect", "--format", "{{.State.Health.Status}}"]) == health
        });
    }
}

/// An image with bash, payments and the libraries that it needs, these programs, and what else is put there.
#[track_caller]
fn stand_in(engine: &Engine, image: &str, programs: &[&str], prepare: &dyn Fn(&Path)) {
    let root = Scratch::new();
    rootfs::fill(root.path(), examples::executable("payments"));
    for program in programs.iter().chain(&["bash"]) {
        rootfs::fill(root.path(), &Path::new("/bin").join(program));
    }
    let bin = root.path().join("usr/bin");
    fs::create_dir_all(&bin).expect("there is room for a directory");
    for shell in ["sh", "bash"] {
        fs::copy(root.path().join("bash"), bin.join(shell)).expect("there is room for a file");
    }
    std::os::unix::fs::symlink("usr/bin", root.path().join("bin")).expect("there is room for a link");
    prepare(root.path());
    engine.import_folder(root.path(), image, "WORKDIR /");
}
