//! The variables of the environment: what an operator has set, and what was probably meant.

use std::env::{self, VarError};
use std::ffi::{OsStr, OsString};

use crate::engine::notice::Notice;

/// Every variable that the library reads. What else begins with the prefix is warned of.
pub(crate) const KNOWN: [&str; 9] = [
    "LIFECYCLE_SHUTDOWN_TIMEOUT",
    "LIFECYCLE_STARTUP_TIMEOUT",
    "LIFECYCLE_DRAIN_DELAY",
    "LIFECYCLE_GRACE_PERIOD",
    "LIFECYCLE_PROBE_ADDR",
    "LIFECYCLE_WORKER_THREADS",
    "LIFECYCLE_PLAN",
    "LIFECYCLE_TIMELINE",
    "LIFECYCLE_BLACK_BOX",
];

const PREFIX: &str = "LIFECYCLE_";

/// The variables that are set. An empty value is the same as none: Compose passes an unset variable on as an empty one.
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    pub(crate) fn of_this_process() -> Self {
        env::vars_os().collect()
    }

    /// No variable at all.
    #[cfg(feature = "testing")]
    pub(crate) fn empty() -> Self {
        Self(Vec::new())
    }

    /// The value of a variable, without white space around it.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        let name = key(name.as_ref());
        // Where a name is there twice, the last one counts.
        Some(self.0.iter().rfind(|(known, _)| *known == name)?.1.clone())
    }

    /// The same as text.
    pub(crate) fn var(&self, name: &str) -> Result<String, VarError> {
        self.get(name).ok_or(VarError::NotPresent)?.into_string().map_err(VarError::NotUnicode)
    }

    /// Warns of each variable that is not known, and meant to be.
    pub(crate) fn unknown(&self) -> Vec<Notice> {
        let mut warnings = Vec::new();
        for (name, _) in &self.0 {
            let name = name.to_string_lossy().into_owned();
            // Those of tests are read elsewhere: `LIFECYCLE_TEST_POINT` by the test kit.
            if KNOWN.contains(&name.as_str()) || name.starts_with("LIFECYCLE_TEST_") {
                continue;
            }
            let likely = likely(&name);
            if likely.is_some() || (name.starts_with(PREFIX) && !is_of_a_service(&name)) {
                warnings.push(Notice::UnknownVariable { name, likely, known: &KNOWN });
            }
        }
        warnings
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let trimmed = variables.into_iter().map(|(name, value)| (key(&name), trim(value)));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// The name as it is looked up: on Windows, letters differ in nothing but looks.
fn key(name: &OsStr) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name.to_owned() }
}

fn trim(value: OsString) -> OsString {
    match value.to_str() {
        Some(text) => text.trim().into(),
        None => value,
    }
}

/// The variable that is meant by a name that is not known: it differs by its case, by a few letters, or by its end.
fn likely(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let has_prefix = name.starts_with(PREFIX);
    let tolerated = if has_prefix { 3 } else { 2 };
    let is_part = |known: &&&str| has_prefix && (known.starts_with(&name) || name.starts_with(**known));
    let is_near = |known: &&&str| known.len().abs_diff(name.len()) <= tolerated;
    let near = KNOWN.iter().filter(is_near).map(|known| (distance(&name, known), *known));
    let nearest = near.filter(|(distance, _)| *distance <= tolerated).min();
    nearest.map(|(_, known)| known).or_else(|| {
        let known = KNOWN.iter().find(is_part).filter(|_| name.len() > PREFIX.len());
        known.copied()
    })
}

/// In Kubernetes, a service called `lifecycle` or `lifecycle-…` puts its addresses into the environment of every pod.
fn is_of_a_service(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"].iter().any(|part| name.contains(part))
        || name.ends_with("_PORT")
}

/// How many insertions, deletions and replacements make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, in_a) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, in_b) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(in_a != in_b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Environment {
        variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn an_empty_value_is_an_unset_one_and_white_space_around_one_is_not_of_it() {
        let environment = environment([("EMPTY", ""), ("BLANK", " \t\n"), ("PADDED", " 5s\n")]);
        assert_eq!(environment.var("EMPTY"), Err(VarError::NotPresent));
        assert_eq!(environment.var("BLANK"), Err(VarError::NotPresent));
        assert_eq!(environment.var("MISSING"), Err(VarError::NotPresent));
        assert_eq!(environment.var("PADDED").as_deref(), Ok("5s"));
    }

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let warned = environment([(name, "5s")]).unknown();
        let [Notice::UnknownVariable { name: told, likely, .. }] = &warned[..] else {
            panic!("{name}: {warned:?}")
        };
        assert_eq!((told.as_str(), *likely), (name, expected));
    }

    #[test]
    fn an_unknown_variable_is_told_with_the_likely_one() {
        check("LIFECYCLE_SHUTDOWN_TIMOUT", Some("LIFECYCLE_SHUTDOWN_TIMEOUT"));
        check("LIFECYCLE_SHUTDOWNTIMEOUT", Some("LIFECYCLE_SHUTDOWN_TIMEOUT"));
        check("lifecycle_shutdown_timeout", Some("LIFECYCLE_SHUTDOWN_TIMEOUT"));
        check("LIFECYCLE_STARTUP_TIMEOUT_MS", Some("LIFECYCLE_STARTUP_TIMEOUT"));
        check("LIFECYCLE_START_TIMEOUT", Some("LIFECYCLE_STARTUP_TIMEOUT"));
        check("LIFECYCLE_PROBE_ADDRESS", Some("LIFECYCLE_PROBE_ADDR"));
        check("LIFECYCLE_GRACE", Some("LIFECYCLE_GRACE_PERIOD"));
        check("LIFECYCLE_DRAIN_DELAY_SECONDS", Some("LIFECYCLE_DRAIN_DELAY"));
        check("LIFECYLE_DRAIN_DELAY", Some("LIFECYCLE_DRAIN_DELAY"));
        check("LIFECYCLE_COLOUR", None);
        check("LIFECYCLE_TIMEOUT", None);
        check("LIFECYCLE_", None);
    }

    #[test]
    fn what_is_known_empty_or_of_something_else_is_not_told() {
        let known = KNOWN.map(|name| (name, "5s"));
        assert!(environment(known).unknown().is_empty());
        let others = [
            ("LIFECYCLE_SHUTDOWN_TIMOUT", ""),
            ("PATH", "/bin"),
            ("npm_lifecycle_event", "start"),
            ("SHUTDOWN_TIMEOUT", "5s"),
            ("lifecycle_stage", "beta"),
            ("LIFECYCLE_SERVICE_HOST", "10.0.0.1"),
            ("LIFECYCLE_SERVICE_PORT_HTTP", "80"),
            ("LIFECYCLE_API_PORT", "tcp://10.0.0.1:80"),
            ("LIFECYCLE_API_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ];
        let told = environment(others).unknown();
        assert!(told.is_empty(), "{told:?}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_unicode_is_told_too() {
        use std::os::unix::ffi::OsStrExt;

        let not_unicode = OsStr::from_bytes(b"LIFECYCLE_\xff").to_owned();
        let environment = Environment::from_iter([
            (not_unicode.clone(), "5s".into()),
            ("LIFECYCLE_DRAIN_DELAY".into(), not_unicode.clone()),
        ]);
        assert_eq!(environment.var("LIFECYCLE_DRAIN_DELAY"), Err(VarError::NotUnicode(not_unicode)));
        let told = environment.unknown();
        assert!(
            matches!(&told[..], [Notice::UnknownVariable { name, .. }] if name == "LIFECYCLE_\u{fffd}"),
            "{told:?}"
        );
    }
}
