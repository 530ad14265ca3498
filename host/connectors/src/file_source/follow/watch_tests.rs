//! When a file's bytes are compared, and what is told of it.

use super::*;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// A file in memory, which counts how often its bytes are read.
struct Memory {
    file: Mutex<(Vec<u8>, i64)>,
    reads: AtomicUsize,
}

impl Memory {
    fn new(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { file: Mutex::new((bytes.to_vec(), 0)), reads: AtomicUsize::new(0) })
    }

    /// Writes it anew, at this time of the file system.
    fn write(&self, bytes: &[u8], time: i64) {
        *self.file.lock().unwrap() = (bytes.to_vec(), time);
    }
}

impl Content for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads.fetch_add(1, Relaxed);
        let file = self.file.lock().unwrap();
        let there = file.0.get(offset as usize..).unwrap_or_default();
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let file = self.file.lock().unwrap();
        Ok(Stamp { size: file.0.len() as u64, modified: (file.1, 0), changed: (file.1, 0), names: 1 })
    }
}

/// A file of which everything has been read, and its watch.
fn read_to_its_end(bytes: &[u8]) -> (Arc<Memory>, Watch) {
    let memory = Memory::new(bytes);
    let mut watch = Watch::of_new(memory.clone());
    assert_eq!(watch.read(&mut vec![0; bytes.len()]).unwrap(), Some(bytes.len()));
    (memory, watch)
}

fn look_at(watch: &mut Watch, seconds: u64) -> bool {
    watch.set_now(Duration::from_secs(seconds));
    watch.is_same().unwrap()
}

/// A text of so many bytes, whose line at `at` is another.
fn text(bytes: usize, at: usize) -> Vec<u8> {
    (0..bytes).map(|i| if i / 64 == at / 64 { b'x' } else { (i % 251) as u8 }).collect()
}

const NONE: usize = usize::MAX;

#[test]
fn a_file_that_is_written_anew_to_its_length_is_another_where_its_beginning_or_its_end_is() {
    for (bytes, at, how) in [
        (9, 0, Some("its first bytes are others")),
        (20_000, 100, Some("its first bytes are others")),
        (20_000, 19_999, Some("the bytes that were read last are others")),
        (20_000, 20_000 - 4096 + 64, Some("the bytes that were read last are others")),
        (20_000, 10_000, None),
        (20_000, NONE, None),
    ] {
        let (memory, mut watch) = read_to_its_end(&text(bytes, NONE));
        memory.write(&text(bytes, at), 1);
        assert_eq!((look_at(&mut watch, 1), watch.replaced()), (how.is_none(), how), "{bytes} bytes, another at {at}");
        // Once another, it is not read any more, whatever is there.
        memory.write(&text(bytes + 1, NONE), 2);
        assert_eq!(watch.read(&mut [0]).unwrap(), how.is_none().then_some(1));
    }
}

#[test]
fn a_file_that_grows_past_where_it_was_read_to_with_other_bytes_gives_none_of_them() {
    let (memory, mut watch) = read_to_its_end(&text(5_000, NONE));
    memory.write(&text(9_000, 4_500), 1);
    assert_eq!(watch.read(&mut [0; 100]).unwrap(), None);
    assert_eq!((watch.read_to(), watch.replaced()), (5_000, Some("the bytes that were read last are others")));
}

#[test]
fn bytes_are_compared_until_the_files_times_can_be_trusted_and_again_when_they_change() {
    let (memory, mut watch) = read_to_its_end(&text(5_000, NONE));
    let mut compares = |seconds| {
        let before = memory.reads.load(Relaxed);
        assert!(look_at(&mut watch, seconds));
        memory.reads.load(Relaxed) > before
    };
    assert_eq!([1, 2, 3, 4, 9].map(&mut compares), [true, true, false, false, false]);
    memory.write(&text(5_000, NONE), 1);
    assert_eq!([10, 11, 12, 13].map(&mut compares), [true, true, true, false]);
}

#[test]
fn a_second_write_that_the_files_times_do_not_show_is_noticed() {
    let (memory, mut watch) = read_to_its_end(b"1\n2\n");
    assert!(look_at(&mut watch, 1));
    memory.write(b"3\n4\n", 0);
    assert!(!look_at(&mut watch, 2));
}

#[test]
fn who_writes_into_the_middle_is_told_of_once_and_who_appends_is_not() {
    let (memory, mut watch) = read_to_its_end(&text(20_000, NONE));
    let mut told = |seconds| {
        assert!(look_at(&mut watch, seconds));
        watch.take_written_in_place()
    };
    assert_eq!([1, 5, 6].map(&mut told), [false; 3]);
    memory.write(&text(20_000, 10_000), 1);
    // It may be an append of which the size does not show yet.
    assert_eq!([10, 11, 12, 13, 20].map(&mut told), [false, false, true, false, false]);
    memory.write(&text(20_001, 10_000), 2);
    assert_eq!([30, 40, 50].map(&mut told), [false; 3]);
}

#[test]
fn what_is_known_of_the_beginning_grows_with_what_is_read_and_is_never_read_again() {
    let memory = Memory::new(&text(3, NONE));
    let mut watch = Watch::of_new(memory.clone());
    for bytes in [3_usize, 3, 100, 4_095, 4_096, 4_097, 20_000] {
        memory.write(&text(bytes, NONE), bytes as i64);
        while watch.read(&mut [0; 1_000]).unwrap() != Some(0) {}
        assert_eq!(*watch.head(), Head::of(&text(bytes, NONE)[..bytes.min(4_096)]), "of {bytes} bytes");
    }
    // What is known already is not forgotten by who begins to read.
    let known = watch.head().clone();
    let mut again = Watch::new(memory, known.clone(), Vec::new(), 0);
    assert_eq!((again.read(&mut [0; 100]).unwrap(), again.head()), (Some(100), &known));
}
