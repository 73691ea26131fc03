//! The root file system of an image that has one program, and nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Fills a folder, which must be there and empty, with the program as `/NAME`, the libraries that it needs, `/tmp`, and
/// an `/etc` that knows root.
#[track_caller]
pub(crate) fn fill(folder: &Path, program: &Path) {
    let name = program.file_name().expect("a program has a name");
    // What a debugger reads is most of the file, and engines copy images.
    run(Command::new("strip").arg("--strip-debug").arg("-o").arg(folder.join(name)).arg(program));
    for library in libraries(program) {
        let place = folder.join(library.trim_start_matches('/'));
        let directory = place.parent().expect("it is in a directory");
        let copied = fs::create_dir_all(directory).and_then(|()| fs::copy(&library, &place));
        copied.unwrap_or_else(|error| panic!("cannot copy {library}: {error}"));
    }
    for directory in ["tmp", "etc"] {
        fs::create_dir_all(folder.join(directory)).expect("there is room for a directory");
    }
    fs::set_permissions(folder.join("tmp"), Permissions::from_mode(0o1777)).expect("it is ours");
    fs::write(folder.join("etc/passwd"), "root:x:0:0:root:/:/\n").expect("there is room for a file");
    fs::write(folder.join("etc/group"), "root:x:0:\n").expect("there is room for a file");
}

/// Where the program's shared libraries are, the loader among them.
#[track_caller]
fn libraries(program: &Path) -> Vec<String> {
    let lines = run(Command::new("ldd").arg(program));
    // `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)` for the loader, or a name alone for what the kernel gives.
    let paths = lines.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    paths.map(str::to_owned).collect()
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
