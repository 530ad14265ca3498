//! Records' headers by column: names and values that travel beside the value, as brokers have them.

use super::Column;
use std::ops::Range;

/// The headers of all records of a batch. Those of record `i` are the items `ends[i-1]..ends[i]` of both columns.
///
/// Invariant: `ends` never decreases, its last entry is the number of items, and there are as many names as values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    ends: Vec<u32>,
    names: Column,
    values: Column,
}

impl Headers {
    /// Those of so many records, none of which has any.
    pub fn of_records(records: usize) -> Self {
        Self { ends: vec![0; records], ..Self::default() }
    }

    /// Takes columns over after checking them; an error says what is wrong.
    pub fn from_parts(ends: Vec<u32>, names: Column, values: Column) -> Result<Self, String> {
        if names.len() != values.len() {
            return Err(format!("{} names and {} values", names.len(), values.len()));
        }
        if let Some(record) = (1..ends.len()).find(|&record| ends[record] < ends[record - 1]) {
            return Err(format!("the end of record {record} is smaller than the end before it"));
        }
        match ends.last().copied().unwrap_or(0) {
            last if last as usize == names.len() => Ok(Self { ends, names, values }),
            last => Err(format!("the last end is {last} but there are {} headers", names.len())),
        }
    }

    /// Number of records that there is an end for.
    pub fn records(&self) -> usize {
        self.ends.len()
    }

    /// True where no record has a header.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The ends of the records' headers.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// All names, record by record.
    pub fn names(&self) -> &Column {
        &self.names
    }

    /// All values, record by record.
    pub fn values(&self) -> &Column {
        &self.values
    }

    /// Bytes of all columns.
    pub fn byte_len(&self) -> usize {
        4 * self.ends.len() + self.names.byte_len() + self.values.byte_len()
    }

    /// Where in the columns the headers of these records are.
    pub fn items(&self, records: Range<usize>) -> Range<usize> {
        let end = |records: usize| if records == 0 { 0 } else { self.ends[records - 1] as usize };
        end(records.start)..end(records.end)
    }

    /// The headers of one record, names and values.
    pub fn of(&self, record: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.items(record..record + 1).map(|item| (self.names.get(item), self.values.get(item)))
    }

    /// Gives the last record another header. Panics where there is no record.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.names.push(name);
        self.values.push(value);
        *self.ends.last_mut().expect("a header belongs to a record") += 1;
    }

    /// Gives the records up to the `records`th, which have none, their ends.
    #[inline]
    pub(super) fn end_at(&mut self, records: usize) {
        self.ends.resize(records, self.names.len() as u32);
    }

    /// Appends those of the records `range` of another.
    pub(super) fn extend_from(&mut self, other: &Self, range: Range<usize>) {
        let items = other.items(range.clone());
        let (before, start) = (self.names.len() as u32, items.start as u32);
        self.ends.extend(other.ends[range].iter().map(|end| end - start + before));
        self.names.extend_from(&other.names, items.clone());
        self.values.extend_from(&other.values, items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(items: &[&str]) -> Column {
        let mut column = Column::new();
        items.iter().for_each(|item| column.push(item.as_bytes()));
        column
    }

    #[track_caller]
    fn refused(ends: &[u32], names: &[&str], values: &[&str], why: &str) {
        assert_eq!(Headers::from_parts(ends.to_vec(), column(names), column(values)), Err(why.to_owned()));
    }

    #[test]
    fn columns_that_make_no_headers_are_refused() {
        refused(&[1], &["a"], &[], "1 names and 0 values");
        refused(&[2, 1], &["a"], &["1"], "the end of record 1 is smaller than the end before it");
        refused(&[1, 1], &["a", "b"], &["1", "2"], "the last end is 1 but there are 2 headers");
        refused(&[], &["a"], &["1"], "the last end is 0 but there are 1 headers");
    }

    #[test]
    fn each_record_has_its_own() {
        let headers = Headers::from_parts(vec![1, 1, 3], column(&["a", "b", "b"]), column(&["1", "2", "3"])).unwrap();
        let of = |record| headers.of(record).map(|(name, value)| [name, value].concat()).collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2)], [vec![b"a1".to_vec()], vec![], vec![b"b2".to_vec(), b"b3".to_vec()]]);
    }
}
