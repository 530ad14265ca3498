//! The items of one key's list: appended one by one, read from any position, copied for a snapshot without copying the items.
//!
//! Items stand end to end, each behind its length, in segments. Only the last segment grows and is ever copied; it is sealed at
//! [`SEGMENT_BYTES`]. A block of state holds the items in the same form, so writing one copies whole segments.

use super::size::item_bytes;
use super::varint::{put_bytes, put_number, take_bytes};
use crate::element::Column;
use imbl::Vector;
use std::sync::Arc;

/// The bound of what a copy-on-write copies of a list.
const SEGMENT_BYTES: usize = 4_096;

/// Never empty once the first item is in.
#[derive(Clone, Default)]
pub(super) struct ListState {
    sealed: Vector<Segment>,
    sealed_items: u64,
    tail: Vec<u8>,
    tail_items: u64,
    /// What all items count as.
    bytes: u64,
}

#[derive(Clone)]
struct Segment {
    /// Position of its first item.
    first: u64,
    items: Arc<[u8]>,
}

impl ListState {
    /// Number of items.
    pub fn len(&self) -> u64 {
        self.sealed_items + self.tail_items
    }

    /// What all items count as.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends one item.
    pub fn append(&mut self, item: &[u8]) {
        self.bytes += item_bytes(item);
        put_bytes(&mut self.tail, item);
        self.tail_items += 1;
        if self.tail.len() >= SEGMENT_BYTES {
            self.sealed.push_back(Segment { first: self.sealed_items, items: self.tail.as_slice().into() });
            self.sealed_items += std::mem::take(&mut self.tail_items);
            self.tail.clear();
        }
    }

    /// See [`super::StateBackend::list_read`]. An item costs its bytes and those of its end in the column.
    pub fn read(&self, start: u64, max_bytes: usize, out: &mut Column) -> Option<u64> {
        let (first_segment, mut position) = self.segment_of(start);
        let mut budget = max_bytes;
        let mut any = false;
        for segment in first_segment..=self.sealed.len() {
            let mut items = self.sealed.get(segment).map_or(&self.tail[..], |segment| &segment.items);
            while !items.is_empty() {
                let item = take_bytes(&mut items).expect("a list's items are well formed");
                if position >= start {
                    let cost = item.len() + size_of::<u32>();
                    if any && cost > budget {
                        return Some(position);
                    }
                    out.push(item);
                    budget = budget.saturating_sub(cost);
                    any = true;
                }
                position += 1;
            }
        }
        None
    }

    /// The segment (the tail: number of sealed ones) that holds position `start`, and its first item's position.
    fn segment_of(&self, start: u64) -> (usize, u64) {
        if start >= self.sealed_items {
            return (self.sealed.len(), self.sealed_items);
        }
        let at = match self.sealed.binary_search_by(|segment| segment.first.cmp(&start)) {
            Ok(exact) => exact,
            Err(after) => after - 1,
        };
        (at, self.sealed[at].first)
    }

    /// Appends the number of items, and each behind its length.
    pub fn write(&self, out: &mut Vec<u8>) {
        put_number(out, self.len());
        for segment in &self.sealed {
            out.extend_from_slice(&segment.items);
        }
        out.extend_from_slice(&self.tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: u64) -> ListState {
        let mut list = ListState::default();
        (0..items).for_each(|item| list.append(&item.to_le_bytes()));
        list
    }

    #[test]
    fn reading_starts_at_any_position_across_segments() {
        let list = list(5_000);
        assert!(list.sealed.len() > 5);
        for start in [0, 1, 454, 455, 456, 2_500, 4_999] {
            let mut page = Column::new();
            assert_eq!(list.read(start, usize::MAX, &mut page), None);
            assert_eq!((page.len() as u64, page.get(0)), (5_000 - start, &start.to_le_bytes()[..]));
        }
        let mut page = Column::new();
        assert_eq!((list.read(5_000, usize::MAX, &mut page), page.len()), (None, 0));
    }

    #[test]
    fn a_page_is_bounded_even_where_items_are_empty() {
        let mut list = ListState::default();
        (0..100).for_each(|_| list.append(b""));
        let mut page = Column::new();
        assert_eq!((list.read(10, 40, &mut page), page.len()), (Some(20), 10));
    }

    #[test]
    fn a_clone_does_not_see_later_items() {
        let mut list = list(1_000);
        let clone = list.clone();
        list.append(b"later");
        assert_eq!((list.len(), clone.len()), (1_001, 1_000));
    }
}
