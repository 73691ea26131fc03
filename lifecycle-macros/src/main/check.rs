//! Judges an entry point, and takes out what would cause a second error.

use proc_macro2::TokenStream;

use super::Function;
use super::model::{Entry, Flavor, StartupTimeout};
use crate::ctxt::Ctxt;
use crate::paths::remove_repeated;

pub(super) fn check(cx: &Ctxt, entry: &mut Entry, function: &Function) {
    check_function(cx, function);
    check_parameters(cx, function);
    check_limits(cx, entry);
    check_prestop(cx, entry);
    remove_repeated(cx, &mut entry.resources);
    check_threads(cx, entry);
}

fn check_function(cx: &Ctxt, function: &Function) {
    let Function { name, generics, qualifiers, .. } = function;
    if !function.is_async {
        cx.error(function.fn_token, format_args!("`{name}` must be `async`"));
    }
    if let Some(qualifier) = qualifiers.first() {
        cx.error(qualifier.span(), format_args!("`{name}` cannot be `{qualifier}`; write `async fn {name}`"));
    }
    if !generics.is_empty() {
        cx.error_spanned(
            generics,
            format_args!("`{name}` cannot be generic, as nobody could say for what to call it"),
        );
    }
}

fn check_parameters(cx: &Ctxt, function: &Function) {
    let name = &function.name;
    if function.has_receiver() {
        let receiver = &function.parameters[0];
        let advice = "`#[lifecycle::main]` goes on a free function";
        cx.error_spanned(receiver, format_args!("`{name}` cannot take `self`; {advice}"));
    } else if function.parameters.len() > 1 {
        let surplus: TokenStream = function.parameters[1..].iter().cloned().collect();
        cx.error_spanned(surplus, format_args!("`{name}` takes no parameter, or one: `app: lifecycle::App`"));
    }
}

fn check_limits(cx: &Ctxt, entry: &mut Entry) {
    if let Some(limit) = entry.shutdown_timeout.take_if(|limit| limit.value.is_zero()) {
        cx.error(
            limit.span,
            "nothing can be released in no time; leave `shutdown_timeout` out for its default",
        );
    }
    if let Some(StartupTimeout::Limit(limit)) = &entry.startup_timeout {
        if limit.value.is_zero() {
            cx.error(limit.span, "nothing can be acquired in no time; for no limit write \"none\"");
            entry.startup_timeout = None;
        }
    }
}

fn check_prestop(cx: &Ctxt, entry: &Entry) {
    if let (Some(span), None) = (entry.prestop, &entry.probe) {
        cx.error(span, "`prestop` is a path of the probe; say where that is: `probe = \"0.0.0.0:8081\"`");
    }
}

fn check_threads(cx: &Ctxt, entry: &mut Entry) {
    let Some(workers) = &entry.worker_threads else { return };
    if entry.flavor == Flavor::CurrentThread {
        cx.error(
            workers.span,
            "flavor \"current_thread\" has no worker threads; take out `worker_threads` or the flavor",
        );
    } else if workers.value == 0 {
        cx.error(workers.span, "at least one worker thread is needed; for one thread in all, write `flavor = \"current_thread\"`");
        entry.worker_threads = None;
    }
}
