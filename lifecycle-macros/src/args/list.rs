//! Reads the list of options: which options there are, and the tokens of each value.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};

use super::value::{Arg, Value};
use crate::ctxt::Ctxt;
use crate::option::{self, OptionName};
use crate::paths::Path;
use crate::tokens::{flatten, is_punct, past_comma, skip_colons};

/// An option and how well its name was written.
struct Found<O> {
    arg: Arg<O>,
    spelling: Spelling,
}

#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Right,
    /// Reported, and taken for the option that it resembles: a missing option could cause further errors.
    Guessed,
}

/// Reads the options of one attribute; each option is there at most once.
pub(crate) fn parse<O: OptionName>(cx: &Ctxt, tokens: TokenStream) -> Vec<Arg<O>> {
    let tokens = flatten(tokens);
    let mut rest = &tokens[..];
    let mut found: Vec<Found<O>> = Vec::new();
    while let Some(first) = rest.first() {
        let (resources, after_resources) = take_resources::<O>(rest);
        if !resources.is_empty() {
            add_resources(cx, &mut found, &resources);
            rest = after_resources;
            continue;
        }
        let TokenTree::Ident(key) = first else {
            cx.error_spanned(first, format_args!("expected an option, as in `{}`", O::ALL[0].example()));
            rest = past_comma(rest);
            continue;
        };
        let (value, after_value) = take_value::<O>(cx, key, &rest[1..]);
        if let Some((option, spelling)) = resolve(cx, key) {
            add(cx, &mut found, Found { arg: Arg { option, key: key.clone(), value }, spelling });
        }
        rest = after_value;
    }
    found.into_iter().map(|found| found.arg).collect()
}

/// Takes the paths of types off the front of `tokens`, where there should be options.
fn take_resources<O: OptionName>(tokens: &[TokenTree]) -> (Vec<Path>, &[TokenTree]) {
    let mut paths = Vec::new();
    let mut rest = tokens;
    while let Some((path, after)) = Path::take(rest) {
        let is_type = path.last_segment().starts_with(char::is_uppercase);
        let is_option = nearest::<O>(&path.text()).is_some();
        let after_comma = match after {
            [] => after,
            [comma, after @ ..] if is_punct(comma, ',') => after,
            _ => break,
        };
        if !is_type || is_option {
            break;
        }
        paths.push(path);
        rest = after_comma;
    }
    (paths, rest)
}

/// Takes `resources` for more values of the option that names resources. Where there is none, it is missing: reported.
fn add_resources<O: OptionName>(cx: &Ctxt, found: &mut Vec<Found<O>>, resources: &[Path]) {
    let earlier = found.iter_mut().find(|earlier| earlier.arg.option == O::RESOURCES);
    if let Some(Found { arg: Arg { value: Value::Written(value), .. }, .. }) = earlier {
        for path in resources {
            value.push(Punct::new(',', Spacing::Alone).into());
            value.extend(path.to_token_stream());
        }
        return;
    }
    let [first, ..] = resources else { return };
    let names: Vec<String> = resources.iter().map(Path::text).collect();
    let names = names.join(", ");
    let written = if resources.len() == 1 { names } else { format!("[{names}]") };
    cx.error_spanned(first, format_args!("expected an option; write `{} = {written}`", O::RESOURCES));
    let list = Group::new(Delimiter::Bracket, quote!(#(#resources),*));
    let arg = Arg {
        option: O::RESOURCES,
        key: Ident::new(O::RESOURCES.name(), first.first),
        value: Value::Written(vec![list.into()]),
    };
    add(cx, found, Found { arg, spelling: Spelling::Guessed });
}

/// Takes `= value` off the tokens after `key`, and the comma behind it.
fn take_value<'t, O: OptionName>(
    cx: &Ctxt,
    key: &Ident,
    tokens: &'t [TokenTree],
) -> (Value, &'t [TokenTree]) {
    let tokens = match tokens {
        [] => return (Value::Absent, tokens),
        [comma, rest @ ..] if is_punct(comma, ',') => return (Value::Absent, rest),
        [equals, rest @ ..] if is_punct(equals, '=') => rest,
        [colon, rest @ ..] if is_punct(colon, ':') && skip_colons(tokens).is_none() => {
            cx.error(colon.span(), format_args!("expected `=` after `{key}`, found `:`"));
            rest
        }
        // `name("db")`: left to the reader of the value, which knows what was expected.
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Parenthesis => tokens,
        [TokenTree::Ident(next), ..] if known::<O>(next).is_some() => {
            cx.error(next.span(), format_args!("expected `,` before `{next}`"));
            return (Value::Absent, tokens);
        }
        [other, ..] => {
            let advice = known::<O>(key).map(|option| format!(", as in `{}`", option.example()));
            let advice = advice.unwrap_or_default();
            cx.error_spanned(other, format_args!("expected `=` or `,` after `{key}`{advice}"));
            return (Value::Reported, past_comma(tokens));
        }
    };
    for (i, token) in tokens.iter().enumerate() {
        if is_punct(token, ',') {
            return (Value::Written(tokens[..i].to_vec()), &tokens[i + 1..]);
        }
        let TokenTree::Ident(ident) = token else { continue };
        let is_within_path = i == 0 || is_punct(&tokens[i - 1], ':');
        let is_followed_by_value = tokens.get(i + 1).is_some_and(|next| is_punct(next, '='));
        if !is_within_path && (known::<O>(ident).is_some() || is_followed_by_value) {
            cx.error(ident.span(), format_args!("expected `,` before `{ident}`"));
            return (Value::Written(tokens[..i].to_vec()), &tokens[i..]);
        }
    }
    (Value::Written(tokens.to_vec()), &[])
}

/// The option that `key` names; a name that is not one is reported.
fn resolve<O: OptionName>(cx: &Ctxt, key: &Ident) -> Option<(O, Spelling)> {
    if let Some(option) = known(key) {
        return Some((option, Spelling::Right));
    }
    if let Some(option) = nearest(&key.to_string()) {
        cx.error(key.span(), format_args!("unknown option `{key}`; did you mean `{option}`?"));
        return Some((option, Spelling::Guessed));
    }
    let names: Vec<String> = O::ALL.iter().map(|option| format!("`{option}`")).collect();
    cx.error(key.span(), format_args!("unknown option `{key}`; the options are {}", names.join(", ")));
    None
}

/// Of two options of one name the first counts, unless that one was guessed.
fn add<O: OptionName>(cx: &Ctxt, all: &mut Vec<Found<O>>, found: Found<O>) {
    let earlier = all.iter_mut().find(|earlier| earlier.arg.option == found.arg.option);
    match earlier.map(|earlier| (earlier.spelling, earlier)) {
        None => all.push(found),
        Some((Spelling::Guessed, earlier)) => *earlier = found,
        Some((Spelling::Right, _)) => match found.spelling {
            Spelling::Guessed => {}
            Spelling::Right => {
                let Arg { option, key, .. } = found.arg;
                cx.error(key.span(), format_args!("`{option}` is given twice; keep one of the two"));
            }
        },
    }
}

fn known<O: OptionName>(key: &Ident) -> Option<O> {
    O::ALL.iter().copied().find(|option| key == option.name())
}

/// The option that `written` most likely means.
fn nearest<O: OptionName>(written: &str) -> Option<O> {
    let names = O::ALL.iter().map(|option| option.name());
    let name = option::nearest(&written.to_lowercase(), names)?;
    O::ALL.iter().copied().find(|option| option.name() == name)
}
