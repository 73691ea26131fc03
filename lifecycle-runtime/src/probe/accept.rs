//! Which form of the status a client wants.

use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// Whether a client would rather have HTML than JSON, as browsers do (RFC 9110, section 12.5.1). One that has no
/// preference gets JSON, and so does one that wants neither.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range<'_>> = values.flat_map(|value| value.split(',')).filter_map(Range::read).collect();
    wish(&ranges, "text", "html") > wish(&ranges, "application", "json")
}

/// One range of media types, such as `text/*;q=0.8`.
#[derive(Clone, Copy)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

/// How much something is wanted: its quality, and then how precisely it was named.
type Wish = (u16, Precision);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Everything,
    Kind,
    Exact,
}

impl<'a> Range<'a> {
    /// `None` if it is malformed: it is then left out.
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| read_quality(value.trim()))
        });
        Some(Self { kind, subtype, quality: quality.unwrap_or(Some(1_000))? })
    }

    fn covers(&self, kind: &str, subtype: &str) -> Option<Precision> {
        let is = |range: &str, name: &str| range.eq_ignore_ascii_case(name);
        match (self.kind, self.subtype) {
            ("*", "*") => Some(Precision::Everything),
            (range, "*") if is(range, kind) => Some(Precision::Kind),
            (range, of_it) if is(range, kind) && is(of_it, subtype) => Some(Precision::Exact),
            _ => None,
        }
    }
}

/// A number from 0 to 1 with up to three decimal places, in thousandths.
fn read_quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if is_number => format!("{decimals:0<3}").parse().ok(),
        "1" if is_number && decimals.bytes().all(|byte| byte == b'0') => Some(1_000),
        _ => None,
    }
}

/// The most precise range decides. What has no quality is not wanted, however precisely it was named.
fn wish(ranges: &[Range<'_>], kind: &str, subtype: &str) -> Wish {
    let covering = ranges.iter().filter_map(|range| Some((range.covers(kind, subtype)?, range.quality)));
    let decisive = covering.max().filter(|(_, quality)| *quality > 0);
    decisive.map_or((0, Precision::Everything), |(precision, quality)| (quality, precision))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn check(values: &[&'static str], expected: bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        assert_eq!(prefers_html(&headers), expected, "{values:?}");
    }

    #[test]
    fn browsers_prefer_html() {
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
        let others = ["text/html, */*", "TEXT/HTML", "text/*, application/*;q=0.5", "text/html;q=0.3"];
        for value in others.into_iter().chain([firefox, chromium]) {
            check(&[value], true);
        }
        check(&["application/json;q=0.5", "text/html ; Q=0.501"], true);
        check(&["*/*, application/json;q=0"], true);
    }

    #[test]
    fn everything_else_gets_json() {
        check(&[], false);
        for value in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.1",
            "application/json, text/html",
            "text/html;q=0",
            "text/html;q=0.5, application/json;q=0.6",
            "text/html;q=0.5, */*",
            "image/png",
            "",
        ] {
            check(&[value], false);
        }
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        for value in
            ["text/html;q=2", "text/html;q=x", "text/html;q=-0", "text/html;q=0.1234", "html", ";;,/,"]
        {
            check(&[value], false);
        }
        check(&["text/html;q=7, text/html;q=0.2"], true);
    }
}
