#![no_implicit_prelude]
#![allow(non_camel_case_types, dead_code)]

// Everything that an expansion could be tempted to name by a short path.
mod core {}
mod std {}
mod alloc {}
mod lifecycle {}
mod private {}
mod inventory {}
struct Option;
struct Some;
struct None;
struct Result;
struct Arc;
struct Duration;
struct Declared;
struct Node;
struct NODE;
struct Send;
struct bool;
struct str;
struct u32;
struct u64;
struct usize;
fn depth() {}
fn node() {}
macro_rules! panic {
    () => {};
}
macro_rules! file {
    () => {};
}
macro_rules! line {
    () => {};
}

use ::lifecycle::resource;

#[resource(foundation, acquire_timeout = "10s", name = "a")]
struct A;

#[resource(after = A, optional, foundation, drain_timeout = "10s", reserve = "1s")]
struct B;

#[resource(after = [A, B])]
struct R;

impl ::lifecycle::Resource for A {
    async fn acquire(_: &::lifecycle::Acquire<Self>) -> ::lifecycle::Result<Self> {
        ::core::result::Result::Ok(A)
    }
}

impl ::lifecycle::Resource for B {
    async fn acquire(_: &::lifecycle::Acquire<Self>) -> ::lifecycle::Result<Self> {
        ::core::result::Result::Ok(B)
    }
}

impl ::lifecycle::Resource for R {
    async fn acquire(cx: &::lifecycle::Acquire<Self>) -> ::lifecycle::Result<Self> {
        let _b: ::core::option::Option<::std::sync::Arc<B>> = cx.get::<B>();
        ::core::result::Result::Ok(R)
    }
}

fn main() {}
