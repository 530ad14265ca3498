//! Finds fields of one CSV row (RFC 4180) by their columns, reading no further than the last of them: for operators behind a csv source,
//! which hands them rows as values and the header as [`Setup::schema`](crate::Setup::schema).
//!
//! Rows without quotes, which is nearly all of them, are searched eight bytes at a time by [`Columns::plain`]. A row with a quote before
//! the end of the last wanted field goes the slow way, field by field, through [`Columns::read`].

use crate::bail;
use crate::error::{Error, Result};
use std::borrow::Cow;

/// The columns that are wanted of each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns<const N: usize> {
    /// Each column with its place among the names, in the order of the row.
    ascending: [(usize, usize); N],
}

impl<const N: usize> Columns<N> {
    /// The columns `names` of rows under `header`. A name has to stand there once, and be asked for once.
    pub fn find(header: &[u8], names: [&str; N]) -> Result<Self> {
        let mut fields = Fields { rest: Some(header) };
        let mut header = Vec::new();
        while let Some(field) = fields.next()? {
            header.push(field);
        }
        let mut ascending = [(0, 0); N];
        for (place, name) in names.into_iter().enumerate() {
            let mut columns = (0..header.len()).filter(|&column| header[column].as_ref() == name.as_bytes());
            let (Some(column), None) = (columns.next(), columns.next()) else {
                let wrong = if header.iter().any(|field| field.as_ref() == name.as_bytes()) { "more than one" } else { "no" };
                let header = header.iter().map(|field| String::from_utf8_lossy(field)).collect::<Vec<_>>().join(",");
                bail!("the header has {wrong} column `{name}`: {header}");
            };
            if ascending[..place].iter().any(|&(other, _)| other == column) {
                bail!("the column `{name}` is asked for twice");
            }
            ascending[place] = (column, place);
        }
        ascending.sort_unstable();
        Ok(Self { ascending })
    }

    /// The wanted fields in the order of the names; `None` where the row has quotes or too few fields, and [`Self::read`] says more.
    #[inline]
    pub fn plain<'a>(&self, row: &'a [u8]) -> Option<[&'a [u8]; N]> {
        let mut found = [&[] as &[u8]; N];
        let mut commas = Commas::new(row);
        let (mut field, mut start) = (0, 0);
        for (column, place) in self.ascending {
            if column > field {
                start = commas.skip(column - field)?.at + 1;
                field = column;
            }
            let end = commas.end_of_field()?;
            found[place] = row.get(start..end)?;
            (field, start) = (field + 1, end + 1);
        }
        Some(found)
    }

    /// The wanted fields in the order of the names, of any row.
    #[cold]
    pub fn read<'a>(&self, row: &'a [u8]) -> Result<[Cow<'a, [u8]>; N]> {
        let mut found = [const { Cow::Borrowed(&[] as &[u8]) }; N];
        let mut fields = Fields { rest: Some(row) };
        let mut wanted = self.ascending.into_iter().peekable();
        for number in 0.. {
            let Some(&(column, place)) = wanted.peek() else { break };
            let Some(field) = fields.next()? else {
                bail!("the row has {number} fields, and field {} is wanted", column + 1);
            };
            if number == column {
                found[place] = field;
                wanted.next();
            }
        }
        Ok(found)
    }
}

/// Where a comma stands.
struct Comma {
    at: usize,
}

/// The commas of a row, eight bytes at a time.
struct Commas<'a> {
    row: &'a [u8],
    /// Where the eight bytes begin that `found` is about.
    at: usize,
    /// The high bit of each byte that is a comma and was not passed yet.
    found: u64,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte of `word` that is `byte`, exactly.
#[inline(always)]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    let differ = word ^ (LOW * u64::from(byte));
    !((differ & !HIGH).wrapping_add(!HIGH) | differ) & HIGH
}

/// What the next eight bytes are.
enum Step {
    Plain,
    /// There is a quote among them.
    Quote,
    End,
}

impl<'a> Commas<'a> {
    #[inline(always)]
    fn new(row: &'a [u8]) -> Self {
        // Eight bytes before the row, so that the first step arrives at its beginning.
        Self { row, at: usize::MAX - 7, found: 0 }
    }

    /// Passes `count` commas, 1 at least, and says where the last of them stands.
    #[inline(always)]
    fn skip(&mut self, mut count: usize) -> Option<Comma> {
        loop {
            let here = self.found.count_ones() as usize;
            if count <= here {
                for _ in 1..count {
                    self.found &= self.found - 1;
                }
                return Some(self.pass());
            }
            count -= here;
            match self.step() {
                Step::Plain => {}
                Step::Quote | Step::End => return None,
            }
        }
    }

    /// Passes the comma behind the field that begins here, if there is one.
    #[inline(always)]
    fn end_of_field(&mut self) -> Option<usize> {
        while self.found == 0 {
            match self.step() {
                Step::Plain => {}
                Step::Quote => return None,
                Step::End => return Some(self.row.len()),
            }
        }
        Some(self.pass().at)
    }

    /// Passes the first comma that was found, which there has to be.
    #[inline(always)]
    fn pass(&mut self) -> Comma {
        let at = self.at + self.found.trailing_zeros() as usize / 8;
        self.found &= self.found - 1;
        Comma { at }
    }

    /// Looks at the next eight bytes, or as many as there are.
    #[inline(always)]
    fn step(&mut self) -> Step {
        self.at = self.at.wrapping_add(8);
        let word = match self.row.get(self.at..) {
            None | Some([]) => {
                (self.at, self.found) = (self.row.len(), 0);
                return Step::End;
            }
            Some(rest) => match rest.first_chunk::<8>() {
                Some(bytes) => u64::from_le_bytes(*bytes),
                None => short_word(rest),
            },
        };
        self.found = bytes_equal(word, b',');
        if bytes_equal(word, b'"') == 0 { Step::Plain } else { Step::Quote }
    }
}

/// Fewer than eight bytes, filled up with zeros.
fn short_word(rest: &[u8]) -> u64 {
    rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// The fields of a row one after the other, quoted or not.
struct Fields<'a> {
    /// What stands behind the last comma; `None` after the last field.
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<Cow<'a, [u8]>>> {
        let Some(rest) = self.rest else { return Ok(None) };
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let end = memchr::memchr(b',', rest);
            self.rest = end.map(|end| &rest[end + 1..]);
            return Ok(Some(Cow::Borrowed(&rest[..end.unwrap_or(rest.len())])));
        };
        let (field, after) = unquote(quoted)?;
        self.rest = match after.split_first() {
            None => None,
            Some((b',', after)) => Some(after),
            Some((&byte, _)) => bail!("`{}` follows a quoted field where a comma should", byte.escape_ascii()),
        };
        Ok(Some(field))
    }
}

/// A field up to its closing quote, with doubled quotes made single, and what follows that quote.
fn unquote(quoted: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8])> {
    let mut field: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    let mut rest = quoted;
    loop {
        let Some(quote) = memchr::memchr(b'"', rest) else {
            return Err(Error::new("a quoted field does not end"));
        };
        let (part, after) = (&rest[..quote], &rest[quote + 1..]);
        if field.is_empty() {
            field = Cow::Borrowed(part);
        } else {
            field.to_mut().extend_from_slice(part);
        }
        let Some(again) = after.strip_prefix(b"\"") else { return Ok((field, after)) };
        field.to_mut().push(b'"');
        rest = again;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns<const N: usize>(columns: [usize; N]) -> Columns<N> {
        let mut ascending = std::array::from_fn(|place| (columns[place], place));
        ascending.sort_unstable();
        Columns { ascending }
    }

    /// Both ways of reading find the same, where the row is plain.
    #[track_caller]
    fn check<const N: usize>(row: &str, wanted: [usize; N], expect: [&str; N]) {
        let columns = columns(wanted);
        let found = columns.read(row.as_bytes()).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(found.map(|field| String::from_utf8_lossy(&field).into_owned()), expect, "{row}");
        let plain = columns.plain(row.as_bytes());
        assert_eq!(plain, (!row.contains('"')).then_some(expect.map(str::as_bytes)), "{row}");
    }

    #[track_caller]
    fn refused(row: &str, column: usize, expect: &str) {
        assert_eq!(columns([column]).plain(row.as_bytes()), None);
        let error = columns([column]).read(row.as_bytes()).expect_err(row);
        assert!(error.message().contains(expect), "{row}: {error}");
    }

    #[test]
    fn fields_are_found_wherever_they_stand() {
        check("2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR", [8, 11], ["11", "N14228"]);
        check("a,b", [1, 0], ["b", "a"]);
        check("a,b,", [2, 1], ["", "b"]);
        check("", [0], [""]);
        check(",,,,,,,,x", [8, 0], ["x", ""]);
        check("12345678,2345678,345678", [0, 1, 2], ["12345678", "2345678", "345678"]);
        check("\u{ac}\u{ad}-+\u{12c},b", [0, 1], ["\u{ac}\u{ad}-+\u{12c}", "b"]);
    }

    #[test]
    fn quoted_fields_lose_their_quotes() {
        check("\"a,b\",c", [0, 1], ["a,b", "c"]);
        check("a,\"b \"\"and\"\" c\",d", [1, 2], ["b \"and\" c", "d"]);
        check("\"\",\"\"\"\",x", [0, 1, 2], ["", "\"", "x"]);
        check("\"\"\"a\"", [0], ["\"a"]);
        check("a b\" c,d", [0, 1], ["a b\" c", "d"]);
    }

    #[test]
    fn rows_that_are_none_are_refused() {
        refused("a,b", 2, "the row has 2 fields, and field 3 is wanted");
        refused("\"a\",b", 2, "the row has 2 fields, and field 3 is wanted");
        refused("\"a,b", 1, "does not end");
        refused("\"a\"b,c", 1, "`b` follows a quoted field");
    }

    #[test]
    fn a_search_by_words_finds_what_a_search_by_fields_finds() {
        let mut seed = 1u32;
        for _ in 0..5_000 {
            let row: Vec<u8> = (0..seed >> 26).map(|_| b",,ab\xac-"[(next(&mut seed) % 6) as usize]).collect();
            for (first, second) in [(0, 1), (1, 0), (2, 4), (3, 9), (0, 7)] {
                let columns = columns([first, second]);
                let slow = columns.read(&row).ok();
                let fast = columns.plain(&row);
                assert_eq!(fast, slow.as_ref().map(|fields| fields.each_ref().map(|field| &field[..])), "{}", row.escape_ascii());
            }
            next(&mut seed);
        }
    }

    fn next(seed: &mut u32) -> u32 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *seed >> 16
    }

    #[test]
    fn a_missing_column_is_refused_with_the_header() {
        assert_eq!(Columns::find(b"year,\"tailnum\",arr_delay", ["arr_delay", "tailnum"]).ok(), Some(columns([2, 1])));
        let error = Columns::find(b"a,b", ["c"]).expect_err("no such column");
        assert_eq!(error.message(), "the header has no column `c`: a,b");
    }

    #[test]
    fn a_column_that_is_there_or_asked_for_twice_is_refused_by_name() {
        let error = Columns::find(b"a,\"b\",b", ["a", "b"]).expect_err("which of the two?");
        assert_eq!(error.message(), "the header has more than one column `b`: a,b,b");
        let error = Columns::find(b"a,b", ["b", "a", "b"]).expect_err("it would be read once");
        assert_eq!(error.message(), "the column `b` is asked for twice");
        assert!(Columns::find(b"a,b,b", ["a"]).is_ok(), "nobody asks for the columns of one name");
    }
}
