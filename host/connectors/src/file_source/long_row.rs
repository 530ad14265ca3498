//! Finds the end of a row that is too long to be held, in pieces that are not kept.

use super::doubt::Doubt;
use memchr::{memchr, memchr3};

/// How far the search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LongRow {
    /// A row that ends with its line.
    Line,
    /// A CSV row, in whose quoted cells a comma means nothing.
    Csv(Place),
}

/// Where a scan of a CSV row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the beginning of a cell.
    Start,
    /// In a cell, where a quotation mark means nothing.
    Plain,
    /// In a quoted cell.
    Quoted,
    /// Behind a quotation mark of a quoted cell, which closes it or is the first of two.
    Mark,
}

/// What a piece says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The row goes on behind it.
    Nothing,
    /// The next row begins so many bytes into the piece.
    NextRow(usize),
    /// A quoted cell goes on over a line end, or a quotation mark stands where none should: it may be that a quoted cell is never closed.
    Doubt,
}

impl LongRow {
    /// A row that ends with its line.
    pub(super) fn line() -> Self {
        Self::Line
    }

    /// A CSV row.
    pub(super) fn csv() -> Self {
        Self::Csv(Place::Start)
    }

    /// A CSV row from within a cell that is not quoted.
    pub(super) fn in_csv_cell() -> Self {
        Self::Csv(Place::Plain)
    }

    /// The doubt that the row leaves, once its end has been found.
    pub(super) fn doubt(self) -> Doubt {
        match self {
            Self::Line => Doubt::None,
            Self::Csv(Place::Quoted) => Doubt::Sure,
            Self::Csv(Place::Start | Place::Plain | Place::Mark) => Doubt::Cells,
        }
    }

    /// Looks at the next piece of the row.
    pub(super) fn look(&mut self, piece: &[u8]) -> Found {
        match self {
            Self::Line => memchr(b'\n', piece).map_or(Found::Nothing, |end| Found::NextRow(end + 1)),
            Self::Csv(place) => place.look(piece),
        }
    }
}

impl Place {
    fn look(&mut self, piece: &[u8]) -> Found {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            *self = match (*self, byte) {
                (Self::Quoted, b'\n') => return Found::Doubt,
                (Self::Start | Self::Plain | Self::Mark, b'\n') => return Found::NextRow(at + 1),
                (Self::Start, b'"') | (Self::Mark, b'"') => Self::Quoted,
                (Self::Quoted, b'"') => Self::Mark,
                (Self::Start | Self::Plain | Self::Mark, b',') => Self::Start,
                // Part of a line end, or not: the next byte tells.
                (Self::Mark, b'\r') => Self::Mark,
                (Self::Mark, _) => return Found::Doubt,
                (Self::Start | Self::Plain, _) => Self::Plain,
                (Self::Quoted, _) => Self::Quoted,
            };
            at += 1;
            if matches!(self, Self::Plain | Self::Quoted) {
                at = memchr3(b'"', b',', b'\n', &piece[at..]).map_or(piece.len(), |found| at + found);
            }
        }
        Found::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: &str, expect: Found) {
        let mut whole = LongRow::csv();
        assert_eq!(whole.look(row.as_bytes()), expect, "{row}");
        // Cut anywhere it says the same.
        for cut in 0..=row.len() {
            let mut scan = LongRow::csv();
            let found = match scan.look(&row.as_bytes()[..cut]) {
                Found::Nothing => match scan.look(&row.as_bytes()[cut..]) {
                    Found::NextRow(next) => Found::NextRow(cut + next),
                    other => other,
                },
                other => other,
            };
            assert_eq!(found, expect, "{row}, cut at {cut}");
        }
    }

    #[test]
    fn a_row_ends_at_the_line_end_outside_of_quotation_marks() {
        check("a,b\nc", Found::NextRow(4));
        check("a,\"b, c\",d\ne", Found::NextRow(11));
        check("\"a \"\"b\"\"\"\r\nc", Found::NextRow(11));
        check("a\"b,c\nd", Found::NextRow(6));
        check("a,\"b", Found::Nothing);
        check("a,b", Found::Nothing);
        assert_eq!(LongRow::line().look(b"a,\"b\nc"), Found::NextRow(5));
    }

    #[test]
    fn where_a_quoted_cell_may_never_be_closed_nobody_knows_the_end() {
        check("a,\"b\nc\",d\n", Found::Doubt);
        check("a,\"b\"c,d\n", Found::Doubt);
    }
}
