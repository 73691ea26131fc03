//! Checks a declaration, and removes what would cause a second error.

use super::model::Declaration;
use super::name;
use super::options::ResourceOption;
use super::subject::Kind;
use crate::ctxt::Ctxt;
use crate::paths::remove_repeated;

pub(super) fn check(cx: &Ctxt, declaration: &mut Declaration) {
    check_second(cx, declaration);
    check_subject(cx, declaration);
    check_dependencies(cx, declaration);
    check_name(cx, declaration);
    check_acquire_timeout(cx, declaration);
    check_necessity(cx, declaration);
    check_supplied(cx, declaration);
}

fn check_second(cx: &Ctxt, declaration: &Declaration) {
    if let Some(second) = declaration.second() {
        let path = &second.path;
        cx.error_spanned(
            second,
            format_args!("`#[{path}]` is given twice; put all options into one of the two"),
        );
    }
}

fn check_subject(cx: &Ctxt, declaration: &Declaration) {
    let subject = &declaration.subject;
    let keyword = &subject.keyword;
    let advice = match keyword.kind {
        Kind::Struct if subject.generics.is_empty() => return,
        Kind::Struct => {
            let name = declaration.display_name();
            return cx.error_spanned(
                &subject.generics.written,
                format_args!(
                    "a resource cannot be generic: each resource is one type; \
                     declare a newtype for each concrete `{name}<…>`"
                ),
            );
        }
        Kind::Enum => "an enum cannot be a resource; wrap it in a struct",
        Kind::Union => "a union cannot be a resource; wrap it in a struct",
        Kind::Function => {
            "a function cannot be a resource; write a struct whose `acquire` does what the function does"
        }
        Kind::Impl => "`#[resource]` goes on the struct, not on its `impl`",
        Kind::Other => "`#[resource]` goes on a struct",
    };
    cx.error(keyword.span, advice);
}

fn check_dependencies(cx: &Ctxt, declaration: &mut Declaration) {
    let subject = &declaration.subject;
    declaration.after.retain(|path| {
        let itself = subject.name.as_ref().filter(|name| path.is_local(name));
        if let Some(name) = itself {
            cx.error_spanned(path, format_args!("`{name}` cannot come after itself; remove it from `after`"));
        }
        itself.is_none()
    });
    remove_repeated(cx, &mut declaration.after);
}

fn check_name(cx: &Ctxt, declaration: &mut Declaration) {
    let Some(name) = &declaration.name else { return check_default_name(cx, declaration) };
    let Some(problem) = name::problem(&name.value()) else { return };
    let span = name.span();
    declaration.name = None;
    let default = declaration.display_name();
    let advice = match name::problem(&default) {
        None => format!("choose another, or remove `name` to use \"{default}\""),
        Some(_) => "choose another".to_owned(),
    };
    cx.error(span, format_args!("this name {problem}; {advice}"));
}

/// The name of the type is used as it is, unless it would be taken for something else.
fn check_default_name(cx: &Ctxt, declaration: &Declaration) {
    let default = declaration.display_name();
    if let (Some(ident), true) = (&declaration.subject.name, name::is_reserved(&default)) {
        cx.error(
            ident.span(),
            format_args!(
                "the name \"{default}\" is reserved for the body of `main`; choose another by `name = \"…\"`"
            ),
        );
    }
}

fn check_acquire_timeout(cx: &Ctxt, declaration: &mut Declaration) {
    if let Some(limit) = declaration.acquire_timeout.take_if(|limit| limit.value.is_zero()) {
        cx.error(
            limit.span,
            "an `acquire_timeout` of zero leaves no time to acquire anything; for no limit, remove it",
        );
    }
}

fn check_necessity(cx: &Ctxt, declaration: &Declaration) {
    if let (Some(_), Some(span)) = (declaration.optional, declaration.skippable) {
        cx.error(
            span,
            "an `optional` resource may skip, too: remove `skippable`, or remove `optional` if its failures are fatal",
        );
    }
}

/// What is supplied exists before the application: nothing that is about its acquisition or its tasks has an effect.
fn check_supplied(cx: &Ctxt, declaration: &Declaration) {
    if declaration.supplied.is_none() {
        return;
    }
    let Declaration { after, acquire_timeout, drain_timeout, optional, skippable, reload, .. } = declaration;
    // It bounds a reload, too.
    let acquire_timeout = acquire_timeout.as_ref().filter(|_| !reload);
    let without_effect = [
        (ResourceOption::After, after.first().map(|path| path.first)),
        (ResourceOption::AcquireTimeout, acquire_timeout.map(|timeout| timeout.span)),
        (ResourceOption::DrainTimeout, drain_timeout.as_ref().map(|timeout| timeout.span)),
        (ResourceOption::Optional, *optional),
        (ResourceOption::Skippable, *skippable),
    ];
    for (option, span) in without_effect {
        if let Some(span) = span {
            cx.error(
                span,
                format_args!(
                    "`{option}` has no effect on a `supplied` resource, whose instance is there from the beginning; \
                     remove it"
                ),
            );
        }
    }
}
