//! A timeline as a page: the picture, and the report as it is logged.

use super::svg::Escaped;
use super::timeline_svg;
use crate::model::report::Report;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;\
background:#fff;color:#1b1f24}pre{overflow:auto;padding:1rem;border-radius:8px;background:#f6f8fa}svg{max-width:100%;\
height:auto}@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}pre{background:#161b22}}";

pub(super) fn page(report: &Report) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{reason}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         {picture}<pre>{report}</pre>\n</body></html>\n",
        reason = Escaped(&report.reason.to_string()),
        picture = timeline_svg::picture(report),
        report = Escaped(&report.to_string()),
    )
}
