//! The variables that a deployment gives to the application.

use super::findings::Place;

/// In the order in which they were set; the last of a name counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Variables {
    all: Vec<Variable>,
    /// There may be others, from where this program cannot look.
    pub(super) elsewhere: Option<Place>,
}

#[derive(Clone, Debug, PartialEq)]
struct Variable {
    name: String,
    /// `None` if it is set to something that is not known here.
    value: Option<String>,
    place: Option<Place>,
}

/// A program is not run with these from a file: they are of the machine on which it runs here.
fn is_of_the_machine(name: &str) -> bool {
    ["PATH", "HOME", "PWD", "SHELL", "USER", "TMPDIR"].contains(&name) || name.starts_with("LD_")
}

impl Variables {
    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        let mut variables = Self::default();
        for (name, value) in pairs {
            variables.set(name, Some((*value).to_owned()), None);
        }
        variables
    }

    pub(super) fn set(&mut self, name: &str, value: Option<String>, place: Option<Place>) {
        self.all.retain(|variable| variable.name != name);
        self.all.push(Variable { name: name.to_owned(), value, place });
    }

    /// Those of a file of lines `NAME=value`.
    pub(super) fn set_lines(&mut self, text: &str) {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some((name, value)) = line.split_once('=') {
                let value = value.trim().trim_matches(['"', '\'']);
                self.set(name.trim_start_matches("export ").trim(), Some(value.to_owned()), None);
            }
        }
    }

    /// Those of another one too, which count less.
    pub(super) fn upon(&self, others: &Self) -> Self {
        let mut all = others.clone();
        for variable in &self.all {
            all.set(&variable.name, variable.value.clone(), variable.place);
        }
        all.elsewhere = self.elsewhere.or(others.elsewhere);
        all
    }

    /// The value, if it is known. An empty one is the same as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let variable = self.all.iter().find(|variable| variable.name == name)?;
        variable.value.as_deref().map(str::trim).filter(|value| !value.is_empty())
    }

    pub(super) fn place(&self, name: &str) -> Option<Place> {
        self.all.iter().find(|variable| variable.name == name)?.place
    }

    /// Whether the variable may be set, although its value is not known.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let set = self.all.iter().find(|variable| variable.name == name);
        set.map_or(self.elsewhere.is_some(), |variable| variable.value.is_none())
    }

    /// The names of those that the library reads, or that look so.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|variable| variable.name.as_str())
    }

    /// What a program is run with to be asked for its plan.
    pub(super) fn known(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = self.all.iter().filter_map(|it| Some((it.name.as_str(), it.value.as_deref()?)));
        known.filter(|(name, value)| {
            let can_be_set = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
            can_be_set && !is_of_the_machine(name)
        })
    }
}

/// The value of what Compose and shells write as `${NAME:-default}`: the default. `None` if there is none.
pub(super) fn expanded(text: &str) -> Option<String> {
    let Some((before, rest)) = text.split_once('$') else { return Some(text.to_owned()) };
    if let Some(rest) = rest.strip_prefix('$') {
        return Some(format!("{before}${}", expanded(rest)?));
    }
    let inside = rest.strip_prefix('{')?;
    let end = end_of_braces(inside)?;
    let (inside, behind) = (&inside[..end], &inside[end + 1..]);
    let name = inside.find(|it: char| !it.is_ascii_alphanumeric() && it != '_')?;
    let default = inside[name..].strip_prefix(":-").or_else(|| inside[name..].strip_prefix('-'))?;
    Some(format!("{before}{}{}", expanded(default)?, expanded(behind)?))
}

/// Where the brace closes that was open before the text.
fn end_of_braces(text: &str) -> Option<usize> {
    let mut open = 1;
    text.char_indices().find_map(|(at, letter)| {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts_and_an_empty_one_is_none() {
        let base = Variables::of(&[("A", "1"), ("B", "2")]);
        let own = Variables::of(&[("B", "3"), ("C", " ")]);
        let all = own.upon(&base);
        assert_eq!((all.get("A"), all.get("B"), all.get("C")), (Some("1"), Some("3"), None));
        let mut read = Variables::default();
        read.set_lines("# no\nexport A=1\nB = \"2 3\"\n");
        assert_eq!((read.get("A"), read.get("B")), (Some("1"), Some("2 3")));
    }

    #[test]
    fn the_default_of_a_value_counts() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(expanded(text).as_deref(), expected, "{text}");
        check("30s", Some("30s"));
        check("${DELAY:-7s}", Some("7s"));
        check("a${B-c}d", Some("acd"));
        check("${DELAY}", None);
        check("${DELAY:?no}", None);
        check("$DELAY", None);
        check("$$5", Some("$5"));
        check("${A:-${B:-7s}}", Some("7s"));
        check("${A:-${B}}", None);
        check("${A:+5-s}", None);
        check("${A:-x", None);
    }
}
