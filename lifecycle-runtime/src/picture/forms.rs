//! The forms of a plan and of a report.

use std::fmt;

use super::plan::Plan;
use super::{
    graph, plan_json, plan_svg, plan_text, timeline_html, timeline_json, timeline_svg, timeline_text,
};
use crate::model::report::Report;

/// A form in which a [`Plan`] is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanFormat {
    Text,
    Dot,
    Mermaid,
    Json,
    Svg,
}

impl PlanFormat {
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("text", Self::Text),
        ("dot", Self::Dot),
        ("mermaid", Self::Mermaid),
        ("json", Self::Json),
        ("svg", Self::Svg),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}

impl Plan {
    /// A graph in the language of Graphviz. An arrow leads from each resource to those that come after it.
    #[must_use]
    pub fn to_dot(&self) -> String {
        graph::dot(self)
    }

    /// A flowchart in the language of Mermaid, which GitHub and many wikis draw.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        graph::mermaid(self)
    }

    /// One line of JSON. The page [`pictures`](crate::pictures) lists the fields.
    #[must_use]
    pub fn to_json(&self) -> String {
        plan_json::document(self)
    }

    /// A self-contained picture, for light and dark backgrounds.
    #[must_use]
    pub fn to_svg(&self) -> String {
        plan_svg::picture(self)
    }

    pub(crate) fn to_format(&self, format: PlanFormat) -> String {
        match format {
            PlanFormat::Text => self.to_string(),
            PlanFormat::Dot => self.to_dot(),
            PlanFormat::Mermaid => self.to_mermaid(),
            PlanFormat::Json => self.to_json(),
            PlanFormat::Svg => self.to_svg(),
        }
    }
}

/// Text of at most 80 columns, as long as names are not longer.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        plan_text::write(self, f)
    }
}

/// A form in which a report is written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimelineFormat {
    Text,
    Svg,
    Html,
    Json,
}

impl TimelineFormat {
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("txt", Self::Text), ("svg", Self::Svg), ("html", Self::Html), ("json", Self::Json)];

    /// What the end of a file's name asks for.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == extension).map(|(_, format)| *format)
    }
}

impl Report {
    /// The timeline as text: a waterfall of at most 80 columns. The start and the stop have an axis each. `*` marks the
    /// critical path.
    #[must_use]
    pub fn to_timeline(&self) -> String {
        timeline_text::text(self, false)
    }

    /// The timeline as a self-contained picture, for light and dark backgrounds.
    #[must_use]
    pub fn to_svg(&self) -> String {
        timeline_svg::picture(self)
    }

    /// The timeline and the report as a self-contained page.
    #[must_use]
    pub fn to_html(&self) -> String {
        timeline_html::page(self)
    }

    /// One line of JSON. The page [`pictures`](crate::pictures) lists the fields.
    #[must_use]
    pub fn to_json(&self) -> String {
        timeline_json::document(self)
    }

    pub(crate) fn to_format(&self, format: TimelineFormat) -> String {
        match format {
            TimelineFormat::Text => self.to_timeline(),
            TimelineFormat::Svg => self.to_svg(),
            TimelineFormat::Html => self.to_html(),
            TimelineFormat::Json => self.to_json(),
        }
    }

    /// The text, in the colours of a terminal or without.
    pub(crate) fn to_timeline_with(&self, has_colours: bool) -> String {
        timeline_text::text(self, has_colours)
    }
}
