//! Scripts of a shell: the commands that they consist of.
//!
//! It is not a shell: of what is computed at run time, such as `$(…)`, it only knows where it ends.

use super::words::{base, split};
use super::wrapper::innermost;

/// A simple command of a script.
#[derive(Debug)]
pub(super) struct Part {
    /// As it is written, without the words of a compound command before it.
    pub(super) text: String,
    pub(super) words: Vec<String>,
    /// The line of the script, from 0 on.
    pub(super) line: usize,
    pub(super) end: End,
    /// It takes the output of the one before it.
    pub(super) is_piped: bool,
    /// How many parentheses it is in: each is a shell of its own.
    pub(super) depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Plain,
    Background,
    /// What it writes goes to the next one.
    Pipe,
}

/// What comes before a command within a compound one.
const OPENING: [&str; 9] = ["if", "then", "elif", "else", "while", "until", "do", "!", "{"];

/// Commands that start nothing, whatever names they are given.
const STARTS_NOTHING: [&str; 49] = [
    ".", "[", "[[", "addgroup", "adduser", "awk", "basename", "case", "cat", "cd", "chgrp", "chmod", "chown",
    "cp", "cut", "dirname", "echo", "exit", "export", "find", "for", "grep", "id", "install", "kill", "ln",
    "local", "ls", "mkdir", "mv", "pgrep", "pkill", "printf", "psql", "read", "readonly", "return", "rm",
    "sed", "set", "setcap", "shift", "source", "tar", "test", "touch", "trap", "useradd", "which",
];

impl Part {
    /// The command itself starts this program.
    pub(super) fn starts(&self, program: &str) -> bool {
        !program.is_empty() && innermost(&self.words).first().is_some_and(|first| base(first) == program)
    }

    /// A command that is not known here may start it: `doppler run -- app`.
    pub(super) fn may_start(&self, program: &str) -> bool {
        let words = innermost(&self.words);
        let is_known = words.first().is_some_and(|first| STARTS_NOTHING.contains(&base(first)));
        !program.is_empty() && !is_known && words.iter().any(|word| base(word) == program)
    }

    /// It starts what the script was given as its arguments.
    pub(super) fn starts_arguments(&self) -> bool {
        let words = innermost(&self.words);
        let is_known = words.first().is_some_and(|first| STARTS_NOTHING.contains(&base(first)));
        !is_known && words.iter().any(|word| ["$@", "${@}", "$*"].contains(&word.as_str()))
    }

    /// The shell becomes what it starts. With redirections alone, `exec` starts nothing.
    pub(super) fn execs(&self) -> bool {
        let is_target = |word: &&String| !word.starts_with(['>', '<', '&']) && !word.contains(['>', '<']);
        let at = self.words.iter().position(|word| word == "exec");
        at.is_some_and(|at| self.words[at + 1..].first().as_ref().is_some_and(is_target))
    }

    /// Whether it is the end of an `if`, a loop or a function.
    pub(super) fn ends_compound(&self) -> bool {
        self.words.first().is_some_and(|word| ["fi", "done", "esac", "}"].contains(&word.as_str()))
    }

    /// Whether it handles the signal with which a service is stopped. A trap for EXIT alone does not.
    pub(super) fn traps_stop(&self) -> bool {
        let mut words = self.words.iter().map(String::as_str).filter(|word| *word != "--");
        if words.next() != Some("trap") {
            return false;
        }
        let handler = words.next().unwrap_or_default();
        let is_stop =
            |signal: &str| ["TERM", "SIGTERM", "15"].contains(&signal.to_ascii_uppercase().as_str());
        !["", "-"].contains(&handler) && words.any(is_stop)
    }
}

/// The commands between `;`, `&&`, `||`, `|`, `&`, parentheses and the ends of lines.
pub(super) fn parts(script: &str) -> Vec<Part> {
    let mut reader = Reader {
        letters: script.chars().collect(),
        at: 0,
        line: 0,
        text: String::new(),
        began: 0,
        is_piped: false,
        depth: 0,
        documents: Vec::new(),
        parts: Vec::new(),
    };
    reader.read();
    reader.parts
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    line: usize,
    /// Of the command that has not ended yet.
    text: String,
    began: usize,
    is_piped: bool,
    depth: usize,
    /// The ends of the documents (`<<EOF`) that begin on the next line.
    documents: Vec<String>,
    parts: Vec<Part>,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let letter = self.letters.get(self.at).copied()?;
        self.at += 1;
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn eat(&mut self, letter: char) -> bool {
        let is_there = self.peek() == Some(letter);
        if is_there {
            self.next();
        }
        is_there
    }

    fn push(&mut self, letter: char) {
        if self.text.is_empty() {
            self.began = self.line;
        }
        self.text.push(letter);
    }

    fn is_between_words(&self) -> bool {
        self.text.is_empty() || self.text.ends_with(char::is_whitespace)
    }

    fn read(&mut self) {
        while let Some(letter) = self.next() {
            match letter {
                // The end of a line that goes on is nothing.
                '\\' => match self.next() {
                    Some('\n') | None => self.push(' '),
                    Some(escaped) => {
                        self.push('\\');
                        self.push(escaped);
                    }
                },
                '"' | '\'' => self.quoted(letter),
                '`' => self.skip_to('`'),
                '$' if self.peek() == Some('(') => {
                    self.next();
                    self.skip_parentheses();
                }
                '#' if self.is_between_words() => {
                    while self.peek().is_some_and(|next| next != '\n') {
                        self.next();
                    }
                }
                '<' if self.peek() == Some('<') => self.document(),
                // `2>&1`, `&>file`
                '&' if self.text.ends_with(['>', '<']) || self.peek() == Some('>') => self.push('&'),
                '&' if self.eat('&') => self.close(End::Plain),
                '&' => self.close(End::Background),
                '|' if self.eat('|') => self.close(End::Plain),
                '|' => {
                    self.eat('&');
                    self.close(End::Pipe);
                }
                '(' if self.text.trim().is_empty() || OPENING.contains(&self.text.trim()) => {
                    self.text.clear();
                    self.depth += 1;
                }
                // A function: what it is called is no command.
                '(' if self.peek() == Some(')') => {
                    self.next();
                    self.text.clear();
                }
                // `A=(x y)`, `>(tee log)`
                '(' => self.skip_parentheses(),
                ')' if self.depth > 0 => {
                    self.close(End::Plain);
                    self.depth -= 1;
                }
                // The pattern of a `case`.
                ')' => self.text.clear(),
                '\n' => {
                    self.line -= 1;
                    self.close(End::Plain);
                    self.line += 1;
                    self.skip_documents();
                }
                ';' => self.close(End::Plain),
                letter if letter.is_whitespace() && self.text.is_empty() => {}
                letter => self.push(letter),
            }
        }
        self.close(End::Plain);
    }

    fn close(&mut self, end: End) {
        let text = std::mem::take(&mut self.text);
        let mut text = text.trim();
        while let Some((first, rest)) = text.split_once(char::is_whitespace) {
            if !OPENING.contains(&first) {
                break;
            }
            text = rest.trim_start();
        }
        let words = split(text);
        if !words.is_empty() && !OPENING.contains(&text) {
            let (text, line, is_piped, depth) = (text.to_owned(), self.began, self.is_piped, self.depth);
            self.parts.push(Part { text, words, line, end, is_piped, depth });
        }
        self.is_piped = end == End::Pipe;
    }

    fn quoted(&mut self, quote: char) {
        self.push(quote);
        while let Some(letter) = self.next() {
            self.push(letter);
            match letter {
                '\\' if quote == '"' => {
                    let escaped = self.next();
                    self.text.extend(escaped);
                }
                '$' if quote == '"' && self.peek() == Some('(') => {
                    self.text.pop();
                    self.next();
                    self.skip_parentheses();
                }
                letter if letter == quote => return,
                _ => {}
            }
        }
    }

    fn skip_to(&mut self, end: char) {
        while self.next().is_some_and(|letter| letter != end) {}
        self.computed();
    }

    fn skip_parentheses(&mut self) {
        let mut open = 1;
        let mut quote = None;
        while let Some(letter) = self.next() {
            match (letter, quote) {
                ('\\', None | Some('"')) => {
                    self.next();
                }
                (_, Some(mark)) if letter == mark => quote = None,
                ('"' | '\'', None) => quote = Some(letter),
                ('(', None) => open += 1,
                (')', None) => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
        }
        self.computed();
    }

    /// It stands for something that is not known.
    fn computed(&mut self) {
        "$(…)".chars().for_each(|letter| self.push(letter));
    }

    /// `<<EOF`, `<<-'EOF'`, but not `<<<word`.
    fn document(&mut self) {
        self.push('<');
        self.next();
        if self.eat('<') {
            return;
        }
        self.eat('-');
        while self.peek().is_some_and(|next| [' ', '\t'].contains(&next)) {
            self.next();
        }
        let is_part = |letter: char| !letter.is_whitespace() && !";&|()<>".contains(letter);
        let mut end = String::new();
        while let Some(letter) = self.peek().filter(|letter| is_part(*letter)) {
            self.next();
            end.push(letter);
        }
        end.retain(|letter| !['"', '\'', '\\'].contains(&letter));
        self.push(' ');
        self.documents.push(end);
    }

    fn skip_documents(&mut self) {
        for end in std::mem::take(&mut self.documents) {
            loop {
                let mut line = String::new();
                let mut has_more = false;
                while let Some(letter) = self.next() {
                    if letter == '\n' {
                        has_more = true;
                        break;
                    }
                    line.push(letter);
                }
                if line.trim() == end || !has_more {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(script: &str) -> Vec<(usize, String)> {
        parts(script).into_iter().map(|part| (part.line, part.text)).collect()
    }

    #[test]
    fn a_script_is_taken_apart_into_its_commands() {
        let check = |script: &str, expected: &[(usize, &str)]| {
            let expected: Vec<(usize, String)> =
                expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
            assert_eq!(seen(script), expected, "{script}");
        };
        check("a; b && c || d\n e # f; g\n", &[(0, "a"), (0, "b"), (0, "c"), (0, "d"), (1, "e")]);
        check("if [ x ]; then a; else\n b\nfi", &[(0, "[ x ]"), (0, "a"), (1, "b"), (2, "fi")]);
        check("case $x in a) b;; *) exec c;; esac", &[(0, "b"), (0, "exec c"), (0, "esac")]);
        check("f() { a; }\nf \"$@\"", &[(0, "a"), (0, "}"), (1, "f \"$@\"")]);
        check("cat <<-'EF' > x\nno; no\nEF\na", &[(0, "cat <  > x"), (3, "a")]);
        check("cat <<E; a\nno\nE\nb", &[(0, "cat <"), (0, "a"), (3, "b")]);
        check("A=$(b; c | d) exec e \"$(f \"$g\")\"", &[(0, "A=$(…) exec e \"$(…)\"")]);
        check("a \\\n  b > >(c; d) 2>&1", &[(0, "a    b > >$(…) 2>&1")]);
        check("a <<<word; b", &[(0, "a <word"), (0, "b")]);
    }

    #[test]
    fn pipes_backgrounds_and_parentheses_are_known() {
        let all = parts("a | b & (c)");
        let known: Vec<_> = all.iter().map(|part| (part.end, part.is_piped, part.depth)).collect();
        assert_eq!(known, [(End::Pipe, false, 0), (End::Background, true, 0), (End::Plain, false, 1)]);
    }

    #[test]
    fn only_a_trap_for_the_stop_counts() {
        let traps = |script: &str| parts(script).iter().any(Part::traps_stop);
        assert!(traps("trap 'kill $pid' TERM INT") && traps("f() { a; }; trap f 15"));
        assert!(!traps("trap 'rm x' EXIT") && !traps("trap '' TERM") && !traps("trap - TERM"));
    }

    /// Whatever is cut off, reading comes to an end.
    #[test]
    fn every_beginning_is_read() {
        let text = "f() { a \"$(b '(' )\" `c` <<-E\nx\nE\n}; case x in y) (z & w) | v;; esac $((1+2)) \\";
        for (at, _) in text.char_indices() {
            parts(&text[..at]);
            for letter in ["(", ")", "\"", "'", "`", "<<", "\\", "$(", "&", "|", "\n", "é"] {
                parts(&format!("{}{letter}{}", &text[..at], &text[at..]));
            }
        }
    }
}
