//! Commands: their words, and whether a shell keeps signals from the program.

/// Programs that pass signals on to the one that they start, or become it.
const TRANSPARENT: [&str; 10] = [
    "tini",
    "tini-static",
    "dumb-init",
    "catatonit",
    "docker-init",
    "env",
    "exec",
    "nice",
    "gosu",
    "su-exec",
];

const SHELLS: [&str; 6] = ["sh", "ash", "dash", "bash", "ksh", "zsh"];

/// The last part of a path.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The words of a command line, without their quotes. No variable is expanded.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// A shell with `-c`, and its script.
struct Shell<'a> {
    name: &'a str,
    script: &'a str,
}

fn shell(words: &[String]) -> Option<Shell<'_>> {
    let mut words = words;
    loop {
        let (first, rest) = words.split_first()?;
        let name = base(first);
        if name == "busybox" {
            words = rest;
        } else if TRANSPARENT.contains(&name) {
            // Its own options, and what it sets: `tini -g --`, `env A=b`, `gosu user`.
            let own = rest.iter().take_while(|word| word.starts_with('-') || word.contains('=')).count();
            let user = usize::from(["gosu", "su-exec"].contains(&name));
            words = rest.get(own + user..)?;
        } else if SHELLS.contains(&name) {
            let is_script =
                |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
            let at = rest.iter().position(is_script)?;
            let script = rest[at + 1..].iter().find(|word| !word.starts_with('-'))?;
            return Some(Shell { name, script });
        } else {
            return None;
        }
    }
}

/// Whether the command runs a shell's script, whatever becomes of signals.
pub(super) fn is_shell(words: &[String]) -> bool {
    shell(words).is_some()
}

/// What keeps signals from the program, if a shell does.
pub(super) fn keeps_signals(words: &[String], program: &str) -> Option<String> {
    let Shell { name, script } = shell(words)?;
    script_keeps_signals(name, script, program)
}

/// The same for the script that is given to a shell with `-c`.
pub(super) fn script_keeps_signals(shell: &str, script: &str, program: &str) -> Option<String> {
    let parts = parts(script);
    // A script with a trap handles signals by itself.
    if parts.iter().any(|part| part.words.first().is_some_and(|word| word == "trap")) {
        return None;
    }
    // Without a name to go by, the last command is the program.
    let at = parts.iter().position(|part| part.runs(program)).unwrap_or(parts.len().checked_sub(1)?);
    let (own, is_last) = (&parts[at], at + 1 == parts.len());
    let shown = if own.ends_compound() { shortened(script) } else { shortened(&own.words.join(" ")) };
    let is_in_pipeline = own.is_piped || parts.get(at + 1).is_some_and(|next| next.is_piped);
    if own.end == End::Background {
        return Some(format!("the shell starts `{shown}` in the background, and does not pass signals on"));
    }
    if is_in_pipeline {
        return Some(format!("the shell waits for the pipeline of `{shown}`, and does not pass signals on"));
    }
    let is_compound = parts.last().is_some_and(Part::ends_compound);
    if own.execs() || (own.ends_compound() && parts.iter().any(Part::execs)) {
        return None;
    }
    // bash replaces itself by the last command of its script.
    let becomes_it = shell == "bash" && is_last && !is_compound;
    (!becomes_it).then(|| format!("`{shell}` waits for `{shown}`, and does not pass signals on"))
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Plain,
    Background,
}

/// A simple command of a script.
struct Part {
    words: Vec<String>,
    end: End,
    /// It takes the output of another one.
    is_piped: bool,
}

impl Part {
    fn runs(&self, program: &str) -> bool {
        self.words.iter().any(|word| base(word) == program)
    }

    fn execs(&self) -> bool {
        self.words.iter().any(|word| word == "exec")
    }

    /// Whether it is the end of an `if`, a loop or a function.
    fn ends_compound(&self) -> bool {
        self.words.first().is_some_and(|word| ["fi", "done", "esac", "}"].contains(&word.as_str()))
    }
}

/// The first words of a text, on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(40).collect();
    if short.len() < line.len() { short + "…" } else { short }
}

/// The commands between `;`, `&&`, `||`, `|`, `&` and the ends of lines.
fn parts(script: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut quote = None;
    let mut is_piped = false;
    let mut letters = script.chars().peekable();
    let mut close = |text: &mut String, end: End, is_piped: &mut bool, pipes: bool| {
        let words = split(text);
        text.clear();
        if !words.is_empty() {
            parts.push(Part { words, end, is_piped: *is_piped });
        }
        *is_piped = pipes;
    };
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => {
                // The end of a line that goes on is nothing.
                match letters.next() {
                    Some('\n') | None => text.push(' '),
                    Some(escaped) => text.extend(['\\', escaped]),
                }
                continue;
            }
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => quote = Some(letter),
            ('#', None) if text.is_empty() || text.ends_with(char::is_whitespace) => {
                while letters.peek().is_some_and(|next| *next != '\n') {
                    letters.next();
                }
                continue;
            }
            ('&', None) if letters.peek() == Some(&'&') => {
                letters.next();
                close(&mut text, End::Plain, &mut is_piped, false);
                continue;
            }
            // `2>&1`, `&>file`
            ('&', None) if text.ends_with('>') || letters.peek() == Some(&'>') => {}
            ('&', None) => {
                close(&mut text, End::Background, &mut is_piped, false);
                continue;
            }
            ('|', None) => {
                let is_or = letters.peek() == Some(&'|');
                if is_or {
                    letters.next();
                }
                close(&mut text, End::Plain, &mut is_piped, !is_or);
                continue;
            }
            (';' | '\n', None) => {
                close(&mut text, End::Plain, &mut is_piped, false);
                continue;
            }
            _ => {}
        }
        text.push(letter);
    }
    close(&mut text, End::Plain, &mut is_piped, false);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn words_are_split_as_a_shell_does() {
        assert_eq!(split(r#"a  "b c" 'd "e' f\ g"" "#), ["a", "b c", "d \"e", "f g"]);
        assert_eq!(split("''"), [""]);
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
        check("busybox sh -c ./app", Some("waits"));
        check("bash -c 'migrate && ./app'", None);
        check("bash -c './app | tee log'", Some("pipeline"));
        check("sh -c 'exec ./app | tee log'", Some("pipeline"));
        check("bash -c './app; true'", Some("`bash` waits for `./app`"));
        check("sh -c './app & wait'", Some("background"));
        check("sh -c './app &'", Some("background"));
        check("sh -c 'trap stop TERM; ./app & wait'", None);
        check("sh -c 'while true; do ./app; done'", Some("`sh` waits for `do ./app`"));
        check("sh -c 'if a; then exec b; else exec c; fi'", None);
    }
}
