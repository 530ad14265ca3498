//! Finds fields of one CSV row (RFC 4180) by their number, reading no further than the last of them.
//!
//! Rows without quotes, which is nearly all of them, are searched eight bytes at a time. A row with a quote before the end of the last
//! wanted field goes the slow way, field by field.

use std::borrow::Cow;
use weir_guest::{Error, Result, bail};

/// The numbers of the columns `names` in `header`.
pub fn find_columns<const N: usize>(header: &[u8], names: [&str; N]) -> Result<[usize; N]> {
    let mut fields = Fields { rest: Some(header) };
    let mut header = Vec::new();
    while let Some(field) = fields.next()? {
        header.push(field);
    }
    let mut columns = [0; N];
    for (column, name) in columns.iter_mut().zip(names) {
        let Some(found) = header.iter().position(|field| field.as_ref() == name.as_bytes()) else {
            let header = header.iter().map(|field| String::from_utf8_lossy(field)).collect::<Vec<_>>().join(",");
            bail!("the header has no column `{name}`: {header}");
        };
        *column = found;
    }
    Ok(columns)
}

/// The fields of `row` with the numbers `columns`, in that order.
#[inline]
pub fn fields<'a, const N: usize>(row: &'a [u8], columns: [usize; N]) -> Result<[Cow<'a, [u8]>; N]> {
    let last = columns.into_iter().max().unwrap_or(0);
    let mut found = [const { Cow::Borrowed(&[] as &[u8]) }; N];
    let mut commas = Commas::new(row);
    let mut start = 0;
    for number in 0..=last {
        let end = match commas.next() {
            Mark::Comma(at) => at,
            Mark::End if number == last => row.len(),
            Mark::End => bail!("the row has {} fields, and field {} is wanted", number + 1, last + 1),
            Mark::Quote => return quoted_fields(row, columns, last),
        };
        for (field, _) in found.iter_mut().zip(columns).filter(|(_, column)| *column == number) {
            *field = Cow::Borrowed(&row[start..end]);
        }
        start = end + 1;
    }
    Ok(found)
}

/// [`fields`] of a row that may have quoted fields.
#[cold]
fn quoted_fields<const N: usize>(row: &[u8], columns: [usize; N], last: usize) -> Result<[Cow<'_, [u8]>; N]> {
    let mut found = [const { Cow::Borrowed(&[] as &[u8]) }; N];
    let mut fields = Fields { rest: Some(row) };
    for number in 0..=last {
        let Some(next) = fields.next()? else {
            bail!("the row has {number} fields, and field {} is wanted", last + 1);
        };
        for (field, _) in found.iter_mut().zip(columns).filter(|(_, column)| *column == number) {
            field.clone_from(&next);
        }
    }
    Ok(found)
}

/// What a search comes upon next.
enum Mark {
    Comma(usize),
    /// A quote stands before the next comma, or near it.
    Quote,
    End,
}

/// The commas of a row, eight bytes at a time.
struct Commas<'a> {
    row: &'a [u8],
    /// Where the eight bytes begin that `found` is about.
    at: usize,
    /// The high bit of each byte that is a comma and was not returned yet.
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

impl<'a> Commas<'a> {
    #[inline(always)]
    fn new(row: &'a [u8]) -> Self {
        // Eight bytes before the row, so that the first step arrives at its beginning.
        Self { row, at: usize::MAX - 7, found: 0 }
    }

    #[inline(always)]
    fn next(&mut self) -> Mark {
        while self.found == 0 {
            self.at = self.at.wrapping_add(8);
            let word = match self.row.get(self.at..) {
                None | Some([]) => return self.end(),
                Some(rest) => match rest.first_chunk::<8>() {
                    Some(bytes) => u64::from_le_bytes(*bytes),
                    None => short_word(rest),
                },
            };
            if bytes_equal(word, b'"') != 0 {
                return Mark::Quote;
            }
            self.found = bytes_equal(word, b',');
        }
        let comma = self.at + self.found.trailing_zeros() as usize / 8;
        self.found &= self.found - 1;
        Mark::Comma(comma)
    }

    /// Stays at the end, however often it is asked again.
    fn end(&mut self) -> Mark {
        self.at = self.row.len();
        Mark::End
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

    #[track_caller]
    fn check<const N: usize>(row: &str, columns: [usize; N], expect: [&str; N]) {
        let found = fields(row.as_bytes(), columns).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(found.map(|field| String::from_utf8_lossy(&field).into_owned()), expect, "{row}");
    }

    #[track_caller]
    fn refused(row: &str, column: usize, expect: &str) {
        let error = fields(row.as_bytes(), [column]).expect_err(row);
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
            for column in 0..5 {
                let fast = fields(&row, [column]).map(|[field]| field);
                let slow = quoted_fields(&row, [column], column).map(|[field]| field);
                assert_eq!(fast.ok(), slow.ok(), "{} {column}", row.escape_ascii());
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
        assert_eq!(find_columns(b"year,\"tailnum\",arr_delay", ["arr_delay", "tailnum"]).ok(), Some([2, 1]));
        let error = find_columns(b"a,b", ["c"]).expect_err("no such column");
        assert_eq!(error.message(), "the header has no column `c`: a,b");
    }
}
