//! The files: their text, what kind they are of, and the rules that they allow to be broken.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::findings::{Finding, Findings, Place};
use super::kind::Kind;
use super::rules;

/// More than that is not a deployment.
const MOST: u64 = 16 << 20;

pub(super) struct Source {
    /// As it was given; `-` is stdin.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) kind: Kind,
    allowed: Vec<Allowed>,
}

/// `# lifecycle: allow RULE because …`
struct Allowed {
    rule: String,
    /// The line that it is about; `None` for the whole file.
    line: Option<usize>,
}

const KNOWN: &str = "it is none of what the doctor knows: Kubernetes manifests, systemd units, Compose files, \
     Dockerfiles, shell scripts, PM2's ecosystem files, HAProxy's configuration (--kind says which)";

pub(super) const HELM: &str = "it is a template, and only rendered files can be read: \
     helm template … | lifecycle doctor ./app -";

impl Source {
    pub(super) fn read(name: &str, kind: Option<Kind>) -> Result<Self, String> {
        let cannot = |what: &str| format!("{name}: {what}");
        let bytes =
            if name == "-" { bounded(io::stdin().lock()) } else { File::open(name).and_then(bounded) };
        let bytes = bytes.map_err(|error| cannot(&format!("it cannot be read: {error}")))?;
        if bytes.len() as u64 > MOST {
            return Err(cannot("it is larger than 16 MiB, which no deployment is"));
        }
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        let text = text.ok_or_else(|| cannot("it is not text"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
        if text.trim().is_empty() {
            return Err(cannot("it is empty"));
        }
        let kind = kind.or_else(|| recognized(name, &text)).ok_or_else(|| cannot(KNOWN))?;
        Ok(Self { name: name.to_owned(), allowed: Vec::new(), text, kind })
    }

    /// Reads the comments that allow something. One that allows nothing is a finding itself.
    pub(super) fn read_allowed(&mut self, file: usize, findings: &mut Findings) {
        let mut pending = Vec::new();
        let mut is_head = true;
        for (index, line) in self.text.lines().enumerate() {
            let place = Place { file, line: index + 1 };
            let code = line.trim_start();
            let is_comment = ["#", "//", ";", "*", "/*"].iter().any(|mark| code.starts_with(mark));
            if let Some(rule) = allowed_in(line, place, findings) {
                if !is_comment {
                    self.allowed.push(Allowed { rule, line: Some(place.line) });
                } else if is_head {
                    self.allowed.push(Allowed { rule, line: None });
                } else {
                    pending.push(rule);
                }
            }
            let is_content = !is_comment && !code.is_empty() && code != "---";
            if is_content {
                is_head = false;
                let here = pending.drain(..).map(|rule| Allowed { rule, line: Some(place.line) });
                self.allowed.extend(here);
            }
        }
    }

    pub(super) fn allows(&self, finding: &Finding) -> bool {
        let is_here = |allowed: &Allowed| allowed.line.is_none_or(|line| line == finding.place.line);
        self.allowed.iter().any(|allowed| allowed.rule == finding.rule.id && is_here(allowed))
    }
}

fn allowed_in(line: &str, place: Place, findings: &mut Findings) -> Option<String> {
    let (before, said) = line.split_once("lifecycle: allow ")?;
    if !before.trim_end().ends_with(['#', '/', ';', '*']) {
        return None;
    }
    let (rule, reason) = said.trim().split_once(char::is_whitespace).unwrap_or((said.trim(), ""));
    if rules::named(rule).is_none() {
        findings.add(&rules::ALLOW, place, format!("there is no rule `{rule}`"));
        return None;
    }
    let reason = reason.trim().strip_prefix("because").map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_none() {
        findings.add(&rules::ALLOW, place, format!("this allows `{rule}`, and does not say why"));
        return None;
    }
    Some(rule.to_owned())
}

/// The text of a file that is none of those to be examined.
pub(super) fn text_of(path: &Path) -> io::Result<String> {
    let bytes = File::open(path).and_then(bounded)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text"))
}

fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn recognized(name: &str, text: &str) -> Option<Kind> {
    let path = Path::new(name);
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let is_image = |it: &str| it.starts_with("dockerfile") || it.starts_with("containerfile");
    if is_image(&file) || is_image(&end.to_ascii_lowercase()) {
        return Some(Kind::Dockerfile);
    }
    match end {
        "service" => return Some(Kind::Systemd),
        "sh" => return Some(Kind::Script),
        "js" | "cjs" | "mjs" => return text.contains("apps").then_some(Kind::Pm2),
        _ => {}
    }
    let mut code = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'));
    if text.starts_with("#!") && text.lines().next().is_some_and(|first| first.contains("sh")) {
        return Some(Kind::Script);
    }
    let has_line = |begins: &[&str]| {
        text.lines().any(|line| begins.iter().any(|begin| line.split_whitespace().next() == Some(begin)))
    };
    let has_key = |key: &str| {
        text.lines().any(|line| line.trim_start().trim_start_matches(['{', '"', '\'', ' ']).starts_with(key))
            || text.contains(&format!("\"{key}\""))
    };
    // `"apps": [` or `apps: [`, but not `"scripts":`.
    let bare: String = text.split_whitespace().collect();
    let has_word = |key: &str| {
        [format!("\"{key}\":"), format!("'{key}':"), format!("{key}:")].iter().any(|it| bare.contains(it))
    };
    // A ConfigMap may hold a unit.
    if has_key("apiVersion") && has_key("kind") {
        return Some(Kind::Kubernetes);
    }
    if has_line(&["[Service]"]) {
        return Some(Kind::Systemd);
    }
    if text.lines().any(|line| line.starts_with("services:")) || (has_key("services") && end == "json") {
        return Some(Kind::Compose);
    }
    if ["json", "yaml", "yml"].contains(&end) && ["apps", "script"].iter().any(|key| has_word(key)) {
        return Some(Kind::Pm2);
    }
    let first = code.next().unwrap_or_default();
    if ["FROM ", "ARG "].iter().any(|begin| first.to_ascii_uppercase().starts_with(begin)) {
        return Some(Kind::Dockerfile);
    }
    let has_section = has_line(&["backend", "frontend", "listen", "defaults"]);
    (has_section
        && (file.contains("haproxy") || end == "cfg" || has_line(&["global", "server", "bind", "mode"])))
    .then_some(Kind::Haproxy)
}

/// Whether it is what Helm makes manifests from, and not what it makes: that names its sources, and may hold templates of
/// other programs.
pub(super) fn is_template(text: &str) -> bool {
    if text.lines().any(|line| line.starts_with("# Source: ")) {
        return false;
    }
    let marks = [".Values", ".Release", ".Chart", "include \""];
    let mut actions = text.split("{{").skip(1).map(|action| action.trim_start_matches(['-', ' ']));
    actions.any(|action| marks.iter().any(|mark| action.starts_with(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recognized_by_its_name_or_by_what_it_holds() {
        let check = |name: &str, text: &str, expected: Option<Kind>| {
            assert_eq!(recognized(name, text), expected, "{name}: {text}");
        };
        check("a.yaml", "apiVersion: v1\nkind: Pod\n", Some(Kind::Kubernetes));
        check(
            "a.yaml",
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    [Service]\n",
            Some(Kind::Kubernetes),
        );
        check("-", "{\"kind\": \"List\", \"apiVersion\": \"v1\"}", Some(Kind::Kubernetes));
        check("a.yml", "# why\nservices:\n  app:\n", Some(Kind::Compose));
        check("Dockerfile.prod", "# syntax\n", Some(Kind::Dockerfile));
        check("app.Dockerfile", "", Some(Kind::Dockerfile));
        check("-", "# why\nFROM scratch\n", Some(Kind::Dockerfile));
        check("app.service", "", Some(Kind::Systemd));
        check("override.conf", "[Service]\nTimeoutStopSec=5\n", Some(Kind::Systemd));
        check("ecosystem.config.js", "module.exports = { apps: [] }", Some(Kind::Pm2));
        check("ecosystem.json", "{ \"apps\": [] }", Some(Kind::Pm2));
        check("processes.json", "[{ \"script\" : './app' }]", Some(Kind::Pm2));
        check("package.json", "{ \"scripts\": {} }", None);
        check("haproxy.cfg", "backend app\n", Some(Kind::Haproxy));
        check("entrypoint", "#!/bin/sh\n", Some(Kind::Script));
        check("a.timer", "[Timer]\n", None);
        check("README.md", "# Read\n", None);
        check("values.yaml", "image: app\n", None);
    }
}
