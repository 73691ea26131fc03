//! What `lifecycle doctor` says to input that it cannot use, and how it ends.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::doctor::assert_says;
use crate::machine;
use crate::pairs::{doctor, pairs};
use crate::program::{Program, wait_until};
use crate::scratch::Scratch;

const DEPLOYED: &str = env!("CARGO_BIN_EXE_deployed");

#[test]
fn bad_input_is_told_in_words() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).expect("it can be written");
        path.to_str().expect("it is text").to_owned()
    };
    let right = "grace-unused/right.compose.yaml";
    let plan = |file: &str| doctor(&["--plan", "plan.json", file]);
    assert_says(&doctor(&[]), 2, &["Usage: lifecycle doctor [OPTIONS] PROGRAM FILE..."]);
    assert_says(&doctor(&[DEPLOYED]), 2, &["no FILE is given"]);
    assert_says(&doctor(&["/nowhere/app", right]), 3, &["`/nowhere/app` cannot be run: No such file"]);
    assert_says(&doctor(&["true", right]), 3, &["it does not seem to be built with lifecycle"]);
    assert_says(
        &doctor(&["--timeout", "200ms", "--argument", "60", "sleep", right]),
        3,
        &["did not end within 200 ms, and was killed"],
    );
    assert_says(&doctor(&["--plan", right, right]), 3, &["this is not the plan of an application"]);
    assert_says(&plan("/nowhere.yaml"), 3, &["/nowhere.yaml: it cannot be read: No such file"]);
    assert_says(&plan(&file("a.txt", b"hello\n")), 3, &["it is none of what the doctor knows"]);
    assert_says(&plan(&file("empty.yaml", b" \n")), 3, &["it is empty"]);
    assert_says(&plan(&file("b.yaml", &[0xff, 0, 1])), 3, &["it is not text"]);
    assert_says(&plan(&file("c.yaml", b"services:\n  a: [\n")), 3, &["line 3: this is not YAML"]);
    assert_says(&plan(&file("d.yaml", &vec![b'a'; 17 << 20])), 3, &["larger than 16 MiB"]);
    let two = "services:\n  a: { image: x }\n  b: { image: y }\n";
    assert_says(
        &plan(&file("e.yaml", two.as_bytes())),
        3,
        &["which of these is the program? --container a, or --container b"],
    );
    let helm = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - { name: {{ .Values.name }} }\n";
    assert_says(&plan(&file("f.yaml", helm.as_bytes())), 3, &["helm template … | lifecycle doctor ./app -"]);
}

#[test]
fn a_doctor_that_is_interrupted_leaves_no_process_behind() {
    let _machine = machine::shared();
    let arguments =
        ["doctor", "--timeout", "1min", "--argument", "60", "sleep", "grace-unused/right.compose.yaml"];
    let doctor = Program::example("lifecycle").in_directory(&pairs()).args(arguments).spawn();
    let threads = format!("/proc/{}/task", doctor.pid().as_raw_pid());
    let mut child = String::new();
    wait_until("the doctor starts the program", || {
        let threads = fs::read_dir(&threads).into_iter().flatten().flatten();
        let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        child = children.collect::<String>().trim().to_owned();
        !child.is_empty()
    });
    doctor.signal(Signal::INT);
    assert_eq!(doctor.wait_for_exit().code(), Some(130));
    wait_until("the program is gone", || !Path::new("/proc").join(&child).exists());
}

#[test]
fn rendered_manifests_come_by_stdin() {
    let _machine = machine::shared();
    let file = fs::File::open(pairs().join("recreate/wrong.yaml")).expect("it can be read");
    let program =
        Program::example("lifecycle").in_directory(&pairs()).args(["doctor", "--plan", "plan.json", "-"]);
    let exit = program.with_stdin(file).spawn().wait_for_exit();
    assert_says(&exit, 1, &["-:6: warning recreate: strategy: Recreate\n    why: ", "1 warning in 1 file\n"]);
}
