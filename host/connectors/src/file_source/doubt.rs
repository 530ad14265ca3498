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
    /// Not all of them have been seen that it takes to tell: the row fails the job in any case.
    Unseen,
}

/// What is known of the bytes behind bad rows, which come in swarms, so that none is looked at again for each of them.
///
/// Rows begin behind line ends, and those part no two marks: what is known from one row on holds from every later one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    /// From this row on, the last that was asked about.
    start: u64,
    /// No quotation mark stands in front of this.
    unmarked: u64,
    /// Every mark in front of this is doubled.
    doubled: u64,
    /// Where a single mark stands there, and that it opens a cell with a text in it.
    opens: bool,
    /// Bytes that have been looked at, all in all.
    #[cfg(test)]
    looked_at: u64,
}

impl Quiet {
    /// Looks at `after`, which begins behind a bad row at `offset` and holds all that a cell of it could still be.
    pub(super) fn look(&mut self, doubt: Doubt, offset: u64, after: &[u8]) -> Verdict {
        if offset < self.start {
            *self = Self { unmarked: offset, doubled: offset, opens: false, ..*self };
        }
        self.start = offset;
        match doubt {
            Doubt::None => Verdict::Rows,
            Doubt::Cells => self.first_single_mark(offset, after),
            Doubt::Quotes => self.any_mark(offset, after),
            Doubt::Sure => Verdict::Doubtful,
        }
    }

    fn any_mark(&mut self, offset: u64, after: &[u8]) -> Verdict {
        self.unmarked = self.unmarked.max(offset);
        let known = ((self.unmarked - offset) as usize).min(after.len());
        let mark = memchr(b'"', &after[known..]).map(|found| known + found);
        let reached = mark.unwrap_or(after.len());
        self.count(reached - known);
        self.unmarked = offset + reached as u64;
        mark.map_or(Verdict::Rows, |_| Verdict::Doubtful)
    }

    /// The first quotation mark that is not doubled would be the closing one. It is not where it opens a cell with a text in it.
    fn first_single_mark(&mut self, offset: u64, after: &[u8]) -> Verdict {
        if self.opens && offset <= self.doubled {
            return Verdict::Rows;
        }
        self.doubled = self.doubled.max(offset);
        let mut at = ((self.doubled - offset) as usize).min(after.len());
        let begun = at;
        let single = loop {
            match memchr(b'"', &after[at..]) {
                None => break None,
                Some(found) if after.get(at + found + 1) == Some(&b'"') => at += found + 2,
                Some(found) => break Some(at + found),
            }
        };
        let reached = single.unwrap_or(after.len());
        self.count(reached - begun);
        self.doubled = offset + reached as u64;
        self.opens = single.is_some_and(|mark| opens_a_text(after, mark));
        if single.is_none() || self.opens { Verdict::Rows } else { Verdict::Doubtful }
    }

    #[cfg(test)]
    fn count(&mut self, bytes: usize) {
        self.looked_at += bytes as u64;
    }

    #[cfg(not(test))]
    fn count(&mut self, _: usize) {}
}

/// True where the mark, which is not doubled, opens a cell and closes none.
fn opens_a_text(after: &[u8], mark: usize) -> bool {
    let opens = mark == 0 || matches!(after[mark - 1], b',' | b'\n');
    let closes = matches!(after.get(mark + 1), None | Some(b',' | b'\r' | b'\n'));
    opens && !closes
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
    fn what_has_been_looked_at_is_not_looked_at_again_and_what_is_said_of_it_stays_the_same() {
        let mut rng = fastrand::Rng::with_seed(9);
        for round in 0..2_000 {
            let pieces = ["\"", "\"\"", ",", "\n", "a", "b\n"];
            let text: String = (0..rng.usize(0..40)).map(|_| pieces[rng.usize(0..pieces.len())]).collect();
            // Not from the beginning on.
            let starts = (0..=text.len()).skip(rng.usize(0..3)).filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n');
            let mut quiet = Quiet::default();
            for at in starts {
                let doubt = if rng.bool() { Doubt::Cells } else { Doubt::Quotes };
                let look = |quiet: &mut Quiet| quiet.look(doubt, at as u64, &text.as_bytes()[at..]);
                let fresh = look(&mut Quiet::default());
                assert_eq!(look(&mut quiet), fresh, "round {round}: {doubt:?} at {at} of {text:?}");
                if fresh == Verdict::Doubtful {
                    break; // the job fails
                }
            }
            assert!(quiet.looked_at <= 2 * text.len() as u64, "round {round}: {} bytes of {text:?}", quiet.looked_at);
            let anew = |doubt| { quiet }.look(doubt, 0, text.as_bytes()) == Quiet::default().look(doubt, 0, text.as_bytes());
            assert!(anew(Doubt::Cells) && anew(Doubt::Quotes), "round {round}: {text:?}");
        }
    }

    #[test]
    fn of_many_bad_rows_in_a_row_every_byte_is_looked_at_once() {
        for row in ["\"\",\"\",\"\",\"\"\n", "1,2\n", "1,\"a text\"\n", "\"\"\n"] {
            let text = row.repeat(10_000);
            let mut quiet = Quiet::default();
            for at in (row.len()..=text.len()).step_by(row.len()) {
                assert_eq!(quiet.look(Doubt::Cells, at as u64, &text.as_bytes()[at..]), Verdict::Rows, "{row}");
            }
            assert!(quiet.looked_at <= text.len() as u64, "{row}: {} bytes", quiet.looked_at);
        }
    }
}
