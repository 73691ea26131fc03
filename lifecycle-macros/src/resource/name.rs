//! Which names a resource can have: those that are readable in a log, and distinct from others.

/// More characters would break the lines of a report.
const LONGEST: usize = 64;

/// The name of the body of `main` in logs and reports.
const MAIN: &str = "main";

/// What is wrong with `name`, to follow "this name".
pub(super) fn problem(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    if is_reserved(name) {
        return Some("is reserved for the body of `main`".to_owned());
    }
    if let Some(character) = name.chars().find(|c| c.is_control() || is_invisible(*c)) {
        return Some(format!("contains the invisible character `{}`", character.escape_default()));
    }
    if name.trim() != name {
        return Some("begins or ends with a space".to_owned());
    }
    let length = name.chars().count();
    (length > LONGEST).then(|| format!("is too long: {length} characters, where {LONGEST} are allowed"))
}

/// Whether logs and reports use `name` for something that is not a resource.
pub(super) fn is_reserved(name: &str) -> bool {
    name == MAIN
}

/// Whether a reader cannot see the character, or takes it for another: white space other than a space, and the
/// characters that Unicode calls default ignorable, those that change the direction of the text among them.
fn is_invisible(character: char) -> bool {
    let is_ignorable = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    is_ignorable || (character.is_whitespace() && character != ' ')
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn names_that_read_well_are_accepted() {
        for name in ["db", "job queue", "Größe", "数据库", "http:8080", "Main", "main pool", &"x".repeat(64)]
        {
            assert_eq!(problem(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_a_log_would_not_show_are_refused() {
        for name in [
            "a\nb",
            "a\tb",
            "\u{1b}[31mdb",
            "db\u{200b}",
            "a\u{202e}b",
            "\u{feff}db",
            "a\u{a0}b",
            "a\u{e0041}",
        ] {
            assert!(problem(name).unwrap().starts_with("contains the invisible character"), "{name:?}");
        }
    }

    #[test]
    fn other_names_are_refused_with_the_reason() {
        assert_eq!(problem("").unwrap(), "is empty");
        assert_eq!(problem("  ").unwrap(), "is empty");
        assert_eq!(problem(" db").unwrap(), "begins or ends with a space");
        assert_eq!(problem("main").unwrap(), "is reserved for the body of `main`");
        assert_eq!(problem(&"ü".repeat(65)).unwrap(), "is too long: 65 characters, where 64 are allowed");
    }
}
