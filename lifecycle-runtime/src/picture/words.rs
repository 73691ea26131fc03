//! Words in a limited width.

/// The width of a terminal that nobody has widened.
pub(super) const COLUMNS: usize = 80;

/// `text` in at most `width` characters. The end of a name says most: the beginning of a long one is left out.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let end: String = text.chars().skip(length + 1 - width).collect();
    format!("…{end}")
}

/// The items behind `lead`, with commas and line breaks, in lines of at most [`COLUMNS`]. Further lines are indented as
/// far as the first item.
pub(super) fn list(lead: &str, items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let indent = lead.chars().count();
    let mut text = lead.to_owned();
    let mut column = indent;
    for (place, item) in items.into_iter().enumerate() {
        let item = shortened(item.as_ref(), COLUMNS - indent - 1);
        let length = item.chars().count();
        if place > 0 {
            text.push(',');
            column += 1;
            // The comma behind this item needs a place too.
            if column + 1 + length + 1 > COLUMNS {
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else {
                text.push(' ');
                column += 1;
            }
        }
        text.push_str(&item);
        column += length;
    }
    text.push('\n');
    text
}

/// The words of `text` in lines of at most [`COLUMNS`]: the first begins with `lead`, and the others as far in.
pub(crate) fn paragraph(lead: &str, text: &str) -> String {
    let indent = lead.chars().count();
    let mut lines = String::new();
    let mut line = lead.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let (column, length) = (line.chars().count(), word.chars().count());
        if !is_empty && column + 1 + length > COLUMNS {
            lines.push_str(&line);
            lines.push('\n');
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(shortened("Database", 8), "Database");
        assert_eq!(shortened("my_crate::storage::Database", 10), "…:Database");
    }

    #[test]
    fn lists_and_paragraphs_stay_within_the_columns() {
        let names: Vec<String> = (0..40).map(|number| format!("Resource{number}")).collect();
        let text = list("    after: ", &names) + &paragraph("  note: ", &names.join(" "));
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
}
