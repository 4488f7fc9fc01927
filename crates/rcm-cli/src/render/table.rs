//! Columns.

/// Rows as lines, each beginning with `indent`, columns two spaces apart and as wide as they need to be. Cells carry no colours.
pub(crate) fn table<const N: usize>(indent: &str, rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(widths) {
            let cell = format!("{cell:width$}  ");
            line.push_str(&cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
