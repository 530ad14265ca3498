//! Components that were pulled, by their SHA-256, in the user's cache folder: a job file may name one by its digest, and what is here is not fetched twice.
//!
//! What is read is compared with its name, so it does not matter who wrote it.

use super::sha256_of;
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use weir_wasm::PLUGIN_BYTES;

/// Bytes of all of them: where there are more, the ones that were read longest ago go.
const KEPT_BYTES: u64 = 1 << 30;
/// How much older than the newest one a file is that somebody has begun and will not end: a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);
/// What their names end in.
const SUFFIX: &str = ".wasm";

/// The folder of what was pulled.
#[derive(Clone, Debug)]
pub struct KeptPlugins {
    folder: PathBuf,
    most_bytes: u64,
}

impl KeptPlugins {
    /// `weir/plugins` in `$XDG_CACHE_HOME`, else in `~/.cache`; `None` where there is neither.
    pub fn of_user() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Self { folder: cache.join("weir/plugins"), most_bytes: KEPT_BYTES })
    }

    /// Where the component with this digest is, or would be.
    pub fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}{SUFFIX}"))
    }

    /// The component with this digest; `None` where it is not here, or is another.
    pub fn get(&self, digest: &str) -> Option<Bytes> {
        let file = File::open(self.path(digest)).ok()?;
        let mut bytes = Vec::new();
        (&file).take(PLUGIN_BYTES + 1).read_to_end(&mut bytes).ok()?;
        if sha256_of(&bytes) != digest {
            return None;
        }
        touch(&file);
        Some(bytes.into())
    }

    /// Keeps a component under its digest.
    pub fn put(&self, digest: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{}-{number}", std::process::id()));
        // Under another name first: nobody reads half of it.
        let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, self.path(digest)));
        written.inspect_err(|_| _ = fs::remove_file(&temporary))?;
        self.drop_oldest(digest)
    }

    fn drop_oldest(&self, newest: &str) -> io::Result<()> {
        let begun_lately = fs::metadata(self.path(newest))?.modified()?.checked_sub(LEFT_BEHIND);
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if !metadata.is_file() || entry.path() == self.path(newest) {
                continue;
            }
            if is_kept(&entry.path()) {
                kept.push((metadata.modified()?, metadata.len(), entry.path()));
            } else if begun_lately.is_some_and(|since| metadata.modified().is_ok_and(|modified| modified < since)) {
                _ = fs::remove_file(entry.path());
            }
        }
        kept.sort();
        let mut all: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in kept {
            if all <= self.most_bytes {
                break;
            }
            // Another process may have been quicker.
            _ = fs::remove_file(path);
            all -= bytes;
        }
        Ok(())
    }
}

fn is_kept(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX))
}

/// Read is as good as new: the oldest go first.
#[cfg(unix)]
fn touch(file: &File) {
    use nix::sys::stat::futimens;
    use nix::sys::time::TimeSpec;
    _ = futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
}

/// Nothing: on other systems the oldest are those that were written first.
#[cfg(not(unix))]
fn touch(_: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(most_bytes: u64) -> (tempfile::TempDir, KeptPlugins) {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = KeptPlugins { folder: folder.path().join("a/b"), most_bytes };
        (folder, kept)
    }

    #[test]
    fn a_component_is_found_under_its_digest_and_nothing_else_is() {
        let (_folder, kept) = kept(KEPT_BYTES);
        let digest = sha256_of(b"component");
        assert_eq!(kept.get(&digest), None);
        kept.put(&digest, b"component").expect("it is kept");
        assert_eq!(kept.get(&digest).as_deref(), Some(&b"component"[..]));
        fs::write(kept.path(&digest), b"componenT").expect("written");
        assert_eq!(kept.get(&digest), None);
        assert_eq!(fs::read_dir(&kept.folder).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn where_there_are_too_many_the_newest_is_among_those_that_stay() {
        let (_folder, kept) = kept(25);
        let digests: Vec<String> = (0..5_u8).map(|number| sha256_of(&[number; 10])).collect();
        for (digest, number) in digests.iter().zip(0..) {
            kept.put(digest, &[number; 10]).expect("it is kept");
        }
        let left = digests.iter().filter(|digest| kept.get(digest).is_some()).count();
        assert_eq!(left, 3);
        assert!(kept.get(&digests[4]).is_some());
    }

    #[test]
    fn what_a_killed_process_has_begun_goes_with_the_next_one_that_is_kept() {
        let (_folder, kept) = kept(KEPT_BYTES);
        fs::create_dir_all(&kept.folder).expect("a folder");
        let begun = |name: &str, older: u64| {
            let file = File::create(kept.folder.join(name)).expect("a file");
            let now = file.metadata().and_then(|metadata| metadata.modified()).expect("a time");
            file.set_modified(now - Duration::from_secs(older)).expect("a time");
        };
        begun(".7-0", 2 * LEFT_BEHIND.as_secs());
        begun(".8-0", 60);
        let digest = sha256_of(b"component");
        kept.put(&digest, b"component").expect("it is kept");
        let mut left: Vec<_> = fs::read_dir(&kept.folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        left.sort();
        assert_eq!(left, [".8-0".to_owned(), format!("{digest}.wasm")]);
    }
}
