//! Dockerfiles: the last stage, which is the image.

use super::case::Doctor;
use super::command::{base, split};
use super::containers::{in_shell, joined};
use super::facts::Platform;
use super::findings::Place;
use super::image::Image;
use super::rules::SHELL;
use super::variables::Variables;

/// An instruction: its name, what it says, and its line.
struct Instruction {
    name: String,
    rest: String,
    line: usize,
}

fn instructions(text: &str) -> Vec<Instruction> {
    let mut all: Vec<Instruction> = Vec::new();
    let mut goes_on = false;
    // What is between `<<EOF` and `EOF` is a file, not an instruction.
    let mut document: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(end) = &document {
            document = Some(end.clone()).filter(|end| line != end);
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (code, continues) = line.strip_suffix('\\').map_or((line, false), |code| (code, true));
        match all.last_mut().filter(|_| goes_on) {
            Some(open) => {
                open.rest.push(' ');
                open.rest.push_str(code.trim());
            }
            None => {
                let (name, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
                all.push(Instruction {
                    name: name.to_ascii_uppercase(),
                    rest: rest.trim().to_owned(),
                    line: index + 1,
                });
            }
        }
        goes_on = continues;
        let opens = code
            .split("<<")
            .nth(1)
            .filter(|_| ["RUN", "COPY"].contains(&all.last().map_or("", |it| &it.name)));
        document = opens.map(|mark| {
            mark.trim_start_matches('-')
                .trim_matches(['"', '\''])
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned()
        });
    }
    all
}

/// `["a", "b"]`, or a line for the shell.
fn form(rest: &str) -> Result<Vec<String>, &str> {
    serde_json::from_str(rest).map_err(|_| rest)
}

pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) -> Result<Option<Image>, String> {
    let all = instructions(&doctor.sources[file].text);
    let stage = all.iter().rposition(|it| it.name == "FROM").ok_or("it has no FROM")?;
    let from = &all[stage];
    let place = |line| Place { file, line };
    let mut image = Image::default();
    let mut health = None;
    let (mut entrypoint, mut command) = (None, None);
    for Instruction { name, rest, line } in &all[stage..] {
        let place = place(*line);
        match name.as_str() {
            "ENV" => set(&mut image.variables, rest, place),
            "STOPSIGNAL" => doctor.stop_signal(rest, place),
            "HEALTHCHECK" => {
                let command = rest.split_once("CMD").map(|(_, command)| command.trim());
                health = command.map(|command| (form(command).unwrap_or_else(in_shell), place));
            }
            // A command belongs to the entry point after which it is written, or to that of the base.
            "ENTRYPOINT" => (entrypoint, command) = (Some((form(rest), place)), None),
            "CMD" => command = Some((form(rest), place)),
            _ => {}
        }
    }
    let base_image = from.rest.split_whitespace().find(|word| !word.starts_with("--")).unwrap_or_default();
    let is_bare =
        base_image == "scratch" || (base_image.contains("distroless") && !base_image.contains("debug"));
    image.bare = is_bare.then(|| format!("`{base_image}`"));
    match (&entrypoint, &command) {
        // The shell ignores the command.
        (Some((Err(script), place)), _) => doctor.shell(&in_shell(script), *place),
        (Some((Ok(words), place)), command) => {
            let arguments = command.as_ref().and_then(|(form, _)| form.clone().ok());
            let all = joined(Some(words.clone()), arguments);
            doctor.init(&all, *place);
            let ends_here = all.len() == words.len();
            doctor.shell(&all, command.as_ref().filter(|_| !ends_here).map_or(*place, |(_, place)| *place));
            if let Some((Err(script), place)) = command {
                let what = format!("the entry point gets `/bin/sh -c \"{script}\"` as its arguments");
                doctor.findings.add_with(&SHELL, *place, what, "write the command as a list: CMD [\"…\"]");
            }
        }
        (None, Some((form, place))) => {
            let words = form.clone().unwrap_or_else(in_shell);
            doctor.init(&words, *place);
            doctor.shell(&words, *place);
        }
        (None, None) => {}
    }
    image.entrypoint = entrypoint.and_then(|(form, _)| form.ok().or(None));
    let mut variables = image.variables.clone();
    let place = place(from.line);
    if let Some(facts) = doctor.facts(Platform::Container, &mut variables, place)? {
        if let Some((words, place)) = health {
            doctor.image = Some(image.clone());
            doctor.health(&words, &facts, place, false);
            doctor.image = None;
        }
    }
    let started =
        image.entrypoint.as_ref().and_then(|words| words.first()).map_or("its command", |word| base(word));
    doctor.findings.looked_at(place, format!("the image made from `{base_image}`, which starts {started}"));
    Ok(Some(image))
}

/// `ENV A=b C="d e"`, or `ENV A b`.
fn set(variables: &mut Variables, rest: &str, place: Place) {
    let words = split(rest);
    if words.first().is_some_and(|first| !first.contains('=')) {
        if let Some((name, value)) = rest.split_once(char::is_whitespace) {
            variables.set(name, known(value.trim()), Some(place));
        }
        return;
    }
    for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
        variables.set(name, known(value), Some(place));
    }
}

fn known(value: &str) -> Option<String> {
    (!value.contains('$')).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_go_on_over_lines_comments_and_documents() {
        let text =
            "# syntax\nfrom a as b\nRUN x && \\\n  # why\n  y\nCOPY <<EOF /f\nCMD no\nEOF\nCMD [\"a\"]\n";
        let all = instructions(text);
        let seen: Vec<_> = all.iter().map(|it| (it.name.as_str(), it.rest.as_str(), it.line)).collect();
        assert_eq!(
            seen,
            [("FROM", "a as b", 2), ("RUN", "x && y", 3), ("COPY", "<<EOF /f", 6), ("CMD", "[\"a\"]", 9)]
        );
    }

    #[test]
    fn variables_are_set_in_both_forms() {
        let place = Place { file: 0, line: 1 };
        let mut variables = Variables::default();
        set(&mut variables, "A=1 B='2 3' C=$D", place);
        set(&mut variables, "E 4 5", place);
        assert_eq!(
            (variables.get("A"), variables.get("B"), variables.get("E")),
            (Some("1"), Some("2 3"), Some("4 5"))
        );
        assert!(variables.may_have("C"));
    }
}
