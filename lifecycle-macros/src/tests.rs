//! The macros never panic, whatever the attribute and the item are.

use proc_macro2::TokenStream;

use crate::{main, resource};

const WORDS: &[&str] = &[
    "after",
    "name",
    "reserve",
    "acquire_timeout",
    "optional",
    "crate",
    "resources",
    "flavor",
    "worker_threads",
    "linked",
    "skippable",
    "supplied",
    "Db",
    "r#type",
    "Self",
    "self",
    "=",
    ",",
    "::",
    ":",
    "<",
    ">",
    "->",
    "&",
    "#",
    ";",
    "'a",
    "-",
    "4",
    "4s",
    "\"\"",
    "\"1m 30s\"",
    "\"none\"",
    "\"ü\"",
    "b\"x\"",
    "'c'",
    "1.5",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "struct",
    "enum",
    "fn",
    "async",
    "pub",
    "where",
    "const",
    "unsafe",
    "AFTER",
    "dyn",
    "as",
    "_",
    "|",
    "\"db\"x",
    "\"\u{202e}\"",
    "#[resource]",
    "#[tokio::main]",
    "#[test]",
    "block_on",
    "__tracing_instrument_future",
];

/// A stream of tokens from a seed, with balanced groups.
fn tokens(random: &mut u64, length: u64) -> TokenStream {
    let mut text = String::new();
    let mut open = Vec::new();
    for _ in 0..length {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = WORDS[usize::try_from(*random >> 33).unwrap() % WORDS.len()];
        match word {
            "[" | "(" | "{" => open.push(if word == "[" {
                "]"
            } else if word == "(" {
                ")"
            } else {
                "}"
            }),
            "]" | ")" | "}" => {
                text.push_str(open.pop().unwrap_or(","));
                continue;
            }
            _ => {}
        }
        text.push_str(word);
        text.push(' ');
    }
    text.extend(open.into_iter().rev());
    text.parse().unwrap_or_default()
}

#[test]
fn random_tokens_do_not_panic() {
    let random = &mut 1;
    for length in 0..3_000 {
        let (options, item) = (tokens(random, length % 17), tokens(random, length % 23));
        resource::resource(options.clone(), &item);
        main::main(options, &item);
    }
}

#[test]
fn random_options_on_a_good_item_do_not_panic() {
    let random = &mut 2;
    let item: TokenStream =
        "pub(crate) struct Pool<T: Fn() -> u8 = X, const N: usize>(T) where T: Copy;".parse().unwrap();
    let entry: TokenStream =
        "#[doc = \"x\"] async fn main(app: App) -> Result<(), E> { work().await }".parse().unwrap();
    for length in 0..3_000 {
        let options = tokens(random, length % 19);
        resource::resource(options.clone(), &item);
        main::main(options, &entry);
    }
}

#[test]
fn no_tokens_do_not_panic() {
    resource::resource(TokenStream::new(), &TokenStream::new());
    main::main(TokenStream::new(), &TokenStream::new());
}
