//! The items of one key's list: appended one by one, taken off at either end, read from any position, copied for a snapshot without copying
//! the items.
//!
//! Items stand end to end, each behind its length, in segments. Only the last segment grows and is ever copied; it is sealed at
//! [`SEGMENT_BYTES`]. A block of state holds the items in the same form, so writing one copies whole segments. Items are numbered as they
//! come, for ever: a position is an item's number less that of the first item there is. Of a segment whose first items are gone their bytes stay
//! until all its items are.

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
    /// Number of the first item there is.
    first: u64,
    /// Bytes of the first sealed segment in front of that item.
    gone_bytes: usize,
    sealed: Vector<Segment>,
    /// Number of the tail's first item.
    tail_first: u64,
    tail: Vec<u8>,
    tail_items: u64,
    /// What all items count as.
    bytes: u64,
}

#[derive(Clone)]
struct Segment {
    /// Number of its first item, which may be gone.
    first: u64,
    items: Arc<[u8]>,
}

impl ListState {
    /// Number of items.
    pub fn len(&self) -> u64 {
        self.tail_first + self.tail_items - self.first
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
            self.sealed.push_back(Segment { first: self.tail_first, items: self.tail.as_slice().into() });
            self.tail_first += std::mem::take(&mut self.tail_items);
            self.tail.clear();
        }
    }

    /// Removes the first `count` items, or all where there are fewer.
    pub fn pop_front(&mut self, count: u64) {
        let first = self.first + count.min(self.len());
        while let Some(segment) = self.sealed.front() {
            let end = self.sealed.get(1).map_or(self.tail_first, |next| next.first);
            let gone = Front::count(&segment.items[self.gone_bytes..], first.min(end) - self.first);
            self.bytes -= gone.size;
            self.first = first.min(end);
            self.gone_bytes += gone.length;
            if self.first < end {
                return;
            }
            self.sealed.pop_front();
            self.gone_bytes = 0;
        }
        let gone = Front::count(&self.tail, first - self.first);
        self.bytes -= gone.size;
        self.tail.drain(..gone.length);
        self.tail_items -= first - self.first;
        (self.first, self.tail_first) = (first, first);
    }

    /// Removes all items behind the first `len`.
    pub fn truncate(&mut self, len: u64) {
        if len >= self.len() {
            return;
        }
        let end = self.first + len;
        while end < self.tail_first
            && let Some(last) = self.sealed.pop_back()
        {
            self.bytes -= Front::count(&self.tail, self.tail_items).size;
            let gone = if self.sealed.is_empty() { std::mem::take(&mut self.gone_bytes) } else { 0 };
            let first = last.first.max(self.first);
            self.tail = last.items[gone..].to_vec();
            (self.tail_first, self.tail_items) = (first, self.tail_first - first);
        }
        let kept = Front::count(&self.tail, end - self.tail_first);
        self.bytes -= Front::count(&self.tail[kept.length..], self.tail_items - (end - self.tail_first)).size;
        self.tail.truncate(kept.length);
        self.tail_items = end - self.tail_first;
    }

    /// See [`super::StateBackend::list_read`]. An item costs its bytes and those of its end in the column.
    pub fn read(&self, start: u64, max_bytes: usize, out: &mut Column) -> Option<u64> {
        let start = self.first.saturating_add(start);
        let (first_segment, mut number) = self.segment_of(start);
        let mut budget = max_bytes;
        let mut any = false;
        for segment in first_segment..=self.sealed.len() {
            let mut items = self.items_of(segment);
            while !items.is_empty() {
                let item = take_bytes(&mut items).expect("a list's items are well formed");
                if number >= start {
                    let cost = item.len() + size_of::<u32>();
                    if any && cost > budget {
                        return Some(number - self.first);
                    }
                    out.push(item);
                    budget = budget.saturating_sub(cost);
                    any = true;
                }
                number += 1;
            }
        }
        None
    }

    /// The items of a segment that are not gone.
    fn items_of(&self, segment: usize) -> &[u8] {
        let gone = if segment == 0 { self.gone_bytes } else { 0 };
        self.sealed.get(segment).map_or(&self.tail, |segment| &segment.items[gone..])
    }

    /// The segment (the tail: number of sealed ones) that holds item `number`, and the number of its first item that is not gone.
    fn segment_of(&self, number: u64) -> (usize, u64) {
        if number >= self.tail_first {
            return (self.sealed.len(), self.tail_first);
        }
        let at = match self.sealed.binary_search_by(|segment| segment.first.cmp(&number)) {
            Ok(exact) => exact,
            Err(after) => after - 1,
        };
        (at, self.sealed[at].first.max(self.first))
    }

    /// Appends the number of items, and each behind its length.
    pub fn write(&self, out: &mut Vec<u8>) {
        put_number(out, self.len());
        for segment in 0..=self.sealed.len() {
            out.extend_from_slice(self.items_of(segment));
        }
    }
}

/// What so many items at the front of others take.
#[derive(Default)]
struct Front {
    /// In the segment.
    length: usize,
    /// As state counts: see [`super::size`].
    size: u64,
}

impl Front {
    fn count(mut items: &[u8], count: u64) -> Self {
        let (all, mut size) = (items.len(), 0);
        for _ in 0..count {
            size += item_bytes(take_bytes(&mut items).expect("a list's items are well formed"));
        }
        Self { length: all - items.len(), size }
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

    /// All items and what they count as, which has to be what the list says.
    #[track_caller]
    fn items(list: &ListState) -> Vec<Vec<u8>> {
        let mut page = Column::new();
        assert_eq!(list.read(0, usize::MAX, &mut page), None);
        assert_eq!(list.len(), page.len() as u64);
        assert_eq!(list.bytes(), page.iter().map(item_bytes).sum::<u64>());
        let (mut written, mut expected) = (Vec::new(), Vec::new());
        list.write(&mut written);
        put_number(&mut expected, list.len());
        page.iter().for_each(|item| put_bytes(&mut expected, item));
        assert!(written == expected, "a list is written as its items");
        page.iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn items_go_at_either_end_across_segments() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut list, mut model) = (ListState::default(), Vec::new());
            for _ in 0..60 {
                match rng.u8(0..4) {
                    0 | 1 => (0..rng.usize(0..400)).for_each(|_| {
                        let length = if rng.u8(0..100) == 0 { 5_000 } else { rng.usize(0..40) };
                        let item = vec![rng.u8(..); length];
                        list.append(&item);
                        model.push(item);
                    }),
                    2 => {
                        let count = rng.usize(0..600);
                        list.pop_front(count as u64);
                        model.drain(..count.min(model.len()));
                    }
                    _ => {
                        let len = model.len().saturating_sub(rng.usize(0..600));
                        list.truncate(len as u64);
                        model.truncate(len);
                    }
                }
                assert!(items(&list) == model, "seed {seed}");
                let start = rng.usize(0..=model.len());
                let mut page = Column::new();
                list.read(start as u64, usize::MAX, &mut page);
                assert!(page.iter().eq(model[start..].iter().map(Vec::as_slice)), "seed {seed}, from {start}");
            }
        }
    }

    #[test]
    fn a_queue_keeps_no_more_segments_than_its_items_need() {
        let mut queue = list(100);
        for item in 0..100_000_u64 {
            queue.append(&item.to_le_bytes());
            queue.pop_front(1);
        }
        assert_eq!((queue.len(), queue.sealed.len() <= 2, queue.tail.capacity() <= 2 * SEGMENT_BYTES), (100, true, true));
    }

    #[test]
    fn a_clone_does_not_see_what_goes_later() {
        let mut list = list(1_000);
        let clone = list.clone();
        list.pop_front(700);
        list.truncate(10);
        assert_eq!((items(&list).len(), items(&clone).len()), (10, 1_000));
    }

    #[test]
    fn a_clone_does_not_see_later_items() {
        let mut list = list(1_000);
        let clone = list.clone();
        list.append(b"later");
        assert_eq!((list.len(), clone.len()), (1_001, 1_000));
    }
}
