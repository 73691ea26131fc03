//! SVG, written: one self-contained element without external references, readable on light and dark backgrounds.

use std::fmt::{self, Write};

/// Colours of each class, on light and on dark backgrounds.
const COLOURS: [(&str, &str, &str, &str); 13] = [
    ("back", "fill", "#ffffff", "#0d1117"),
    ("text", "fill", "#1b1f24", "#e6edf3"),
    ("soft", "fill", "#57606a", "#9198a1"),
    ("bad", "fill", "#cf222e", "#ff7b72"),
    ("box", "fill", "#f6f8fa", "#161b22"),
    ("rim", "stroke", "#afb8c1", "#484f58"),
    ("grid", "stroke", "#e4e8ec", "#21262d"),
    ("mark", "stroke", "#cf222e", "#f85149"),
    ("wait", "fill", "#d8dee4", "#30363d"),
    ("acquire", "fill", "#2f81f7", "#4493f8"),
    ("ready", "fill", "#b4e4c0", "#1f5130"),
    ("drain", "fill", "#e3a008", "#d29922"),
    ("release", "fill", "#8250df", "#a371f7"),
];

const FONT: &str =
    "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}";

fn style() -> String {
    let rules = |colour: fn(&(&str, &str, &str, &'static str)) -> String| -> String {
        COLOURS.iter().map(colour).collect()
    };
    let light = rules(|(class, property, light, _)| format!(".{class}{{{property}:{light}}}"));
    let dark = rules(|(class, property, _, dark)| format!(".{class}{{{property}:{dark}}}"));
    format!("{FONT}{light}@media(prefers-color-scheme:dark){{{dark}}}")
}

/// How wide a character is, in parts of its size: all are equally wide.
const ADVANCE: f64 = 0.602;

/// A picture under construction.
pub(super) struct Svg(String);

impl Svg {
    /// `what` is for readers who do not see the picture.
    pub(super) fn new(width: f64, height: f64, what: &str) -> Self {
        let what = Escaped(what);
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\"><title>{what}</title><style>{}</style>\
             <rect width=\"100%\" height=\"100%\" class=\"back\"/>\n",
            style()
        ))
    }

    /// Adds markup that the caller has written.
    pub(super) fn add(&mut self, markup: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(markup);
        self.0.push('\n');
    }

    /// Adds a text whose baseline begins at (`x`, `y`). It is as wide as [`width`] says, whatever the font.
    pub(super) fn text(&mut self, (x, y): (f64, f64), size: f64, class: &str, text: &str) {
        let length = width(text, size);
        let text = Escaped(text);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" class=\"{class}\" textLength=\"{length:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\">{text}</text>"
        ));
    }

    pub(super) fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// The width of a text.
pub(super) fn width(text: &str, size: f64) -> f64 {
    width_of(text.chars().count(), size)
}

fn width_of(characters: usize, size: f64) -> f64 {
    float(characters) * size * ADVANCE
}

/// As much of a text as fits.
pub(super) fn fitting(text: &str, size: f64, wide: f64) -> String {
    let most = (1..).take_while(|&count| width_of(count, size) <= wide).last().unwrap_or(0);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).collect::<String>() + "…"
}

/// A number of things as a length.
pub(super) fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Text between tags and in attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // XML has no way to write these.
                '\n' | '\t' => f.write_char(character)?,
                control if control.is_control() => f.write_char('\u{fffd}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
