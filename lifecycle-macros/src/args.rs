//! The grammar of the options in an attribute: `name = value`, `flag`, separated by commas.
//!
//! A mistake is reported and read past, so that what follows it is still checked.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use crate::ctxt::Ctxt;
use crate::symbol::{self, AFTER, RESOURCES, Symbol};

mod value;

pub(crate) use self::value::{Spanned, duration};

/// One option as it was written; its value is read by the method for the expected type.
pub(crate) struct Arg {
    pub(crate) symbol: Symbol,
    key: Ident,
    value: Value,
    spelling: Spelling,
}

enum Value {
    /// A name alone.
    Absent,
    /// What follows `=`, possibly nothing.
    Written(Vec<TokenTree>),
    /// Something that is no value, and has been reported.
    Reported,
}

#[derive(PartialEq)]
enum Spelling {
    Right,
    /// Reported; taken for the option that it resembles, lest its absence cause more errors.
    Guessed,
}

/// Reads the options of one attribute, which knows those in `known`.
pub(crate) fn parse(cx: &Ctxt, known: &[Symbol], tokens: TokenStream) -> Vec<Arg> {
    let tokens = flatten(tokens);
    let mut rest = &tokens[..];
    let mut args: Vec<Arg> = Vec::new();
    while let Some(first) = rest.first() {
        let TokenTree::Ident(key) = first else {
            cx.error_spanned(first, format_args!("expected an option, as in `{}`", known[0].example()));
            rest = past_comma(rest);
            continue;
        };
        let (value, after_value) = take_value(cx, known, key, &rest[1..]);
        if let Some((symbol, spelling)) = resolve(cx, known, key, &value, args.last()) {
            add(cx, &mut args, Arg { symbol, key: key.clone(), value, spelling });
        }
        rest = after_value;
    }
    args
}

/// Takes `= value` off the tokens after `key`, and the comma behind it.
fn take_value<'t>(
    cx: &Ctxt,
    known: &[Symbol],
    key: &Ident,
    tokens: &'t [TokenTree],
) -> (Value, &'t [TokenTree]) {
    let is_known = |ident: &Ident| known.iter().any(|symbol| ident == symbol.name());
    let tokens = match tokens {
        [] => return (Value::Absent, tokens),
        [comma, rest @ ..] if is_punct(comma, ',') => return (Value::Absent, rest),
        [equals, rest @ ..] if is_punct(equals, '=') => rest,
        // `name("db")`: left to the reader of the value, which knows what was expected.
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Parenthesis => tokens,
        [TokenTree::Ident(next), ..] if is_known(next) => {
            cx.error(next.span(), format_args!("expected `,` before `{next}`"));
            return (Value::Absent, tokens);
        }
        [other, ..] => {
            let example = known.iter().find(|symbol| key == symbol.name()).map(|symbol| symbol.example());
            let advice = example.map(|example| format!(", as in `{example}`")).unwrap_or_default();
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
        if !is_within_path && (is_known(ident) || is_followed_by_value) {
            cx.error(ident.span(), format_args!("expected `,` before `{ident}`"));
            return (Value::Written(tokens[..i].to_vec()), &tokens[i..]);
        }
    }
    (Value::Written(tokens.to_vec()), &[])
}

fn resolve(
    cx: &Ctxt,
    known: &[Symbol],
    key: &Ident,
    value: &Value,
    previous: Option<&Arg>,
) -> Option<(Symbol, Spelling)> {
    if let Some(symbol) = known.iter().find(|symbol| key == symbol.name()) {
        return Some((*symbol, Spelling::Right));
    }
    let written = key.to_string();
    if let Some(name) = symbol::nearest(&written, known.iter().map(|symbol| symbol.name())) {
        cx.error(key.span(), format_args!("unknown option `{written}`; did you mean `{name}`?"));
        let symbol = known.iter().find(|symbol| symbol.name() == name)?;
        return Some((*symbol, Spelling::Guessed));
    }
    let list = previous.map(|arg| arg.symbol).filter(|symbol| [AFTER, RESOURCES].contains(symbol));
    match list {
        Some(list) if matches!(value, Value::Absent) && written.starts_with(char::is_uppercase) => cx.error(
            key.span(),
            format_args!(
                "unknown option `{written}`; several resources go in brackets: `{list} = [Db, Cache]`"
            ),
        ),
        _ => {
            let names: Vec<String> = known.iter().map(|symbol| format!("`{symbol}`")).collect();
            let names = names.join(", ");
            cx.error(key.span(), format_args!("unknown option `{written}`; the options are {names}"));
        }
    }
    None
}

fn add(cx: &Ctxt, args: &mut Vec<Arg>, arg: Arg) {
    match args.iter_mut().find(|earlier| earlier.symbol == arg.symbol) {
        None => args.push(arg),
        Some(earlier) if earlier.spelling == Spelling::Guessed => *earlier = arg,
        Some(_) if arg.spelling == Spelling::Guessed => {}
        Some(_) => {
            let symbol = arg.symbol;
            cx.error(arg.key.span(), format_args!("`{symbol}` is there twice; keep one of the two"));
        }
    }
}

/// Opens the invisible groups that `macro_rules` puts around fragments such as `$path:path`.
fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    let mut flat = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                flat.extend(flatten(group.stream()));
            }
            token => flat.push(token),
        }
    }
    flat
}

fn past_comma(tokens: &[TokenTree]) -> &[TokenTree] {
    let comma = tokens.iter().position(|token| is_punct(token, ','));
    comma.map_or(&[], |comma| &tokens[comma + 1..])
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}
