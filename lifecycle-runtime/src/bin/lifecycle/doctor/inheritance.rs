//! Compose: what a service has from the one that it `extends`.

use super::node::{Node, Value};

/// So often a service may extend one that extends another.
const DEEPEST: usize = 10;

/// A service, complete. If what it extends is not in this file, the key `extends` is still there.
pub(super) fn resolved(services: &Node, service: &Node) -> Node {
    resolved_at(services, service, 0)
}

fn resolved_at(services: &Node, service: &Node, depth: usize) -> Node {
    let Some(extends) = service.get("extends") else { return service.clone() };
    let name = extends.text().or(extends.text_at("service"));
    let base = name.filter(|_| extends.get("file").is_none() && depth < DEEPEST);
    let Some(base) = base.and_then(|name| services.get(name)) else { return service.clone() };
    let own = service.entries().iter().filter(|(key, _)| key != "extends").cloned();
    let own = Node::new(service.line, Value::Map(own.collect()));
    merged(&resolved_at(services, base, depth + 1), &own)
}

/// Maps are merged; everything else that is written in the service counts alone.
fn merged(base: &Node, own: &Node) -> Node {
    let mut entries = base.entries().to_vec();
    for (key, node) in own.entries() {
        let node = match base.get(key) {
            Some(base) if key == "environment" => merged(&as_map(base), &as_map(node)),
            Some(base @ Node { value: Value::Map(_), .. }) if matches!(node.value, Value::Map(_)) => {
                merged(base, node)
            }
            _ => node.clone(),
        };
        entries.push((key.clone(), node));
    }
    Node::new(own.line, Value::Map(entries))
}

/// `- NAME=value` as `NAME: value`.
fn as_map(environment: &Node) -> Node {
    let Value::List(items) = &environment.value else { return environment.clone() };
    let entries = items.iter().filter_map(|item| {
        let text = item.text()?;
        let (name, value) = text
            .split_once('=')
            .map_or((text, Value::Null), |(name, value)| (name, Value::Text(value.to_owned())));
        Some((name.to_owned(), Node::new(item.line, value)))
    });
    Node::new(environment.line, Value::Map(entries.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::yaml::documents;

    #[test]
    fn a_service_has_what_it_does_not_say_itself_from_the_one_that_it_extends() {
        let text = "a: { image: x, environment: [A=1, B=2], healthcheck: { test: t, interval: 1s } }\n\
                    b: { extends: a, command: [b], environment: { B: 3 } }\n\
                    c:\n  extends: { service: b }\n  healthcheck: { interval: 2s }\n  command: [c]\n";
        let all = &documents(text).unwrap()[0];
        let c = resolved(all, all.get("c").unwrap());
        assert_eq!((c.text_at("image"), c.get("extends").is_some(), c.line), (Some("x"), false, 3));
        let environment = c.get("environment").unwrap();
        assert_eq!((environment.text_at("A"), environment.text_at("B")), (Some("1"), Some("3")));
        let check = c.get("healthcheck").unwrap();
        assert_eq!((check.text_at("test"), check.text_at("interval")), (Some("t"), Some("2s")));
        assert_eq!(c.get("command").unwrap().words(), Some(vec!["c".to_owned()]));
    }

    #[test]
    fn what_cannot_be_resolved_is_left() {
        let text = "a: { extends: { file: x, service: y } }\nb: { extends: b }\nc: { extends: nobody }\n";
        let all = &documents(text).unwrap()[0];
        for name in ["a", "b", "c"] {
            assert!(resolved(all, all.get(name).unwrap()).get("extends").is_some(), "{name}");
        }
    }
}
