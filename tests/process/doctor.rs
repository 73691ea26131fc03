//! `lifecycle doctor`: the pairs of files in `tests/doctor`, our own deployments, and what is not known.
//!
//! `doctor_input` has what it says to bad input; `doctor_played` shows with processes what the rules are for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::machine;
use crate::pairs::{doctor, found, pairs};
use crate::program::{Exit, Program};
use crate::scratch::Scratch;

const DEPLOYED: &str = env!("CARGO_BIN_EXE_deployed");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[track_caller]
pub(crate) fn assert_says(exit: &Exit, code: i32, words: &[&str]) {
    let said = exit.stdout() + &exit.stderr();
    assert_eq!(exit.code(), Some(code), "{said}");
    for words in words {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

fn rules() -> Vec<Value> {
    let printed = doctor(&["--rules", "--format", "json"]).stdout();
    let mut table: Value = serde_json::from_str(&printed).expect("it is JSON");
    table["rules"].as_array_mut().map(std::mem::take).expect("there are rules")
}

/// The files of a folder whose names begin so, in order.
fn files(folder: &Path, begin: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names =
        entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("it is text"));
    let mut names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
    names.sort();
    names
}

#[test]
fn each_rule_finds_its_line_in_the_wrong_file_and_nothing_in_the_right_one() {
    let _machine = machine::shared();
    let mut all = String::new();
    for rule in files(&pairs(), "").into_iter().filter(|name| !name.contains('.')) {
        let folder = pairs().join(&rule);
        let (wrong, right) = (files(&folder, "wrong."), files(&folder, "right."));
        let kinds = |names: &[String]| -> Vec<String> {
            names.iter().map(|name| name.split_once('.').expect("it has an end").1.to_owned()).collect()
        };
        assert_eq!(kinds(&wrong), kinds(&right), "{rule}: pairs");
        for file in &wrong {
            let found = found(&rule, file);
            assert!(found.contains(&format!(" {rule}\n")), "{rule}/{file}: {found:?}");
            all += &found;
        }
        for file in &right {
            assert_eq!(found(&rule, file), "", "{rule}/{file}");
        }
    }
    let expected = fs::read_to_string(pairs().join("findings.txt")).expect("it can be read");
    assert_eq!(all, expected);
}

#[test]
fn every_rule_has_a_pair_and_the_test_that_it_names() {
    let _machine = machine::shared();
    // Their findings come from the program itself: `variables_that_are_refused_or_unknown_are_found_where_they_are_set`.
    let of_the_program = ["configuration-refused", "unknown-variable"];
    for rule in rules() {
        let id = rule["rule"].as_str().expect("it has a name");
        assert!(of_the_program.contains(&id) || pairs().join(id).is_dir(), "{id} has no pair");
        let Some(played) = rule["played"].as_str() else {
            // It is about comments, and nothing runs otherwise for one.
            assert_eq!(id, "allow", "{id} is not played");
            continue;
        };
        let (file, test) = played.split_once("::").expect("it is file::test");
        let places = ["process", "probe", "e2e", "e2e/rolling"];
        let paths = places.map(|place| Path::new(ROOT).join(format!("tests/{place}/{file}.rs")));
        let has_test =
            |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {test}(")));
        assert!(paths.iter().any(has_test), "{id}: there is no test {played}");
    }
}

#[test]
fn the_page_has_the_table_of_the_rules() {
    let _machine = machine::shared();
    let page =
        fs::read_to_string(Path::new(ROOT).join("lifecycle-runtime/docs/doctor.md")).expect("it can be read");
    let table = doctor(&["--rules"]).stdout();
    assert!(
        page.contains(&table),
        "replace the table in docs/doctor.md by what `lifecycle doctor --rules` prints:\n{table}"
    );
}

#[test]
fn our_own_deployments_have_nothing_wrong() {
    let _machine = machine::shared();
    let payments = crate::examples::executable("payments").to_str().expect("it is text");
    let path = |file: &str| format!("{ROOT}/examples/{file}");
    let scratch = Scratch::new();
    // The unit and the balancer are in texts.
    let unit =
        fs::read_to_string(format!("{ROOT}/lifecycle-runtime/docs/systemd.md")).expect("it can be read");
    let unit =
        unit.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it has a unit");
    let (service, balancer) = (scratch.path().join("payments.service"), scratch.path().join("haproxy.cfg"));
    fs::write(&service, unit).expect("it can be written");
    let stack = fs::read_to_string(path("deploy/stack.yaml")).expect("it can be read");
    let lines = stack.lines().skip_while(|line| !line.contains("# haproxy.cfg")).skip(1);
    let lines = lines.map_while(|line| line.strip_prefix("#     "));
    fs::write(&balancer, lines.map(|line| format!("{line}\n")).collect::<String>())
        .expect("it can be written");
    let text = |path: &Path| path.to_str().expect("it is text").to_owned();
    let deployments: [&[String]; 6] = [
        &[path("kubernetes/defaults.yaml")],
        &[path("kubernetes/prestop-sleep.yaml")],
        &[path("deploy/Dockerfile"), path("deploy/compose.yaml")],
        &[path("deploy/Dockerfile"), path("kubernetes/defaults.yaml")],
        &[path("deploy/stack.yaml"), text(&balancer)],
        &[text(&service)],
    ];
    for files in deployments {
        let program = Program::example("lifecycle").arg("doctor").arg(payments);
        let exit = program.args(files).spawn().wait_for_exit();
        assert_says(&exit, 0, &["nothing is wrong in"]);
        assert!(exit.stdout().contains("looked at"), "{}", exit.stdout());
    }
    // This one is for a program whose probe has /prestop.
    let exit = doctor(&["--plan", "plan.json", &path("kubernetes/prestop-http.yaml")]);
    assert_says(&exit, 0, &["stop 40.0 s, drain delay 10.0 s"]);
}

#[test]
fn variables_that_are_refused_or_unknown_are_found_where_they_are_set() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let write = |variable: &str| {
        let file = scratch.path().join("compose.yaml");
        let text =
            format!("services:\n  shop:\n    image: shop\n    environment:\n      A: b\n      {variable}\n");
        fs::write(&file, text).expect("it can be written");
        file.to_str().expect("it is text").to_owned()
    };
    let refused = write("LIFECYCLE_SHUTDOWN_TIMEOUT: 30");
    let exit = doctor(&[DEPLOYED, &refused]);
    assert_says(&exit, 1, &["compose.yaml:6: error configuration-refused", "write the unit: \"30s\""]);
    let unknown = write("LIFECYCLE_SHUTDOWN_TIMOUT: 30s");
    let exit = doctor(&[DEPLOYED, &unknown]);
    assert_says(
        &exit,
        1,
        &["compose.yaml:6: warning unknown-variable", "did you mean LIFECYCLE_SHUTDOWN_TIMEOUT?"],
    );
    let longer = write("LIFECYCLE_SHUTDOWN_TIMEOUT: 20s");
    assert_says(&doctor(&[DEPLOYED, &longer]), 1, &["compose.yaml:2: error grace-too-short", "20.0 s"]);
    let exit =
        doctor(&["--env", "LIFECYCLE_SHUTDOWN_TIMEOUT=30", DEPLOYED, "grace-unused/right.compose.yaml"]);
    assert_says(&exit, 1, &["configuration-refused"]);
}

#[test]
fn an_update_of_a_swarm_that_leaves_no_task_is_found() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let file = scratch.path().join("stack.yaml");
    let check = |settings: &str, expected: &str| {
        let text = format!("services:\n  shop:\n    image: shop\n    {settings}\n");
        fs::write(&file, text).expect("it can be written");
        let exit = doctor(&["--plan", "plan.json", file.to_str().expect("it is text")]);
        assert_says(&exit, i32::from(!expected.is_empty()), &[expected]);
    };
    let serving = |deploy: &str, expected: &str| {
        check(&format!("ports: [\"8080:8080\"]\n    deploy: {{ {deploy} }}"), expected);
    };
    let (one, all) =
        ("stack.yaml:5: warning recreate: order is stop-first, and there is one task", "the 3 tasks");
    serving("update_config: { delay: 5s }", one);
    serving("update_config: { order: stop-first }", one);
    serving("update_config: { order: start-first }", "");
    serving("replicas: 3, update_config: { delay: 5s }", "");
    serving("replicas: 3, update_config: { parallelism: 2 }", "");
    serving("replicas: 3, update_config: { parallelism: 3 }", all);
    serving("replicas: 3, update_config: { parallelism: 0 }", all);
    serving("replicas: \"${REPLICAS:-3}\", update_config: { parallelism: 0 }", all);
    serving("replicas: \"${REPLICAS}\", update_config: { delay: 5s }", "");
    serving("mode: global, update_config: { delay: 5s }", "");
    serving("replicas: 0, update_config: { delay: 5s }", "");
    serving("replicas: 1", "");
    check("deploy: { update_config: { delay: 5s } }", "");
}

#[test]
fn what_is_not_known_is_said_and_is_no_finding() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let file = scratch.path().join("pod.yaml");
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n    - name: shop\n      image: shop\n      \
                envFrom: [{ configMapRef: { name: times } }]\n";
    fs::write(&file, text).expect("it can be written");
    let pod = file.to_str().expect("it is text");
    let exit = doctor(&["--plan", "plan.json", pod]);
    assert_says(&exit, 0, &["pod.yaml:8: note: LIFECYCLE_SHUTDOWN_TIMEOUT is not known here"]);
    let exit = doctor(&["--plan", "plan.json", "--env", "LIFECYCLE_DRAIN_DELAY=1s", pod]);
    assert_says(&exit, 1, &["pod.yaml:4: error grace-too-short"]);
    // The map may be beside it.
    let map = format!(
        "{text}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: times }}\ndata:\n  LIFECYCLE_SHUTDOWN_TIMEOUT: 1s\n"
    );
    fs::write(&file, map).expect("it can be written");
    assert_says(&doctor(&["--plan", "plan.json", pod]), 0, &["stop 1.0 s"]);
}

#[test]
fn a_rule_can_be_allowed_on_a_line_in_a_file_and_everywhere() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let file = scratch.path().join("shop.service");
    let check = |text: &str, arguments: &[&str], expected: i32| {
        fs::write(&file, text).expect("it can be written");
        let path = file.to_str().expect("it is text");
        let all: Vec<&str> = ["--plan", "plan.json"].iter().chain(arguments).copied().chain([path]).collect();
        let exit = doctor(&all);
        assert_eq!(exit.code(), Some(expected), "{text}\n{}", exit.stdout());
    };
    let unit = "[Service]\nType=notify\nExecStart=shop\nRestart=always\n";
    check(unit, &[], 1);
    check(unit, &["--allow", "restart-on-78"], 0);
    check(unit, &["--allow", "restart"], 2);
    check(&format!("# lifecycle: allow restart-on-78 because it may heal\n{unit}"), &[], 0);
    check(&unit.replace("Restart", "# lifecycle: allow restart-on-78 because it may heal\nRestart"), &[], 0);
    check(&unit.replace("Type", "# lifecycle: allow restart-on-78 because it may heal\nType"), &[], 1);
    check(&unit.replace("Restart", "# lifecycle: allow restart-on-79 because it may heal\nRestart"), &[], 1);
}
