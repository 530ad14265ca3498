//! Whether what follows a bad CSV row is the next row, or the inside of a cell of the bad one.
//!
//! A cell that was to go on over line ends and has lost its opening quotation mark, or has one too many, looks like a bad row with rows behind
//! it, which nobody has written. Invariant: a row behind a bad one is read only where no such cell can be open. What such a cell would still
//! need is its closing mark: one that is not doubled, in front of a comma or a line end.

use memchr::memchr;

/// Why the next row might not begin where a bad one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It does begin there: the row is whole, or its format has no cells that go on over line ends.
    None,
    /// Its cells are not those of the header, or hold what they should not: a quotation mark may be missing.
    Cells,
    /// A quotation mark in it stands where none should: there may be more of that kind.
    Quotes,
    /// Nobody can tell where it ends.
    Sure,
}

/// What the bytes behind a bad row say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are rows.
    Rows,
    /// They may be the inside of a cell.
    Doubtful,
}

/// The stretch behind a bad row that has been looked at and is known to have no quotation mark: bad rows come in swarms, and would else have
/// the same bytes looked at again and again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    start: u64,
    end: u64,
}

impl Quiet {
    /// Looks at `after`, which begins behind a bad row at `offset` and holds all that a cell of it could still be.
    pub(super) fn look(&mut self, doubt: Doubt, offset: u64, after: &[u8]) -> Verdict {
        let known = if (self.start..self.end).contains(&offset) { ((self.end - offset) as usize).min(after.len()) } else { 0 };
        let mark = memchr(b'"', &after[known..]).map(|found| known + found);
        *self = Self { start: offset, end: offset + mark.unwrap_or(after.len()) as u64 };
        match doubt {
            Doubt::None => Verdict::Rows,
            Doubt::Cells => mark.map_or(Verdict::Rows, |mark| first_single_mark(after, mark)),
            Doubt::Quotes => mark.map_or(Verdict::Rows, |_| Verdict::Doubtful),
            Doubt::Sure => Verdict::Doubtful,
        }
    }
}

/// The first quotation mark at or behind `mark` that is not doubled would be the closing one. It is not where it opens a cell with a text in it.
fn first_single_mark(after: &[u8], mut mark: usize) -> Verdict {
    while after.get(mark + 1) == Some(&b'"') {
        match memchr(b'"', &after[mark + 2..]) {
            Some(found) => mark += 2 + found,
            None => return Verdict::Rows,
        }
    }
    let opens = mark == 0 || matches!(after[mark - 1], b',' | b'\n');
    let closes = matches!(after.get(mark + 1), None | Some(b',' | b'\r' | b'\n'));
    if opens && !closes { Verdict::Rows } else { Verdict::Doubtful }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(after: &str, cells: Verdict, quotes: Verdict) {
        let look = |doubt| Quiet::default().look(doubt, 7, after.as_bytes());
        assert_eq!((look(Doubt::Cells), look(Doubt::Quotes)), (cells, quotes), "{after}");
        assert_eq!((look(Doubt::None), look(Doubt::Sure)), (Verdict::Rows, Verdict::Doubtful), "{after}");
    }

    #[test]
    fn what_follows_is_rows_where_no_cell_can_be_open() {
        use Verdict::{Doubtful, Rows};
        check("", Rows, Rows);
        check("1,paid,100\n2,paid,200\n", Rows, Rows);
        check("1,\"a, b\",100\n", Rows, Doubtful);
        check("\"a\",1\n", Rows, Doubtful);
        check("1,,2\n2,\"\",3\n4,\"x\",5\n", Rows, Doubtful);
        check("1,paid,100\nend\",5\n", Doubtful, Doubtful);
        check("1,paid,100\n\",5\n", Doubtful, Doubtful);
        check("1,paid,100\nsaid \"\"so\"\" and so\",5\n", Doubtful, Doubtful);
        check("1,paid,100\nend\"", Doubtful, Doubtful);
        check("1,a \"b,2\n", Doubtful, Doubtful);
    }

    #[test]
    fn what_is_known_to_be_quiet_is_not_looked_at_again_and_what_is_said_of_it_stays_the_same() {
        let text = b"a\nb\nc\nd\n\"e\"\nf\n";
        let mut quiet = Quiet::default();
        for offset in [0, 2, 4, 8, 12, 0] {
            for doubt in [Doubt::Cells, Doubt::Quotes] {
                let fresh = Quiet::default().look(doubt, offset as u64, &text[offset..]);
                assert_eq!(quiet.look(doubt, offset as u64, &text[offset..]), fresh, "{doubt:?} at {offset}");
            }
        }
    }
}
