//! Counts the cells of a row without quotation marks and finds a few of them, eight bytes at a time.

use std::ops::Range;

const COMMAS: u64 = u64::from_le_bytes([b','; 8]);
const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Finds the same columns in row after row.
pub(super) struct CellFinder {
    columns: usize,
    /// The commas beside the wanted columns, by number, ascending.
    commas: Vec<usize>,
    /// Where those commas stand in the row at hand.
    places: Vec<usize>,
}

impl CellFinder {
    /// For rows of `columns` cells.
    pub(super) fn new(columns: usize, wanted: impl Iterator<Item = usize>) -> Self {
        let mut commas: Vec<usize> = wanted.flat_map(|column| [column.checked_sub(1), Some(column)]).flatten().collect();
        commas.retain(|&comma| comma + 1 < columns);
        commas.sort_unstable();
        commas.dedup();
        Self { columns, places: vec![0; commas.len()], commas }
    }

    /// Looks at a row; gives the number of its cells where it is not `columns`.
    #[inline]
    pub(super) fn look_at(&mut self, row: &[u8]) -> Result<(), usize> {
        let mut search = Search { seen: 0, found: 0, next: self.commas.first().copied().unwrap_or(usize::MAX) };
        let (words, rest) = row.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            search.word(u64::from_le_bytes(*word), index * 8, &self.commas, &mut self.places);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        search.word(u64::from_le_bytes(last), words.len() * 8, &self.commas, &mut self.places);
        if search.seen + 1 == self.columns { Ok(()) } else { Err(search.seen + 1) }
    }

    /// Where a wanted column's cell stands in the row that was looked at.
    #[inline]
    pub(super) fn cell(&self, column: usize, row: &[u8]) -> Range<usize> {
        let place = |comma: usize| self.commas.iter().position(|&other| other == comma).map(|index| self.places[index]);
        let start = column.checked_sub(1).and_then(place).map_or(0, |comma| comma + 1);
        start..place(column).unwrap_or(row.len())
    }
}

struct Search {
    /// Commas so far.
    seen: usize,
    /// Wanted commas so far.
    found: usize,
    /// The number of the next wanted comma.
    next: usize,
}

impl Search {
    #[inline]
    fn word(&mut self, word: u64, offset: usize, commas: &[usize], places: &mut [usize]) {
        let mut marks = commas_in(word);
        let here = ((marks >> 7).wrapping_mul(ONES) >> 56) as usize;
        let mut number = self.seen;
        while self.next < self.seen + here {
            while number < self.next {
                marks &= marks - 1;
                number += 1;
            }
            places[self.found] = offset + marks.trailing_zeros() as usize / 8;
            self.found += 1;
            self.next = commas.get(self.found).copied().unwrap_or(usize::MAX);
        }
        self.seen += here;
    }
}

/// The highest bit of each byte that is a comma.
#[inline]
fn commas_in(word: u64) -> u64 {
    let others = word ^ COMMAS;
    !(((others & LOW_BITS) + LOW_BITS) | others | LOW_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_between_the_commas() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..5_000 {
            let row: Vec<u8> = (0..rng.usize(0..40)).map(|_| b",,abc\x2d\xac\x00"[rng.usize(0..8)]).collect();
            let cells: Vec<&[u8]> = row.split(|&b| b == b',').collect();
            let wanted = [rng.usize(0..cells.len()), rng.usize(0..cells.len())];
            let mut finder = CellFinder::new(cells.len(), wanted.into_iter());
            assert_eq!(finder.look_at(&row), Ok(()));
            for column in wanted {
                assert_eq!(&row[finder.cell(column, &row)], cells[column], "column {column} of {}", row.escape_ascii());
            }
            assert_eq!(CellFinder::new(cells.len() + 1, wanted.into_iter()).look_at(&row), Err(cells.len()));
        }
    }
}
