//! Checks an entry point, and removes what would cause a second error.

use proc_macro2::TokenStream;

use super::function::Function;
use super::model::{Entry, Flavor, Resources, StartupTimeout};
use crate::ctxt::Ctxt;
use crate::paths::remove_repeated;

pub(super) fn check(cx: &Ctxt, entry: &mut Entry, function: &Function) {
    check_entry_points(cx, entry, function);
    check_function(cx, function);
    check_parameters(cx, function);
    check_limits(cx, entry);
    check_prestop(cx, entry);
    if let Resources::Named(resources) = &mut entry.resources {
        remove_repeated(cx, resources);
    }
    check_threads(cx, entry);
}

fn check_entry_points(cx: &Ctxt, entry: &Entry, function: &Function) {
    for attribute in &function.entry_points {
        let path = &attribute.path;
        let message = if attribute.name() == "test" {
            "a test cannot be an entry point; start the application inside the test, by `lifecycle::App::builder()`"
                .to_owned()
        } else if entry.runtime.is_path_of(path, "main") {
            format!("`#[{path}]` is given twice; keep one of the two")
        } else {
            format!("remove `#[{path}]`: `#[lifecycle::main]` builds the runtime")
        };
        cx.error_spanned(attribute, message);
    }
}

fn check_function(cx: &Ctxt, function: &Function) {
    let Function { name, generics, qualifiers, .. } = function;
    if !function.is_async {
        let advice = if function.blocks_on {
            ": `#[lifecycle::main]` builds the tokio runtime; remove `#[tokio::main]` or the call of `block_on`"
        } else {
            ""
        };
        cx.error(function.fn_token, format_args!("`{name}` must be `async`{advice}"));
    }
    if let Some(qualifier) = qualifiers.first() {
        cx.error(qualifier.span(), format_args!("`{name}` cannot be `{qualifier}`; write `async fn {name}`"));
    }
    if !generics.is_empty() {
        cx.error_spanned(
            generics,
            format_args!("`{name}` cannot be generic: its caller passes no type arguments"),
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
        cx.error_spanned(
            surplus,
            format_args!("`{name}` takes at most one parameter: `app: lifecycle::App`"),
        );
    }
}

fn check_limits(cx: &Ctxt, entry: &mut Entry) {
    if let Some(limit) = entry.shutdown_timeout.take_if(|limit| limit.value.is_zero()) {
        cx.error(
            limit.span,
            "a `shutdown_timeout` of zero leaves no time to release anything; remove it to use the default",
        );
    }
    if let Some(StartupTimeout::Limit(limit)) = &entry.startup_timeout {
        if limit.value.is_zero() {
            cx.error(
                limit.span,
                "a `startup_timeout` of zero leaves no time to acquire anything; for no limit, write \"none\"",
            );
            entry.startup_timeout = None;
        }
    }
}

fn check_prestop(cx: &Ctxt, entry: &Entry) {
    if let (Some(span), None) = (entry.prestop, &entry.probe) {
        cx.error(
            span,
            "`prestop` is a path of the probe; add the probe's address: `probe = \"0.0.0.0:8081\"`",
        );
    }
}

fn check_threads(cx: &Ctxt, entry: &mut Entry) {
    let Some(workers) = &entry.worker_threads else { return };
    if entry.flavor == Flavor::CurrentThread {
        cx.error(
            workers.span,
            "flavor \"current_thread\" has no worker threads; remove `worker_threads` or the flavor",
        );
    } else if workers.value == 0 {
        cx.error(
            workers.span,
            "at least one worker thread is needed; to use a single thread, write `flavor = \"current_thread\"`",
        );
        entry.worker_threads = None;
    }
}
