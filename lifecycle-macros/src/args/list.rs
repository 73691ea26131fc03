//! Reads the list of options: which options there are, and the tokens of each value.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use super::value::{Arg, Value};
use crate::ctxt::Ctxt;
use crate::option::{self, OptionName};
use crate::tokens::{flatten, is_punct, past_comma};

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
        let TokenTree::Ident(key) = first else {
            cx.error_spanned(first, format_args!("expected an option, as in `{}`", O::ALL[0].example()));
            rest = past_comma(rest);
            continue;
        };
        let (value, after_value) = take_value::<O>(cx, key, &rest[1..]);
        let previous = found.last().map(|found| found.arg.option);
        if let Some((option, spelling)) = resolve(cx, key, &value, previous) {
            add(cx, &mut found, Found { arg: Arg { option, key: key.clone(), value }, spelling });
        }
        rest = after_value;
    }
    found.into_iter().map(|found| found.arg).collect()
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
fn resolve<O: OptionName>(
    cx: &Ctxt,
    key: &Ident,
    value: &Value,
    previous: Option<O>,
) -> Option<(O, Spelling)> {
    if let Some(option) = known(key) {
        return Some((option, Spelling::Right));
    }
    let written = key.to_string();
    let names = O::ALL.iter().map(|option| option.name());
    if let Some(name) = option::nearest(&written, names) {
        cx.error(key.span(), format_args!("unknown option `{written}`; did you mean `{name}`?"));
        let option = O::ALL.iter().find(|option| option.name() == name)?;
        return Some((*option, Spelling::Guessed));
    }
    let is_type = matches!(value, Value::Absent) && written.starts_with(char::is_uppercase);
    let advice = if is_type && previous == Some(O::RESOURCES) {
        format!("several resources go in brackets: `{} = [Db, Cache]`", O::RESOURCES)
    } else {
        let names: Vec<String> = O::ALL.iter().map(|option| format!("`{option}`")).collect();
        format!("the options are {}", names.join(", "))
    };
    cx.error(key.span(), format_args!("unknown option `{written}`; {advice}"));
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
