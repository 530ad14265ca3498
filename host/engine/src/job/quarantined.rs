//! Reads what [`super::QuarantineSink`] has set aside, the newest first, part by part: memory holds one part and what is asked for of it, however much there is.

use crate::checkpoint::paths;
use crate::element::CheckpointId;
use crate::error::EngineError;
use crate::runtime::Clock;
use crate::sink::VisibleOutput;
use crate::storage::{Store, retry};
use bytes::Bytes;
use std::cmp::Reverse;

/// Bytes of parts that are read for one page.
const READ_MAX: usize = 256 << 20;
/// Parts that could not be read and are named.
const UNREAD_MAX: usize = 100;

/// Which of the lines are wanted, from the newest on.
#[derive(Clone, Copy, Debug)]
pub struct QuarantineWanted {
    /// So many are passed over.
    pub offset: u64,
    /// So many at most.
    pub limit: usize,
    /// And so many bytes at most, behind the first line.
    pub bytes: usize,
}

/// Some of the lines of one step's quarantine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuarantinePage {
    /// The lines, the newest first.
    pub lines: Vec<QuarantineLine>,
    /// How many lines there are; `None`: not all parts have been read.
    pub total: Option<u64>,
    /// Parts that could not be read: the path of each, and why.
    pub unread: Vec<(String, String)>,
}

/// A line of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarantineLine {
    /// The part's path in the job's storage.
    pub part: String,
    /// Its number in the part, from 1.
    pub line: usize,
    /// The line: JSON, where nobody has damaged it.
    pub text: Bytes,
}

/// The lines of the source or operator `step` that are wanted. A part that cannot be read is named, and hides no other.
pub async fn read_quarantine(
    store: &dyn Store,
    clock: &dyn Clock,
    step: &str,
    wanted: QuarantineWanted,
) -> Result<QuarantinePage, EngineError> {
    let folder = format!("{}/{step}", paths::QUARANTINE);
    let mut parts = retry(clock, || store.list(&folder)).await?;
    parts.sort_by_cached_key(|part| Reverse(age(part)));
    let (mut page, mut passed, mut read, mut is_full) = (QuarantinePage::default(), 0, 0, false);
    for part in parts {
        if is_full || read > READ_MAX {
            return Ok(page);
        }
        match retry(clock, || store.get(&part)).await {
            Ok(Some(bytes)) => {
                read += bytes.len();
                is_full = page.take_from(&part, &bytes, wanted, &mut passed);
            }
            Ok(None) => page.note_unread(part, "it is not there any more".into()),
            Err(error) => page.note_unread(part, error.to_string()),
        }
    }
    page.total = (!is_full).then_some(passed);
    Ok(page)
}

/// Where a part stands among others: by its checkpoint, and those of one by their names. What is named otherwise is the oldest.
fn age(part: &str) -> (Option<CheckpointId>, String) {
    (VisibleOutput::of_part(part).map(|part| part.checkpoint_id), part.to_owned())
}

impl QuarantinePage {
    /// Takes what is wanted of a part's lines, the last first; `passed` counts them. True where there is no room for all of them.
    fn take_from(&mut self, part: &str, bytes: &Bytes, wanted: QuarantineWanted, passed: &mut u64) -> bool {
        let lines: Vec<Bytes> = lines_of(bytes).collect();
        for (number, text) in lines.into_iter().enumerate().rev() {
            *passed += 1;
            if *passed <= wanted.offset {
                continue;
            }
            let taken: usize = self.lines.iter().map(|line| line.text.len()).sum();
            let has_room = self.lines.len() < wanted.limit && (self.lines.is_empty() || taken + text.len() <= wanted.bytes);
            if !has_room {
                return true;
            }
            // A copy: the part goes.
            self.lines.push(QuarantineLine { part: part.to_owned(), line: number + 1, text: Bytes::copy_from_slice(&text) });
        }
        false
    }

    fn note_unread(&mut self, part: String, why: String) {
        if self.unread.len() < UNREAD_MAX {
            self.unread.push((part, why));
        }
    }
}

/// The lines of a part. One whose end is missing is a line as well.
fn lines_of(bytes: &Bytes) -> impl Iterator<Item = Bytes> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = whole.split(|byte| *byte == b'\n').map(|line| bytes.slice_ref(line));
    lines.take(if bytes.is_empty() { 0 } else { usize::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::runtime::Simulator;
    use crate::storage::{ObjectStorage, StoreDecorator};
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    /// Objects of which one cannot be read.
    struct Damaged(ObjectStorage);

    impl StoreDecorator for Damaged {
        fn inner(&self) -> &dyn Store {
            &self.0
        }

        fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
            if path.ends_with("-damaged.jsonl") {
                return async { Err(EngineError::new(ErrorKind::FixInput, "the disk is broken there")) }.boxed();
            }
            self.0.get(path)
        }
    }

    /// What is found of these parts of the step `op`, where another step has one too.
    fn page(parts: &[(&str, &str)], wanted: QuarantineWanted) -> QuarantinePage {
        let (store, simulator) = (Damaged(ObjectStorage::in_memory()), Simulator::new(1));
        for (name, lines) in
            parts.iter().map(|(name, lines)| (format!("op/{name}"), *lines)).chain([("op2/part-0-1-a.jsonl".into(), "{}\n")])
        {
            let put = Store::put(&store, &format!("quarantine/{name}"), vec![Bytes::copy_from_slice(lines.as_bytes())]).now_or_never();
            put.expect("memory does not wait").expect("memory takes it");
        }
        let read = read_quarantine(&store, &*simulator.runtime().clock, "op", wanted).now_or_never();
        read.expect("memory does not wait").expect("it can be listed")
    }

    const ALL: QuarantineWanted = QuarantineWanted { offset: 0, limit: 100, bytes: 1_000 };

    fn texts(page: &QuarantinePage) -> Vec<&str> {
        page.lines.iter().map(|line| std::str::from_utf8(&line.text).expect("a text")).collect()
    }

    #[test]
    fn the_newest_come_first_part_by_part_and_line_by_line() {
        let parts = [("part-0-9-a.jsonl", "1\n2\n"), ("part-0-10-a.jsonl", "5\n6\n"), ("part-1-9-a.jsonl", "3\n4\n"), ("notes", "0\n")];
        let all = page(&parts, ALL);
        assert_eq!((texts(&all), all.total), (vec!["6", "5", "4", "3", "2", "1", "0"], Some(7)));
        assert_eq!((all.lines[0].part.as_str(), all.lines[0].line), ("quarantine/op/part-0-10-a.jsonl", 2));
        let some = page(&parts, QuarantineWanted { offset: 1, limit: 3, ..ALL });
        assert_eq!((texts(&some), some.total), (vec!["5", "4", "3"], None), "how many there are is known once all have been read");
        let last = page(&parts, QuarantineWanted { offset: 5, limit: 2, ..ALL });
        assert_eq!((texts(&last), last.total), (vec!["1", "0"], Some(7)));
        assert_eq!(page(&parts, QuarantineWanted { offset: 7, ..ALL }), QuarantinePage { total: Some(7), ..QuarantinePage::default() });
    }

    #[test]
    fn a_page_has_so_many_bytes_and_one_line_in_any_case() {
        let parts = [("part-0-1-a.jsonl", "aaaa\nbbbb\ncccc\n")];
        let of = |bytes| texts(&page(&parts, QuarantineWanted { bytes, ..ALL })).len();
        assert_eq!([0, 7, 8, 12].map(of), [1, 1, 2, 3]);
    }

    #[test]
    fn a_part_that_cannot_be_read_is_named_and_hides_no_other() {
        let parts = [("part-0-1-a.jsonl", "1\n"), ("part-0-2-damaged.jsonl", "2\n"), ("part-0-3-a.jsonl", "3")];
        let page = page(&parts, ALL);
        assert_eq!(texts(&page), ["3", "1"]);
        assert_eq!(page.unread, [("quarantine/op/part-0-2-damaged.jsonl".to_owned(), "the disk is broken there".to_owned())]);
    }

    #[test]
    fn an_empty_part_has_no_line_and_no_quarantine_no_part() {
        assert_eq!(page(&[("part-0-1-a.jsonl", "")], ALL).total, Some(0));
        assert_eq!(page(&[], ALL).total, Some(0));
    }
}
