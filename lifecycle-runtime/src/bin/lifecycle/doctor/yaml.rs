//! YAML, and so JSON too, with the lines of all values.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError};

use super::node::{Node, Value};

/// More values are refused: aliases of aliases could stand for more than there is memory for.
const MOST_NODES: usize = 300_000;
/// Deeper nesting is refused: nothing that people deploy has it.
const DEEPEST: usize = 100;

/// The documents of a text, or what is wrong with it, and on which line.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, (usize, String)> {
    let mut tree = Tree::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| in_words(&error))?;
        let line = span.start.line();
        tree.take(event, line).map_err(|what| (line, what.to_owned()))?;
    }
    Ok(tree.documents)
}

fn in_words(error: &ScanError) -> (usize, String) {
    (error.marker().line(), format!("this is not YAML: {}", error.info()))
}

#[derive(Default)]
struct Tree {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A list or map whose end has not come.
struct Open {
    anchor: usize,
    node: Node,
    /// In a map: the key whose value comes next, and its line.
    key: Option<(String, usize)>,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_null = style == saphyr_parser::ScalarStyle::Plain
                    && ["", "~", "null", "Null", "NULL"].contains(&&*text);
                let value = if is_null { Value::Null } else { Value::Text(text.into_owned()) };
                self.put(Node::new(line, value), anchor)
            }
            Event::Alias(anchor) => {
                let mut node = self.anchors.get(&anchor).cloned().unwrap_or(Node::new(line, Value::Null));
                node.line = line;
                self.nodes += size(&node);
                self.put(node, 0)
            }
            Event::SequenceStart(anchor, _) => self.open(anchor, Node::new(line, Value::List(Vec::new()))),
            Event::MappingStart(anchor, _) => self.open(anchor, Node::new(line, Value::Map(Vec::new()))),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { anchor, node, .. }) => self.put(node, anchor),
                None => Ok(()),
            },
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, node: Node) -> Result<(), &'static str> {
        self.open.push(Open { anchor, node, key: None });
        if self.open.len() > DEEPEST { Err("this is nested too deeply to be a deployment") } else { Ok(()) }
    }

    /// Hangs a complete value where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), &'static str> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err("this holds too many values to be a deployment");
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { node: parent, key, .. }) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut parent.value, key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(_), None) => {
                let line = node.line;
                let name = node.text().unwrap_or_default().to_owned();
                *key = Some((name, line));
            }
            (Value::Map(entries), Some((name, _))) if name == "<<" => merge(entries, node),
            (Value::Map(entries), Some((name, line))) => entries.push((name, Node { line, ..node })),
            _ => {}
        }
        Ok(())
    }
}

/// `<<: *anchor`: what is written beside it wins, so it comes first.
fn merge(entries: &mut Vec<(String, Node)>, merged: Node) {
    match merged.value {
        Value::Map(theirs) => {
            entries.splice(0..0, theirs);
        }
        // Of several, the first wins.
        Value::List(all) => all.into_iter().for_each(|one| merge(entries, one)),
        Value::Null | Value::Text(_) | Value::Unknown => {}
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => items.iter().map(size).sum::<usize>() + 1,
        Value::Map(entries) => entries.iter().map(|(_, node)| size(node)).sum::<usize>() + 1,
        Value::Null | Value::Text(_) | Value::Unknown => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_line_of_their_key() {
        let documents = documents("a:\n  b: { c: 1 }\n  d:\n    - e\n---\nf: |\n  g\n").unwrap();
        assert_eq!(documents.len(), 2);
        let line = |path: &[&str]| documents[0].at(path).unwrap().line;
        assert_eq!((line(&["a"]), line(&["a", "b", "c"]), line(&["a", "d"])), (1, 2, 3));
        assert_eq!(documents[0].at(&["a", "d"]).unwrap().items()[0].line, 4);
        assert_eq!(documents[1].text_at("f"), Some("g\n"));
        assert_eq!(documents[1].get("f").unwrap().line, 6);
    }

    #[test]
    fn what_is_written_beside_a_merged_map_wins() {
        let text = "base: &base { a: 1, b: 2 }\nown:\n  b: 3\n  <<: *base\n";
        let documents = documents(text).unwrap();
        let own = documents[0].get("own").unwrap();
        assert_eq!((own.text_at("a"), own.text_at("b")), (Some("1"), Some("3")));
    }

    #[test]
    fn what_is_not_yaml_is_refused_with_its_line() {
        assert_eq!(documents("a: 1\nb: [\n").unwrap_err().0, 3);
        assert!(documents("a: \"\u{1}\n").is_err());
        let bomb = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
            let aliases = format!("*a{}", n - 1);
            text + &format!("a{n}: &a{n} [{}]\n", [aliases.as_str(); 9].join(","))
        });
        assert!(documents(&bomb).unwrap_err().1.contains("too many values"));
        let deep = "- ".repeat(5_000);
        assert!(documents(&deep).unwrap_err().1.contains("too deeply"));
    }
}
