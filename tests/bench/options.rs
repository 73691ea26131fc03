//! The command line.

use std::path::PathBuf;

use crate::PARTS;

pub(crate) const USAGE: &str =
    "usage: lifecycle-bench [--json FILE] [--rounds N] [--quick] [--callgrind] [PART..]

  --json FILE  writes every figure of every round to a file
  --rounds N   measures N times and prints medians; the default is 7
  --quick      small sizes and 1 round, only to see that everything still runs
  --callgrind  also counts the instructions of a request or a task, with valgrind";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) json: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) is_quick: bool,
    pub(crate) is_callgrind: bool,
    /// No part stands for all of them.
    parts: Vec<String>,
}

impl Options {
    /// `None` if help was asked for.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut json, mut rounds, mut parts) = (None, None, Vec::new());
        let (mut is_quick, mut is_callgrind) = (false, false);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => json = Some(PathBuf::from(value()?)),
                "--rounds" => {
                    let value = value()?;
                    let number = value.parse().ok().filter(|&rounds| rounds > 0);
                    rounds =
                        Some(number.ok_or_else(|| format!("`--rounds {value}`: not a number of rounds"))?);
                }
                "--quick" => is_quick = true,
                "--callgrind" => is_callgrind = true,
                name if PARTS.iter().any(|part| part.name == name) => parts.push(argument),
                _ => return Err(format!("`{argument}` is neither an option nor a part")),
            }
        }
        let rounds = rounds.unwrap_or(if is_quick { 1 } else { 7 });
        Ok(Some(Self { json, rounds, is_quick, is_callgrind, parts }))
    }

    pub(crate) fn includes(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|name| name == part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_and_parts_are_read_in_any_order() {
        let expected = Options {
            json: Some("out.json".into()),
            rounds: 9,
            is_quick: true,
            is_callgrind: false,
            parts: vec!["start_stop".to_owned()],
        };
        assert_eq!(parse("--quick start_stop --rounds 9 --json out.json"), Ok(Some(expected)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse("--rounds"), Err("`--rounds` needs a value".to_owned()));
        assert_eq!(parse("--rounds 0"), Err("`--rounds 0`: not a number of rounds".to_owned()));
        assert_eq!(parse("start"), Err("`start` is neither an option nor a part".to_owned()));
    }
}
