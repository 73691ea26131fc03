//! Which of the containers, services or units of a file runs the application.

use super::words::base;

/// Something that may run it.
pub(super) struct Candidate<T> {
    pub(super) name: String,
    /// What its image, its command and what is around it are called.
    pub(super) aliases: Vec<String>,
    pub(super) item: T,
}

/// Those that have one of the names given; else those that are called as the program; else the only one.
pub(super) fn choose<T>(
    candidates: Vec<Candidate<T>>,
    given: &[String],
    program: &str,
) -> Result<Vec<T>, String> {
    let matching = |is_it: &dyn Fn(&Candidate<T>) -> bool| -> Vec<usize> {
        let all = candidates.iter().enumerate();
        all.filter(|(_, candidate)| is_it(candidate)).map(|(index, _)| index).collect()
    };
    let mut chosen = matching(&|candidate| given.contains(&candidate.name));
    if chosen.is_empty() {
        chosen = matching(&|candidate| {
            is_called(&candidate.name, program) || candidate.aliases.iter().any(|it| is_called(it, program))
        });
    }
    if chosen.is_empty() && candidates.len() == 1 {
        chosen.push(0);
    }
    if chosen.is_empty() {
        let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        return Err(match names.is_empty() {
            true => "nothing in it runs a program".to_owned(),
            false => {
                format!("which of these is the program? --container {}", names.join(", or --container "))
            }
        });
    }
    let all = candidates.into_iter().enumerate();
    Ok(all.filter(|(index, _)| chosen.contains(index)).map(|(_, candidate)| candidate.item).collect())
}

/// `registry.example/payments-api:1.0` is called as the program `payments_api`.
fn is_called(name: &str, program: &str) -> bool {
    let plain = |name: &str| {
        let name = base(name).split(['@', ':']).next().unwrap_or_default();
        name.trim_end_matches(".service").trim_end_matches(".exe").replace('_', "-").to_ascii_lowercase()
    };
    !program.is_empty() && plain(name) == plain(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[(&str, &str)], given: &[&str], program: &str, expected: Result<&[usize], &str>) {
        let candidates = names.iter().enumerate().map(|(item, (name, alias))| Candidate {
            name: (*name).to_owned(),
            aliases: vec![(*alias).to_owned()],
            item,
        });
        let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
        let chosen = choose(candidates.collect(), &given, program);
        match expected {
            Ok(expected) => assert_eq!(chosen.as_deref(), Ok(expected)),
            Err(part) => assert!(chosen.as_ref().is_err_and(|what| what.contains(part)), "{chosen:?}"),
        }
    }

    #[test]
    fn a_name_that_is_given_counts_then_that_of_the_program_then_the_only_one() {
        let two = [("web", "registry.example/payments-api:1.0"), ("db", "postgres:15")];
        check(&two, &["db"], "payments_api", Ok(&[1]));
        check(&two, &[], "payments_api", Ok(&[0]));
        check(&two, &["elsewhere"], "payments_api", Ok(&[0]));
        check(&two[..1], &[], "app", Ok(&[0]));
        check(&two, &[], "app", Err("--container web, or --container db"));
        check(&two, &[], "", Err("which of these"));
        check(&[], &[], "app", Err("nothing in it runs a program"));
    }
}
