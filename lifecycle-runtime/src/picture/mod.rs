//! Pictures: a plan and a report as text, graphs, SVG, HTML and JSON. Pure: text from plain data.

#[cfg(feature = "cli")]
mod cursor;
pub(crate) mod forms;
mod graph;
mod json;
mod layout;
pub(crate) mod plan;
mod plan_json;
mod plan_svg;
mod plan_text;
#[cfg(feature = "cli")]
pub(crate) mod reading;
mod svg;
mod timeline;
mod timeline_html;
mod timeline_json;
mod timeline_svg;
mod timeline_text;
pub(crate) mod words;

#[cfg(test)]
mod tests;
