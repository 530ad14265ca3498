//! Files that become others at every moment at which they can: between any two looks at them, also between looking for one and opening it.

use super::super::look::{begin, locate};
use super::super::spec::Head;
use super::super::watch::Stamp;
use super::*;
use crate::file_source::discovery::InputFile;
use crate::paths::FileName;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;
use tempfile::TempDir;

/// A file that is written anew in front of one of the looks at it.
struct Rewritten {
    before: Vec<u8>,
    after: Vec<u8>,
    /// The look in front of which that happens.
    at: usize,
    looks: AtomicUsize,
    /// False where the file system's clock has not gone on meanwhile.
    shows: bool,
}

impl Rewritten {
    fn now(&self) -> (&[u8], i64) {
        let written = self.looks.fetch_add(1, Relaxed) >= self.at;
        (if written { &self.after } else { &self.before }, i64::from(written && self.shows))
    }
}

impl Content for Rewritten {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let there = self.now().0.get(offset as usize..).unwrap_or_default();
        // Not more than a disk may give at once.
        let count = there.len().min(buffer.len()).min(3_000);
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let (bytes, time) = self.now();
        Ok(Stamp { size: bytes.len() as u64, modified: (time, 0), changed: (time, 0), names: 1 })
    }
}

/// A file of one line, of which nobody can look how long it is while `fails`.
struct Unseen {
    fails: AtomicBool,
}

impl Content for Unseen {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        b"one\n".as_slice().get(offset as usize..).unwrap_or_default().read(buffer)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        if self.fails.load(Relaxed) {
            return Err(io::Error::other("the server does not answer"));
        }
        Ok(Stamp { size: 4, modified: (0, 0), changed: (0, 0), names: 1 })
    }
}

fn options(folder: &TempDir) -> Arc<FileOptions> {
    let settings = json!({ "path": "*.log", "follow": true });
    Arc::new(FileOptions::read(settings.as_object().unwrap(), folder.path()).unwrap().0)
}

/// A file of which as much is known as a look finds out.
fn spec(bytes: &[u8]) -> FollowedSpec {
    FollowedSpec {
        path: FileName::from("a.log"),
        id: FileId::of(&fs::metadata(".").unwrap()),
        head: Head::of(&bytes[..bytes.len().min(KNOWN_BYTES as usize)]),
        start: 0,
        header: None,
        multiline: false,
        seen: bytes.len() as u64,
        read_to: None,
        tail: None,
    }
}

fn lines(prefix: &str, numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{prefix} {number:06}\n").into_bytes()).collect()
}

/// Reads all that there is in a second, and then for as long as it takes; gives the lines, and whether the file was found to be another.
fn read_all(file: Rewritten) -> (Vec<u8>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let opened = OpenFile::read_from(&options(&folder), "logs", spec(&file.before), 0, Arc::new(file)).unwrap();
    let mut open = match opened {
        Opened::File(open) => open,
        Opened::Over(over) => return (Vec::new(), over == Over::Replaced),
    };
    let mut read = Vec::new();
    for look in 0..60 {
        let mut rows = BatchBuilder::new();
        let came = open.read(Duration::from_millis(100 * look), 50, &mut rows).unwrap();
        rows.finish().values().iter().for_each(|line| read.extend([line, b"\n"].concat()));
        match came {
            Came::Rows | Came::Nothing => {}
            Came::Over(over) => return (read, over == Over::Replaced),
        }
    }
    (read, false)
}

/// A file is written anew in front of each look at it: what is handed on is a beginning of what it was, or of what it is now where the two do not
/// differ up to there, and never some of both; and it is noticed where that is not all that it is now.
#[track_caller]
fn check(before: &[u8], after: &[u8], shows: bool) {
    let of = |at| Rewritten { before: before.to_vec(), after: after.to_vec(), at, looks: AtomicUsize::new(0), shows };
    assert_eq!(read_all(of(usize::MAX)), (before.to_vec(), false));
    for at in 0..40 {
        let (read, noticed) = read_all(of(at));
        assert!(before.starts_with(&read) || after.starts_with(&read), "rewritten at look {at}: {} bytes of both", read.len());
        assert!(noticed || read == after, "rewritten at look {at}, and nobody notices");
    }
}

#[test]
fn of_a_file_that_is_written_anew_at_any_moment_nothing_is_handed_on_that_it_was_not() {
    let before = lines("old", 0..900);
    assert!(before.len() > 2 * KNOWN_BYTES as usize);
    for shows in [true, false] {
        check(&before, &lines("new", 0..900), shows);
        check(&before, &[lines("old", 0..850), lines("new", 850..900)].concat(), shows);
        check(&before, &lines("new", 0..2_000), shows);
        check(&before, &lines("new", 0..5), shows);
        check(&before, b"", shows);
    }
}

#[test]
fn of_a_short_file_that_is_written_anew_while_its_beginning_is_learned_none_is_taken_for_the_other() {
    for shows in [true, false] {
        check(b"1\n2\n", b"3\n4\n", shows);
        check(b"1\n2\n", b"3\n4\n5\n", shows);
        check(b"1\n2\n", b"1\n3\n", shows);
        check(b"1\n2\n", b"1\n", shows);
    }
}

#[test]
fn of_a_file_that_nobody_can_look_at_it_is_not_known_how_far_it_lags() {
    let (folder, file) = (tempfile::tempdir().unwrap(), Arc::new(Unseen { fails: AtomicBool::new(false) }));
    let opened = OpenFile::read_from(&options(&folder), "logs", spec(b"one\n"), 0, file.clone()).unwrap();
    let Opened::File(open) = opened else { panic!("it is there") };
    assert_eq!(open.lag(), Some(4));
    file.fails.store(true, Relaxed);
    assert_eq!((open.lag(), open.spec_now().left(0)), (None, None), "also not by its checkpoint");
}

/// A folder with `a.log`, and its spec.
fn one_file() -> (TempDir, FollowedSpec) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), "1\n").unwrap();
    let id = FileId::of(&fs::metadata(folder.path().join("a.log")).unwrap());
    (folder, FollowedSpec { id, ..spec(b"1\n") })
}

#[test]
fn a_file_that_is_renamed_between_the_look_for_it_and_its_opening_is_found_under_its_new_name() {
    for taken_over in [false, true] {
        let (folder, spec) = one_file();
        let options = options(&folder);
        let mut looks = 0;
        let found = find_by(&spec, || {
            let found = locate(&options, &spec)?;
            looks += 1;
            if looks < LOOKS_MAX {
                fs::rename(found.as_ref().expect("it is there"), folder.path().join(format!("a.{looks}"))).unwrap();
                if taken_over {
                    fs::write(found.as_ref().unwrap(), "another\n").unwrap();
                }
            }
            Ok(found)
        });
        let found = found.unwrap().expect("it is still there");
        assert_eq!(found.path, folder.path().join(format!("a.{}", LOOKS_MAX - 1)));
        assert_eq!(found.file.bytes_at(0, 2).unwrap().unwrap(), b"1\n");
    }
}

#[test]
fn a_file_that_is_renamed_at_each_look_is_no_file_that_is_gone() {
    let (folder, spec) = one_file();
    let options = options(&folder);
    let mut looks = 0;
    let never = find_by(&spec, || {
        let found = locate(&options, &spec)?;
        looks += 1;
        fs::rename(found.as_ref().expect("it is there"), folder.path().join(format!("a.{looks}"))).unwrap();
        Ok(found)
    });
    let error = never.err().expect("it is not found");
    assert_eq!((error.kind(), looks), (ErrorKind::Restart, LOOKS_MAX));
}

#[test]
fn what_has_taken_a_found_files_name_since_is_not_begun_as_that_file() {
    let (folder, FollowedSpec { id, .. }) = one_file();
    let path = folder.path().join("a.log");
    let file = InputFile { name: FileName::from("a.log"), path: path.clone(), id };
    assert!(begin(&options(&folder), &file).unwrap().is_some());
    fs::rename(&path, folder.path().join("b.log")).unwrap();
    assert!(begin(&options(&folder), &file).unwrap().is_none(), "it has another name by now");
    fs::write(&path, "another\n").unwrap();
    assert!(begin(&options(&folder), &file).unwrap().is_none(), "another has its name");
}
