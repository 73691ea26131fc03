//! Commands: whether a shell keeps signals from the program.

use super::shell::{End, Part, parts};
use super::words::{base, shortened};
use super::wrapper::innermost;

const SHELLS: [&str; 6] = ["sh", "ash", "dash", "bash", "ksh", "zsh"];

/// A shell with `-c`, and its script.
struct Shell<'a> {
    name: &'a str,
    script: &'a str,
}

fn shell(words: &[String]) -> Option<Shell<'_>> {
    let (first, rest) = innermost(words).split_first()?;
    let name = base(first);
    if !SHELLS.contains(&name) {
        return None;
    }
    let is_script = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let at = rest.iter().position(is_script)?;
    let script = rest[at + 1..].iter().find(|word| !word.starts_with('-'))?;
    Some(Shell { name, script })
}

/// Whether the command runs a shell's script, whatever becomes of signals.
pub(super) fn is_shell(words: &[String]) -> bool {
    shell(words).is_some()
}

/// The script that a command gives to a shell.
pub(super) fn script_of(words: &[String]) -> Option<&str> {
    shell(words).map(|shell| shell.script)
}

/// What keeps signals from the program, if a shell does.
pub(super) fn keeps_signals(words: &[String], program: &str) -> Option<String> {
    let Shell { name, script } = shell(words)?;
    let parts = parts(script);
    // Without a name to go by, the last command is the program.
    let at = start(&parts, program).or(parts.len().checked_sub(1))?;
    let own = &parts[at];
    if own.ends_compound() && parts.iter().any(Part::execs) {
        return None;
    }
    // bash replaces itself by the last command of its script.
    let is_last = at + 1 == parts.len() && own.depth == 0 && !own.ends_compound();
    if name == "bash" && is_last && own.end == End::Plain && !own.is_piped {
        return None;
    }
    kept(&parts, at, &format!("`{name}`"), if own.ends_compound() { script } else { &own.text })
}

/// The command that starts the program: the last one that the shell becomes, else the last one that certainly does, else
/// the last one that may. What comes before `exec`, or in another branch, is `app migrate`.
pub(super) fn start(parts: &[Part], program: &str) -> Option<usize> {
    let last = |is_it: &dyn Fn(&Part) -> bool| parts.iter().rposition(is_it);
    last(&|part| part.starts(program) && part.execs())
        .or_else(|| last(&|part| part.starts(program)))
        .or_else(|| last(&|part| part.may_start(program)))
}

/// What the shell does in place of passing signals on to one of the commands; `None` if the signals get there.
pub(super) fn kept(parts: &[Part], at: usize, shell: &str, shown: &str) -> Option<String> {
    let (own, shown) = (&parts[at], shortened(shown));
    let is_background = own.end == End::Background;
    if parts.iter().any(Part::traps_stop) && !own.execs() {
        // A trap runs between two commands, or while the shell is at `wait`.
        return (!is_background).then(|| {
            format!(
                "{shell} runs its trap only when `{shown}` has ended: start that with `&`, and `wait` for it"
            )
        });
    }
    let not_passed = "and does not pass signals on";
    if is_background {
        Some(format!("{shell} starts `{shown}` in the background, {not_passed}"))
    } else if own.is_piped || own.end == End::Pipe {
        Some(format!("{shell} waits for the pipeline of `{shown}`, {not_passed}"))
    } else if own.execs() && own.depth == 0 {
        None
    } else {
        Some(format!("{shell} waits for `{shown}`, {not_passed}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::words::split;

    #[track_caller]
    fn check(command: &str, expected: Option<&str>) {
        let kept = keeps_signals(&split(command), "app");
        match expected {
            None => assert_eq!(kept, None, "{command}"),
            Some(part) => {
                assert!(kept.as_ref().is_some_and(|kept| kept.contains(part)), "{command}: {kept:?}");
            }
        }
    }

    #[test]
    fn a_program_that_is_started_directly_gets_its_signals() {
        check("./app --x 'a; b'", None);
        check("/sbin/tini -g -- ./app", None);
        check("env A=b ./app", None);
        check("sh start.sh", None);
    }

    #[test]
    fn a_shell_keeps_signals_unless_it_becomes_the_program() {
        check("sh -c ./app", Some("does not pass signals on"));
        check("/bin/sh -ec 'migrate && ./app'", Some("`./app`"));
        check("sh -c -x ./app", Some("`./app`"));
        check("sh -c 'migrate && exec ./app'", None);
        check("sh -c 'exec ./app 2>&1'", None);
        check("tini -- sh -c './app'", Some("`sh` waits"));
        check("tini -p SIGTERM -- sh -c './app'", Some("`sh` waits"));
        check("busybox sh -c ./app", Some("waits"));
        check("bash -c 'migrate && ./app'", None);
        check("bash -c './app | tee log'", Some("pipeline"));
        check("sh -c 'exec ./app | tee log'", Some("pipeline"));
        check("bash -c './app; true'", Some("`bash` waits for `./app`"));
        check("sh -c './app & wait'", Some("background"));
        check("sh -c './app &'", Some("background"));
        check("sh -c 'trap stop TERM; ./app & wait'", None);
        check("sh -c 'while true; do ./app; done'", Some("`sh` waits for `./app`"));
        check("sh -c 'if a; then exec b; else exec c; fi'", None);
        check("sh -c 'exec >log 2>&1; ./app'", Some("`sh` waits for `./app`"));
        check("sh -c '(exec ./app)'", Some("`sh` waits"));
    }

    #[test]
    fn what_only_names_the_program_does_not_start_it() {
        check("sh -c 'cd /app && exec ./app'", None);
        check("sh -c 'app migrate && exec app serve'", None);
        check("sh -c 'mkdir -p /var/lib/app; chown app:app /var/lib/app; exec gosu app app serve'", None);
        check("sh -c 'echo exec; app'", Some("`app`"));
        check("sh -c 'cat <<EOF > x\napp\nEOF\nexec app'", None);
        check("sh -c 'case $1 in app) exec app;; *) exec \"$@\";; esac'", None);
        check("sh -c 'case $1 in serve) exec app serve;; migrate) app migrate;; esac'", None);
        check("sh -c 'export A=$(cat /run/app); exec app'", None);
        check("sh -c 'exec doppler run -- app'", None);
        check("sh -c 'doppler run -- app'", Some("`doppler run -- app`"));
    }

    #[test]
    fn a_trap_helps_only_if_the_shell_is_free_to_run_it() {
        check("sh -c 'trap \"echo bye\" EXIT; ./app'", Some("`sh` waits"));
        check("sh -c 'trap stop TERM; ./app'", Some("runs its trap only when `./app` has ended"));
        check("sh -c 'trap stop TERM; exec ./app'", None);
    }
}
