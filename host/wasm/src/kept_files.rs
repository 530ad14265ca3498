//! Folders of files that are kept because they may be wanted again: compiled code, components that were pulled. Where all are too large, the ones that were read
//! longest ago go.
//!
//! Each is written under a name that begins with a dot, and then called by its own, so that nobody reads half of it. What a process that was killed has left
//! goes some time later.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How much older than the newest one a file is that somebody has begun and will not end.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// Sees to it that the files beside `newest` whose names end in one of `suffixes` have at most `most_bytes` together with it. It stays itself.
pub fn drop_oldest(newest: &Path, suffixes: &[&str], most_bytes: u64) -> io::Result<()> {
    let Some(folder) = newest.parent() else { return Ok(()) };
    let begun_lately = fs::metadata(newest).and_then(|file| file.modified()).ok().and_then(|time| time.checked_sub(LEFT_BEHIND));
    let (mut kept, mut all) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may have been quicker.
        let Ok(metadata) = entry.metadata() else { continue };
        let (modified, name) = (metadata.modified()?, entry.file_name().to_string_lossy().into_owned());
        if !metadata.is_file() {
            continue;
        }
        if name.starts_with('.') {
            if begun_lately.is_some_and(|since| modified < since) {
                _ = fs::remove_file(entry.path());
            }
        } else if suffixes.iter().any(|suffix| name.ends_with(suffix)) {
            all += metadata.len();
            if entry.path() != newest {
                kept.push((modified, metadata.len(), entry.path()));
            }
        }
    }
    kept.sort();
    for (_, bytes, path) in kept {
        if all <= most_bytes {
            break;
        }
        _ = fs::remove_file(path);
        all -= bytes;
    }
    Ok(())
}

/// Read is as good as new: the oldest go first.
#[cfg(unix)]
pub fn touch(file: &File) {
    use nix::sys::stat::futimens;
    use nix::sys::time::TimeSpec;
    _ = futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
}

/// Nothing: on other systems the oldest are those that were written first.
#[cfg(not(unix))]
pub fn touch(_: &File) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    /// A file of ten bytes, this much older than the newest.
    fn file(folder: &Path, name: &str, older: Duration) -> File {
        fs::write(folder.join(name), [7; 10]).expect("written");
        let file = File::options().write(true).open(folder.join(name)).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + 100 * LEFT_BEHIND - older).expect("a time");
        file
    }

    /// What is left of such files, where `most_bytes` may be.
    #[track_caller]
    fn check(files: &[(&str, u64)], most_bytes: u64, expect: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        files.iter().for_each(|(name, older)| drop(file(folder.path(), name, Duration::from_secs(*older))));
        drop_oldest(&folder.path().join(files[0].0), &[".a", ".b"], most_bytes).expect("it can be read");
        let names = fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut left: Vec<_> = names.map(|name| name.into_string().expect("text")).collect();
        left.sort();
        assert_eq!(left, expect);
    }

    #[test]
    fn the_ones_that_were_read_longest_ago_go_until_there_is_room() {
        let files = [("new.a", 0), ("1.a", 1), ("3.b", 3), ("2.a", 2)];
        check(&files, 40, &["1.a", "2.a", "3.b", "new.a"]);
        check(&files, 39, &["1.a", "2.a", "new.a"]);
        check(&files, 20, &["1.a", "new.a"]);
        // Whatever there is room for, and whichever is the newest by the clock.
        check(&[("new.a", 9), ("1.a", 1)], 5, &["new.a"]);
        check(&[("new.a", 0), ("1.a", 1), ("other", 5)], 10, &["new.a", "other"]);
    }

    #[test]
    fn what_somebody_has_begun_goes_when_it_will_not_be_ended() {
        let hour = LEFT_BEHIND.as_secs();
        check(&[("new.a", 0), (".7-0.a", hour + 1), (".8-0", hour), (".9-0.a", 60)], 10, &[".8-0", ".9-0.a", "new.a"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_read_counts_as_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = file(folder.path(), "1.a", LEFT_BEHIND);
        let before = old.metadata().and_then(|file| file.modified()).expect("a time");
        touch(&old);
        assert!(old.metadata().and_then(|file| file.modified()).expect("a time") > before);
    }
}
