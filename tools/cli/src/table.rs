//! Answers as tables for people: columns without lines between them, as wide as their contents.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::NOTHING};

/// A table with a line of headings. Columns that hold numbers stand to the right.
pub fn render(headings: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_spaces() {
        let rows =
            vec![vec!["orders".to_owned(), "3".to_owned()], vec!["a".to_owned(), "12".to_owned()]];
        let text = render(&["topic", "partitions"], &[1], rows);
        assert_eq!(text, "TOPIC   PARTITIONS\norders           3\na               12\n");
    }
}
