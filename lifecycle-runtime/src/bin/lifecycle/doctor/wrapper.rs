//! Programs that pass signals on to the one that they start, or become it.

use super::words::base;

struct Wrapper {
    name: &'static str,
    /// Its options whose value is a word of its own.
    valued: &'static [&'static str],
    /// How many words come between its options and the program: a user, a span of time.
    own: usize,
}

const fn wrapper(name: &'static str, valued: &'static [&'static str], own: usize) -> Wrapper {
    Wrapper { name, valued, own }
}

const WRAPPERS: [Wrapper; 20] = [
    wrapper("tini", &["-p", "-e"], 0),
    wrapper("tini-static", &["-p", "-e"], 0),
    wrapper("docker-init", &["-p", "-e"], 0),
    wrapper("dumb-init", &["-r", "--rewrite"], 0),
    wrapper("catatonit", &[], 0),
    wrapper("busybox", &[], 0),
    wrapper("env", &["-u", "--unset", "-C", "--chdir"], 0),
    wrapper("exec", &["-a"], 0),
    wrapper("command", &[], 0),
    wrapper("time", &[], 0),
    wrapper("nice", &["-n"], 0),
    wrapper("ionice", &["-c", "-n"], 0),
    wrapper("nohup", &[], 0),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("setpriv", &["--reuid", "--regid", "--groups", "--inh-caps", "--bounding-set"], 0),
    wrapper("timeout", &["-s", "--signal", "-k", "--kill-after"], 1),
    wrapper("gosu", &[], 1),
    wrapper("su-exec", &[], 1),
    wrapper("s6-setuidgid", &[], 1),
    wrapper("setuidgid", &[], 1),
];

/// What a wrapper starts: `tini -g -- app`, `env A=b app`, `gosu user app`. `None` if the first word is not a wrapper.
pub(super) fn inside(words: &[String]) -> Option<&[String]> {
    let (first, rest) = words.split_first()?;
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.name == base(first))?;
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        if word == "--" {
            at += 1;
            break;
        }
        if word.starts_with('-') {
            at += 1 + usize::from(wrapper.valued.contains(&word.as_str()));
        } else if is_assignment(word) {
            at += 1;
        } else {
            break;
        }
    }
    rest.get(at + wrapper.own..)
}

/// The words of the program that is started in the end.
pub(super) fn innermost(mut words: &[String]) -> &[String] {
    loop {
        let set = words.iter().take_while(|word| is_assignment(word)).count();
        words = &words[set..];
        match inside(words) {
            Some(inner) if !inner.is_empty() => words = inner,
            _ => return words,
        }
    }
}

/// `NAME=value`
fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::words::split;

    #[test]
    fn the_program_behind_wrappers_is_found() {
        let check = |line: &str, expected: &str| {
            let words = split(line);
            assert_eq!(innermost(&words).join(" "), expected, "{line}");
        };
        check("app -x", "app -x");
        check("A=1 exec /sbin/tini -g -p SIGTERM -- app --x=y", "app --x=y");
        check("env -u B A=b nice -n 5 app", "app");
        check("gosu app:app app", "app");
        check("setpriv --reuid 5 --clear-groups -- app", "app");
        check("timeout -k 5 60 app", "app");
        check("exec", "exec");
    }
}
