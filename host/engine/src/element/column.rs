//! Byte strings end to end with their ends: the one layout of keys and values, from source to guest.

use std::fmt;

/// A sequence of byte strings in two vectors. Item `i` is `data[ends[i-1]..ends[i]]`.
///
/// Invariant: `ends` never decreases and its last entry is the length of `data`; an empty column has empty `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    data: Vec<u8>,
    ends: Vec<u32>,
}

/// Bytes and ends that do not make a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MalformedColumn {
    /// `ends[item]` is smaller than the end before it.
    EndsFall {
        /// The item whose end falls.
        item: usize,
    },
    /// The last end is not the length of the data.
    LastEnd {
        /// The last end (0 where there is none).
        last_end: u32,
        /// The length of the data.
        bytes: usize,
    },
}

impl fmt::Display for MalformedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsFall { item } => write!(f, "the end of item {item} is smaller than the end before it"),
            Self::LastEnd { last_end, bytes } => write!(f, "the last end is {last_end} but there are {bytes} bytes"),
        }
    }
}

impl std::error::Error for MalformedColumn {}

impl Column {
    /// An empty column.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty column with room for `items` items of `bytes` bytes in all.
    pub fn with_capacity(items: usize, bytes: usize) -> Self {
        Self { data: Vec::with_capacity(bytes), ends: Vec::with_capacity(items) }
    }

    /// Takes bytes and ends over after checking them.
    pub fn from_parts(data: Vec<u8>, ends: Vec<u32>) -> Result<Self, MalformedColumn> {
        let mut previous = 0;
        let mut rising = true;
        for &end in &ends {
            rising &= end >= previous;
            previous = end;
        }
        if !rising {
            let item = (1..ends.len()).find(|&i| ends[i] < ends[i - 1]).unwrap_or(0);
            return Err(MalformedColumn::EndsFall { item });
        }
        if previous as usize != data.len() {
            return Err(MalformedColumn::LastEnd { last_end: previous, bytes: data.len() });
        }
        Ok(Self { data, ends })
    }

    /// Appends one item. Panics where the column would pass 4 GiB; every batch is bounded far below that.
    #[inline]
    pub fn push(&mut self, item: &[u8]) {
        self.data.extend_from_slice(item);
        self.end_item();
    }

    /// Appends one item that `write` adds to the end of the data.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.data.len();
        write(&mut self.data);
        assert!(self.data.len() >= before, "an item's writer shortened the column");
        self.end_item();
    }

    /// Appends the items `range` of another column.
    pub fn extend_from(&mut self, other: &Self, range: std::ops::Range<usize>) {
        if range.is_empty() {
            return;
        }
        let start = if range.start == 0 { 0 } else { other.ends[range.start - 1] };
        let end = other.ends[range.end - 1];
        let before = self.data.len();
        self.data.extend_from_slice(&other.data[start as usize..end as usize]);
        assert!(u32::try_from(self.data.len()).is_ok(), "a column stays below 4 GiB");
        let shift = (before as u32).wrapping_sub(start);
        self.ends.extend(other.ends[range].iter().map(|end| end.wrapping_add(shift)));
    }

    #[inline]
    fn end_item(&mut self) {
        let end = u32::try_from(self.data.len()).expect("a column stays below 4 GiB");
        self.ends.push(end);
    }

    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True where there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Item `index`. Panics where it is out of range.
    #[inline]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.data[start..self.ends[index] as usize]
    }

    /// The items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// All items end to end.
    #[inline]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The ends of the items.
    #[inline]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Removes all items and keeps the room.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    /// Bytes of items and ends together.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.data.len() + 4 * self.ends.len()
    }

    /// The bytes and the ends.
    pub fn into_parts(self) -> (Vec<u8>, Vec<u32>) {
        (self.data, self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_pushed() {
        let mut column = Column::new();
        for item in [&b"ab"[..], b"", b"c"] {
            column.push(item);
        }
        assert_eq!(column.iter().collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        assert_eq!(column.ends(), [2, 2, 3]);
    }

    #[test]
    fn falling_and_overrunning_ends_are_refused() {
        assert_eq!(Column::from_parts(vec![0; 2], vec![2, 1, 2]), Err(MalformedColumn::EndsFall { item: 1 }));
        assert_eq!(Column::from_parts(vec![0; 2], vec![1, 3]), Err(MalformedColumn::LastEnd { last_end: 3, bytes: 2 }));
        assert_eq!(Column::from_parts(vec![0; 2], vec![]), Err(MalformedColumn::LastEnd { last_end: 0, bytes: 2 }));
    }
}
