//! The object that a configuration in JavaScript exports, as far as it is written out: strings, numbers, lists and
//! objects. Whatever has to be computed is not known.

use super::node::{Node, Value};

/// The key under which there is what a map has from another one: anything.
pub(super) const SPREAD: &str = "...";

/// Deeper nesting is refused.
const DEEPEST: usize = 100;

/// The object or list that a text consists of: JSON, and what JavaScript allows beyond it.
pub(super) fn written(text: &str) -> Result<Node, (usize, String)> {
    let mut reader = Reader { rest: text, line: 1, depth: 0 };
    reader.value().map_err(|what| (reader.line, what.to_owned()))
}

/// The exported object, or on which line reading came to its end, and why.
pub(super) fn exported(text: &str) -> Result<Node, (usize, String)> {
    let begin =
        ["module.exports", "export default"].into_iter().find_map(|mark| Some(text.find(mark)? + mark.len()));
    let Some(begin) = begin else {
        return Err((1, "this exports nothing: `module.exports = { … }` is what is read".to_owned()));
    };
    let line = text[..begin].matches('\n').count() + 1;
    let mut reader = Reader { rest: &text[begin..], line, depth: 0 };
    reader.skip();
    reader.eat("=");
    reader.skip();
    if !reader.rest.starts_with('{') {
        let what = "what is exported here is computed: only an object that is written out can be read";
        return Err((reader.line, what.to_owned()));
    }
    reader.value().map_err(|what| (reader.line, what.to_owned()))
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    depth: usize,
}

impl Reader<'_> {
    fn advance(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count();
        self.rest = &self.rest[bytes..];
    }

    /// White space and comments.
    fn skip(&mut self) {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            self.advance(space);
            let comment = match self.rest {
                rest if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                rest if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ => return,
            };
            self.advance(comment);
        }
    }

    fn eat(&mut self, what: &str) -> bool {
        let is_there = self.rest.starts_with(what);
        if is_there {
            self.advance(what.len());
        }
        is_there
    }

    fn value(&mut self) -> Result<Node, &'static str> {
        self.skip();
        let line = self.line;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("this is nested too deeply to be a configuration");
        }
        let value = match self.rest.chars().next() {
            Some('{') => self.map()?,
            Some('[') => self.list()?,
            Some('"' | '\'' | '`') => self.string()?,
            Some(_) => self.word(),
            None => return Err("the text ends within the object"),
        };
        self.depth -= 1;
        // `'a' + b`, `x ? y : z`, `f(x)`: whatever comes before the next comma is part of an expression.
        self.skip();
        let ends = self.rest.chars().next().is_none_or(|next| [',', '}', ']', ';'].contains(&next));
        if ends || self.depth == 0 {
            return Ok(Node::new(line, value));
        }
        self.expression();
        Ok(Node::new(line, Value::Unknown))
    }

    fn map(&mut self) -> Result<Value, &'static str> {
        self.advance(1);
        let mut entries = Vec::new();
        loop {
            self.skip();
            if self.eat("}") {
                return Ok(Value::Map(entries));
            }
            if self.eat(",") {
                continue;
            }
            let (line, before) = (self.line, self.rest.len());
            let key = match self.rest.chars().next() {
                None => return Err("the text ends within the object"),
                Some('"' | '\'') => match self.string()? {
                    Value::Text(key) => key,
                    _ => String::new(),
                },
                Some(_) => self.name().to_owned(),
            };
            self.skip();
            if self.eat(":") {
                let node = self.value()?;
                entries.push((key, Node { line, ..node }));
            } else {
                // `...rest`, a shorthand, a method.
                let key = if key.starts_with("...") { SPREAD.to_owned() } else { key };
                self.expression();
                entries.push((key, Node::new(line, Value::Unknown)));
            }
            self.has_advanced(before)?;
        }
    }

    fn list(&mut self) -> Result<Value, &'static str> {
        self.advance(1);
        let mut items = Vec::new();
        loop {
            self.skip();
            if self.eat("]") {
                return Ok(Value::List(items));
            }
            if !self.eat(",") {
                let before = self.rest.len();
                items.push(self.value()?);
                self.has_advanced(before)?;
            }
        }
    }

    /// A bracket or a sign where none belongs would be read again and again.
    fn has_advanced(&self, before: usize) -> Result<(), &'static str> {
        if self.rest.len() < before { Ok(()) } else { Err("this is not an object that is written out") }
    }

    fn string(&mut self) -> Result<Value, &'static str> {
        let quote = self.rest.chars().next().unwrap_or('"');
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => text.extend(letters.next().map(|(_, escaped)| match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                })),
                letter if letter == quote => {
                    self.advance(at + 1);
                    let is_computed = quote == '`' && text.contains("${");
                    return Ok(if is_computed { Value::Unknown } else { Value::Text(text) });
                }
                letter => text.push(letter),
            }
        }
        Err("a string does not end")
    }

    /// The letters of a name or a number.
    fn name(&mut self) -> &str {
        let is_part = |it: char| it.is_alphanumeric() || ['_', '$', '.', '-'].contains(&it);
        let end = self.rest.find(|it| !is_part(it)).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        self.rest = &self.rest[end..];
        name
    }

    fn word(&mut self) -> Value {
        match self.name() {
            "null" | "undefined" => Value::Null,
            word @ ("true" | "false") => Value::Text(word.to_owned()),
            // `30_000`
            word if word.replace('_', "").parse::<f64>().is_ok() => Value::Text(word.replace('_', "")),
            _ => Value::Unknown,
        }
    }

    /// Skips to the comma or the bracket behind an expression.
    fn expression(&mut self) {
        let mut open = 0;
        loop {
            self.skip();
            let Some(letter) = self.rest.chars().next() else { return };
            match letter {
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' if open == 0 => return,
                ')' | ']' | '}' => open -= 1,
                ',' | ';' if open == 0 => return,
                '"' | '\'' | '`' if self.string().is_ok() => continue,
                _ => {}
            }
            self.advance(letter.len_utf8());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_far_as_it_is_written_out() {
        let text = "const path = require('path') // {\nmodule.exports = {\n  /* all */ apps: [{\n    name: 'a', 'script': \"./a\",\n    \
                    kill_timeout: 3000, cwd: path.join(__dirname, 'x'), // why\n    env: { A: `b`, C: `${d}`, N: 1 + 2 },\n    \
                    wait_ready: true, ...more, run() { return [1, '}'] },\n  },],\n};\n";
        let object = exported(text).unwrap();
        let app = &object.items_at("apps")[0];
        assert_eq!((app.text_at("name"), app.text_at("script")), (Some("a"), Some("./a")));
        assert_eq!(app.get("kill_timeout").map(|it| (it.number(), it.line)), Some((Some(3_000.0), 5)));
        assert!(app.get("wait_ready").unwrap().is("true"));
        assert!(matches!(app.get("cwd").unwrap().value, Value::Unknown));
        assert!(app.get(SPREAD).is_some() && matches!(app.get("run").unwrap().value, Value::Unknown));
        assert_eq!(exported("module.exports = { a: 30_000 }").unwrap().text_at("a"), Some("30000"));
        let env = app.get("env").unwrap();
        assert_eq!(env.text_at("A"), Some("b"));
        assert!(matches!(env.get("C").unwrap().value, Value::Unknown));
        assert!(matches!(env.get("N").unwrap().value, Value::Unknown));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = |text: &str| exported(text).unwrap_err();
        assert!(refused("exports.a = 1").1.contains("exports nothing"));
        assert!(refused("\nmodule.exports = make()").1.contains("is computed"));
        assert_eq!(refused("module.exports = {\n a: 'b\n").1, "a string does not end");
        assert!(refused("module.exports = {\n a: [").1.contains("ends within"));
        for broken in ["{ a: [ } ]", "{ ) }", "{ a: [1 } }", "{ a: [;] }", "{ ] }"] {
            assert_eq!(
                written(broken).unwrap_err().1,
                "this is not an object that is written out",
                "{broken}"
            );
        }
        assert!(refused(&format!("module.exports = {{ a: {}", "[".repeat(1_000))).1.contains("too deeply"));
    }
    /// Whatever is cut off or replaced, reading comes to an end.
    #[test]
    fn every_beginning_is_read_or_refused() {
        let text = "module.exports = { /* a */ apps: [{ 'b': `c`, d: [1, -2], e: f(g, { h }), ...i }], // j\n k: \"l\\\"\" };";
        for (at, _) in text.char_indices() {
            let _ = exported(&text[..at]);
            for letter in ["}", "]", ")", "{", "[", "(", ",", ":", ";", "'", "`", "\\", "/", "*", "é"] {
                let _ = exported(&format!("{}{letter}{}", &text[..at], &text[at + 1..]));
            }
        }
    }
}
