//! Dockerfiles: the last stage, which is the image.

use super::case::Doctor;
use super::containers::joined;
use super::facts::Platform;
use super::findings::Place;
use super::image::Image;
use super::rules::SHELL;
use super::stages::{self, Instruction, Stage};
use super::variables::Variables;
use super::words::{base, split};

/// `["a", "b"]`, or a line for the shell.
fn form(rest: &str) -> Result<Vec<String>, &str> {
    serde_json::from_str(rest).map_err(|_| rest)
}

pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) -> Result<Option<Image>, String> {
    let Stage { base: base_image, line, instructions } =
        stages::last(&doctor.sources[file].text).ok_or("it has no FROM")?;
    let place = |line| Place { file, line };
    let mut image = Image::default();
    let (mut health, mut stop_signal) = (None, None);
    let (mut entrypoint, mut command) = (None, None);
    let mut shell: Vec<String> = vec!["/bin/sh".to_owned(), "-c".to_owned()];
    for Instruction { name, rest, line } in &instructions {
        let place = place(*line);
        let in_shell = |script: &str| shell.iter().cloned().chain([script.to_owned()]).collect();
        match name.as_str() {
            "ENV" => set(&mut image.variables, rest, place),
            "SHELL" => shell = form(rest).unwrap_or(shell),
            "STOPSIGNAL" => stop_signal = Some((rest, place)),
            "COPY" | "ADD" => image.copied.extend(split(rest).iter().map(|word| base(word).to_owned())),
            "HEALTHCHECK" => {
                let command = rest.split_once("CMD").map(|(_, command)| command.trim());
                health = command.map(|command| (form(command).unwrap_or_else(in_shell), place));
            }
            // A command belongs to the entry point after which it is written, or to that of the base.
            "ENTRYPOINT" => (entrypoint, command) = (Some((form(rest).map_err(in_shell), place)), None),
            "CMD" => command = Some((form(rest).map_err(in_shell), place)),
            _ => {}
        }
    }
    let is_bare =
        base_image == "scratch" || (base_image.contains("distroless") && !base_image.contains("debug"));
    image.bare = is_bare.then(|| format!("`{base_image}`"));
    match (&entrypoint, &command) {
        // The shell ignores the command.
        (Some((Err(words), place)), _) => doctor.shell(words, *place),
        (Some((Ok(words), place)), command) => {
            let arguments = command.as_ref().and_then(|(form, _)| form.clone().ok());
            let all = joined(Some(words.clone()), arguments);
            doctor.init(&all, *place);
            let ends_here = all.len() == words.len();
            doctor.shell(&all, command.as_ref().filter(|_| !ends_here).map_or(*place, |(_, place)| *place));
            if let Some((Err(words), place)) = command {
                let what = format!("the entry point gets `{}` as its arguments", words.join(" "));
                doctor.findings.add_with(&SHELL, *place, what, "write the command as a list: CMD [\"…\"]");
            }
        }
        (None, Some((Ok(words) | Err(words), place))) => {
            doctor.init(words, *place);
            doctor.shell(words, *place);
        }
        (None, None) => {}
    }
    image.entrypoint = entrypoint.and_then(|(form, _)| form.ok());
    let mut variables = image.variables.clone();
    let place = place(line);
    if let Some(facts) = doctor.facts(Platform::Container, &mut variables, place)? {
        if let Some((signal, place)) = stop_signal {
            doctor.stop_signal(signal, &facts, place);
        }
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
