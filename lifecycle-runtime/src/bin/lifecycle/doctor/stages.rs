//! Dockerfiles: their instructions, and those of the stages that the last one is made from.

use super::words::split;

/// An instruction: its name, what it says, and its line.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    pub(super) name: String,
    pub(super) rest: String,
    pub(super) line: usize,
}

/// The last stage.
#[derive(Debug)]
pub(super) struct Stage {
    /// The image from outside that it begins with.
    pub(super) base: String,
    /// The line of its own FROM.
    pub(super) line: usize,
    /// Those of the stages that it is made from too, before its own.
    pub(super) instructions: Vec<Instruction>,
}

/// `None` if there is no FROM.
pub(super) fn last(text: &str) -> Option<Stage> {
    let all = instructions(text);
    let first = all.iter().position(|it| it.name == "FROM")?;
    let mut arguments = Arguments::default();
    all[..first].iter().filter(|it| it.name == "ARG").for_each(|it| arguments.declare(&it.rest));
    let begins: Vec<usize> = (first..all.len()).filter(|&at| all[at].name == "FROM").collect();
    let mut stage = begins.len().checked_sub(1)?;
    let line = all[begins[stage]].line;
    let mut instructions = Vec::new();
    loop {
        let end = begins.get(stage + 1).copied().unwrap_or(all.len());
        instructions.splice(0..0, all[begins[stage] + 1..end].iter().cloned());
        let from = arguments.expanded(&all[begins[stage]].rest);
        let base = from.split_whitespace().find(|word| !word.starts_with("--")).unwrap_or_default();
        let earlier = (0..stage).rev().find(|&earlier| {
            let name = all[begins[earlier]].rest.split_whitespace().last().unwrap_or_default();
            all[begins[earlier]].rest.split_whitespace().count() > 2 && name.eq_ignore_ascii_case(base)
        });
        match earlier {
            Some(earlier) => stage = earlier,
            None => {
                let instructions = arguments.applied(instructions);
                return Some(Stage { base: base.to_owned(), line, instructions });
            }
        }
    }
}

/// The build arguments, with their defaults.
#[derive(Clone, Debug, Default)]
struct Arguments(Vec<(String, Option<String>)>);

impl Arguments {
    /// `ARG A=b C`: without a default, one of the same name from before the first FROM counts.
    fn declare(&mut self, rest: &str) {
        for word in split(rest) {
            let (name, default) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let default = default.map(str::to_owned).or_else(|| self.value(name).map(str::to_owned));
            self.0.push((name.to_owned(), default));
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name)?.1.as_deref()
    }

    /// `$NAME`, `${NAME}` and `${NAME:-default}`, as far as they are known.
    fn expanded(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once('$') else { return text.to_owned() };
        let braced = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (inside, behind) = braced.unwrap_or_else(|| {
            let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len());
            rest.split_at(end)
        });
        let (name, default) =
            inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
        let known = self.value(name).filter(|value| !value.is_empty()).or(default);
        let written = &text[before.len()..text.len() - behind.len()];
        format!("{before}{}{}", known.unwrap_or(written), self.expanded(behind))
    }

    /// The instructions in which variables count. Those that a shell sees are left as they are.
    fn applied(mut self, instructions: Vec<Instruction>) -> Vec<Instruction> {
        let mut applied = Vec::new();
        for mut instruction in instructions {
            match instruction.name.as_str() {
                "ARG" => self.declare(&instruction.rest),
                "ENV" | "STOPSIGNAL" => instruction.rest = self.expanded(&instruction.rest),
                _ => {}
            }
            applied.push(instruction);
        }
        applied
    }
}

fn instructions(text: &str) -> Vec<Instruction> {
    let mut all: Vec<Instruction> = Vec::new();
    let mut goes_on = false;
    // What is between `<<EOF` and `EOF` is a file, not an instruction.
    let mut documents: Vec<String> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(end) = documents.first() {
            if line == end {
                documents.remove(0);
            }
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (code, continues) = line.strip_suffix('\\').map_or((line, false), |code| (code, true));
        match all.last_mut().filter(|_| goes_on) {
            Some(open) => {
                open.rest.push(' ');
                open.rest.push_str(code.trim());
            }
            None => {
                let (name, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
                let (name, rest) = (name.to_ascii_uppercase(), rest.trim().to_owned());
                all.push(Instruction { name, rest, line: index + 1 });
            }
        }
        goes_on = continues;
        if all.last().is_some_and(|it| ["RUN", "COPY", "ADD"].contains(&it.name.as_str())) {
            documents.extend(ends_of_documents(code));
        }
    }
    all
}

/// The words behind `<<` that a shell and Docker take for the end of a document.
fn ends_of_documents(code: &str) -> Vec<String> {
    let end = |mark: &str| {
        let mark = mark.trim_start_matches('-');
        let word = split(mark.split_whitespace().next()?).into_iter().next()?;
        word.starts_with(|it: char| it.is_alphabetic() || it == '_').then_some(word)
    };
    code.split("<<").skip(1).filter_map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let all = instructions(text);
        let seen: Vec<_> = all.iter().map(|it| (it.name.as_str(), it.rest.as_str(), it.line)).collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn instructions_go_on_over_lines_comments_and_documents() {
        check(
            "# syntax\nfrom a as b\nRUN x && \\\n  # why\n  y\nCOPY <<EOF /f\nCMD no\nEOF\nCMD [\"a\"]\n",
            &[("FROM", "a as b", 2), ("RUN", "x && y", 3), ("COPY", "<<EOF /f", 6), ("CMD", "[\"a\"]", 9)],
        );
        check(
            "COPY <<\"E\" <<-'F' /f/\nCMD no\nE\nCMD no\n\tF\nRUN echo $((1 << 2)) <<< x\nCMD a\n",
            &[("COPY", "<<\"E\" <<-'F' /f/", 1), ("RUN", "echo $((1 << 2)) <<< x", 6), ("CMD", "a", 7)],
        );
    }

    #[test]
    fn a_stage_has_what_the_stages_have_that_it_is_made_from() {
        let text = "ARG BASE=gcr.io/distroless/cc\nARG TIMEOUT=60s\nFROM rust AS build\nENV A=1\nFROM --platform=$P ${BASE} AS base\n\
                    ARG TIMEOUT\nENV B=$TIMEOUT C=${D:-e} F=$G\nFROM base\nCMD $B\n";
        let stage = last(text).unwrap();
        assert_eq!((stage.base.as_str(), stage.line), ("gcr.io/distroless/cc", 8));
        let seen: Vec<_> = stage.instructions.iter().map(|it| it.rest.as_str()).collect();
        assert_eq!(seen, ["TIMEOUT", "B=60s C=e F=$G", "$B"]);
        assert!(last("RUN x\n").is_none());
    }
}
