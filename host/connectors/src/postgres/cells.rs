//! The cells of a CSV row: parted by commas; one in quotes may have commas, and two quotes for one.

/// The cells of `row`, in order.
pub(super) fn cells(row: &str) -> Vec<String> {
    let (mut cells, mut cell, mut chars) = (Vec::new(), String::new(), row.chars().peekable());
    let mut quoted = false;
    while let Some(next) = chars.next() {
        match next {
            '"' if quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn a_quoted_cell_keeps_its_commas_and_its_quotes() {
        assert_eq!(cells("a,,\"b,\"\"c\"\"\",d e"), ["a", "", "b,\"c\"", "d e"]);
        assert_eq!(cells(""), [""]);
        assert_eq!(cells("x,"), ["x", ""]);
    }
}
