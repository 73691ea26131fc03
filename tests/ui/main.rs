//! What the macros accept, and what they say when they do not.

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
