//! What the macros accept, and what they say when they do not.

mod alone;
mod missing_feature;
mod renamed_package;
mod two_versions;

/// The macros read the durations of attributes, the runtime those of the environment.
#[test]
fn both_crates_have_the_same_grammar_of_durations() {
    let macros = include_str!("../../lifecycle-macros/src/duration/grammar.rs");
    let runtime = include_str!("../../lifecycle-runtime/src/model/duration/grammar.rs");
    assert!(macros == runtime, "copy one over the other");
}

#[test]
fn resource() {
    let t = trybuild::TestCases::new();
    t.pass("ui/resource/pass/*.rs");
    t.compile_fail("ui/resource/fail/*.rs");
}

#[test]
fn main() {
    let t = trybuild::TestCases::new();
    t.pass("ui/main/pass/*.rs");
    t.compile_fail("ui/main/fail/*.rs");
}

#[test]
fn http() {
    let t = trybuild::TestCases::new();
    t.compile_fail("ui/http/fail/*.rs");
}
