//! What is linked into the program besides the application.

use std::fmt;

use super::Name;
use super::order::order_by;

/// A resource that is linked into the program and not part of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) name: Name,
    /// The package that declares it.
    pub(crate) package: Name,
}

/// No more names are shown.
const MOST: usize = 20;

/// How many there are, and their names by package.
pub(crate) struct LinkedAndLeftOut<'a>(pub(crate) &'a [LeftOut]);

impl fmt::Display for LinkedAndLeftOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(all) = self;
        write!(f, "{} linked and left out: ", all.len())?;
        let order = order_by(all.len(), &|one, other| all[one].package.cmp(all[other].package));
        let shown = &order[..all.len().min(MOST)];
        for (number, &place) in shown.iter().enumerate() {
            let LeftOut { name, package } = all[place];
            write!(f, "{}{name}", if number > 0 { ", " } else { "" })?;
            if shown.get(number + 1).is_none_or(|&next| all[next].package != package) {
                write!(f, " (package `{package}`)")?;
            }
        }
        if all.len() > MOST {
            write!(f, " and {} more", all.len() - MOST)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_by_package() {
        let left_out = |name, package| LeftOut { name, package };
        let all = [left_out("Worker", "jobs"), left_out("Cache", "kit"), left_out("Mailer", "jobs")];
        assert_eq!(
            LinkedAndLeftOut(&all).to_string(),
            "3 linked and left out: Worker, Mailer (package `jobs`), Cache (package `kit`)"
        );
    }

    #[test]
    fn a_long_list_is_cut_short() {
        let all = [LeftOut { name: "Worker", package: "jobs" }; 22];
        let text = LinkedAndLeftOut(&all).to_string();
        assert!(text.starts_with("22 linked and left out: Worker, Worker, "), "{text}");
        assert!(text.ends_with(", Worker (package `jobs`) and 2 more"), "{text}");
    }
}
