//! Where rows of a CSV file begin, as far as that can be known without reading all of it.
//!
//! A line end within a quoted cell is no row's end, and a range that began there would make rows of the inside of the cell. Invariant: a row
//! start that is found is one for who reads the file from its beginning.

use super::ROW_BYTES_MAX;
use super::long_row::{Found, LongRow};
use memchr::memchr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// The first row start at or behind `about`; the file's end where no more rows begin. `known` is a row start in front of it. `None` where that
/// is not sure: a quoted cell goes on over a line end, or a quotation mark stands where none should.
pub(super) fn next_row_start(file: &mut File, known: u64, about: u64) -> io::Result<Option<u64>> {
    // No row is so long that a cell could be open for longer than that.
    let look_from = known.max(about.saturating_sub(ROW_BYTES_MAX as u64));
    let (mut at, mut scan) = match last_byte_without_marks(file, look_from, about)? {
        None => (known, LongRow::csv()),
        Some(b'\n') => return Ok(Some(about)),
        Some(b',') => (about, LongRow::csv()),
        Some(_) => (about, LongRow::in_csv_cell()),
    };
    file.seek(SeekFrom::Start(at))?;
    let mut input = BufReader::with_capacity(BLOCK_BYTES, file);
    loop {
        let block = input.fill_buf()?;
        if block.is_empty() {
            return Ok(Some(at));
        }
        let (passed, ends) = match scan.look(block) {
            Found::Nothing => (block.len(), false),
            Found::NextRow(next) => (next, true),
            Found::Doubt => return Ok(None),
        };
        input.consume(passed);
        at += passed as u64;
        if ends && at >= about {
            return Ok(Some(at));
        }
        if ends {
            scan = LongRow::csv();
        }
    }
}

/// The byte in front of `end`, where no quotation mark stands between `start` and there.
fn last_byte_without_marks(file: &mut File, start: u64, end: u64) -> io::Result<Option<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut input = BufReader::with_capacity(BLOCK_BYTES, file.take(end - start));
    let mut last = Some(b'\n');
    loop {
        let block = input.fill_buf()?;
        match block.last() {
            None => return Ok(last),
            Some(_) if memchr(b'"', block).is_some() => return Ok(None),
            Some(&byte) => last = Some(byte),
        }
        let passed = block.len();
        input.consume(passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn starts(text: &str, known: u64) -> Vec<Option<u64>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        (known..=text.len() as u64).map(|about| next_row_start(&mut file, known, about).unwrap()).collect()
    }

    #[test]
    fn the_next_row_begins_behind_a_line_end_outside_of_quotation_marks() {
        for text in ["a,b\nc\n\ndef,g\nh", "a,\"b\"\nc,\"d, \"\"e\"\"\"\r\nf,g\"\n\"h\"\n"] {
            let size = text.len() as u64;
            let row_start = |at: u64| at == size || at == 0 || text.as_bytes()[at as usize - 1] == b'\n';
            let expect: Vec<_> = (0..=size).map(|about| (about..=size).find(|&at| row_start(at))).collect();
            assert_eq!(starts(text, 0), expect, "{text}");
        }
    }

    #[test]
    fn no_row_begins_in_a_cell_that_goes_on_over_a_line_end() {
        let text = "h,h\n1,\"note\n1,paid\nend\"\n2,x\n";
        let found = starts(text, 4);
        assert_eq!(found[0], Some(4), "where one is known");
        assert!(found[1..].iter().all(Option::is_none), "{found:?}");
    }

    #[test]
    fn the_way_back_is_no_longer_than_a_row() {
        let mut file = tempfile::tempfile().unwrap();
        let row = format!("{}\n", "x".repeat(1023));
        // A mark that says nothing any more, as far away as it is.
        file.write_all(b"a,\"b\nc\"\n").unwrap();
        (0..17 * 1024).for_each(|_| file.write_all(row.as_bytes()).unwrap());
        let about = 8 + 17 * 1024 * 1024 - 1500;
        assert_eq!(next_row_start(&mut file, 0, about).unwrap(), Some(8 + 17 * 1024 * 1024 - 1024));
    }
}
