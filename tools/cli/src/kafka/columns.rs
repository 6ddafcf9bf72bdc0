//! Tables as Kafka's newer tools print them: columns as wide as their contents, a tab behind each.

pub fn render(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |index: usize, heading: &str| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain([heading.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> =
        headings.iter().enumerate().map(|(index, heading)| width(index, heading)).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}\t"));
        padded.chain(["\n".to_owned()]).collect::<String>()
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_is_as_wide_as_its_widest_cell() {
        let rows = [vec!["abc".to_owned(), "1".to_owned()]];
        assert_eq!(render(&["A", "Num"], &rows), "A  \tNum\t\nabc\t1  \t\n");
    }
}
