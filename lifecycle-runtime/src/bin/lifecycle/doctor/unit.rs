//! systemd units, with their drop-ins.

use super::findings::Place;
use super::source::Source;

/// The `[Service]` of a unit, and of the drop-ins that were given after it.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) place: Place,
    settings: Vec<Setting>,
}

#[derive(Debug)]
pub(super) struct Setting {
    key: String,
    pub(super) value: String,
    pub(super) place: Place,
}

/// The units in some of the files. A drop-in belongs to the unit before it.
pub(super) fn units(sources: &[Source], files: &[usize]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for &file in files {
        let source = &sources[file];
        let (line, settings) = service(&source.text, file);
        let is_drop_in = source.name.ends_with(".conf");
        match units.last_mut().filter(|_| is_drop_in) {
            Some(unit) => unit.settings.extend(settings),
            None => {
                let name = source.name.rsplit('/').next().unwrap_or(&source.name).to_owned();
                units.push(Unit { name, place: Place { file, line }, settings });
            }
        }
    }
    units
}

/// The settings of `[Service]`, and the line where it begins.
fn service(text: &str, file: usize) -> (usize, Vec<Setting>) {
    let mut settings: Vec<Setting> = Vec::new();
    let (mut begin, mut is_service, mut goes_on) = (1, false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with(['#', ';']) || (trimmed.is_empty() && !goes_on) {
            continue;
        }
        let (code, continues) =
            trimmed.strip_suffix('\\').map_or((trimmed, false), |code| (code.trim_end(), true));
        if goes_on {
            if let Some(setting) = settings.last_mut().filter(|_| is_service) {
                setting.value = format!("{} {code}", setting.value);
            }
        } else if code.starts_with('[') {
            is_service = code == "[Service]";
            begin = if is_service && settings.is_empty() { index + 1 } else { begin };
        } else if let Some((key, value)) = code.split_once('=').filter(|_| is_service) {
            let place = Place { file, line: index + 1 };
            settings.push(Setting { key: key.trim().to_owned(), value: value.trim().to_owned(), place });
        }
        goes_on = continues;
    }
    (begin, settings)
}

impl Unit {
    /// The setting of a key that has one value: the last one, unless that is empty.
    pub(super) fn get(&self, key: &str) -> Option<&Setting> {
        let last = self.settings.iter().rev().find(|setting| setting.key == key)?;
        Some(last).filter(|setting| !setting.value.is_empty())
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.get(key).map(|setting| setting.value.as_str())
    }

    /// The settings of a key of which every line counts. An empty one takes back those before it.
    pub(super) fn all(&self, key: &str) -> Vec<&Setting> {
        let of_key: Vec<&Setting> = self.settings.iter().filter(|setting| setting.key == key).collect();
        let begin = of_key.iter().rposition(|setting| setting.value.is_empty()).map_or(0, |empty| empty + 1);
        of_key[begin..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(texts: &[&str]) -> Unit {
        let all = texts.iter().enumerate().map(|(file, text)| service(text, file));
        let settings = all.flat_map(|(_, settings)| settings).collect();
        Unit { name: String::new(), place: Place { file: 0, line: 1 }, settings }
    }

    #[test]
    fn a_drop_in_replaces_values_and_extends_lists_unless_it_empties_them() {
        let unit = unit(&[
            "[Unit]\nA=no\n[Service]\nA=1\nB = 2 \nExecStart=a\\\n  b\n; A=4\nExecStop=x\n",
            "[Service]\nA=3\nB=\nExecStart=\nExecStart=c\nExecStop=y\n",
        ]);
        let place = |file, line| Place { file, line };
        assert_eq!(unit.get("A").map(|it| (it.value.as_str(), it.place)), Some(("3", place(1, 2))));
        assert_eq!(unit.value("B"), None);
        let all = |key| unit.all(key).iter().map(|it| it.value.as_str()).collect::<Vec<_>>();
        assert_eq!((all("ExecStart"), all("ExecStop")), (vec!["c"], vec!["x", "y"]));
    }

    #[test]
    fn lines_that_go_on_are_one() {
        let unit = unit(&["[Service]\nExecStart=a \\\n# why\n  b \\\n  c\nA=1\n"]);
        assert_eq!(unit.value("ExecStart"), Some("a b c"));
        assert_eq!(unit.get("A").map(|it| it.place.line), Some(6));
    }
}
