//! Components that were pulled, by their SHA-256, in the user's cache folder: a job file may name one by its digest, and what is here is not fetched twice.
//!
//! What is read is compared with its name, so it does not matter who wrote it.

use super::sha256_of;
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_wasm::PLUGIN_BYTES;
use weir_wasm::kept_files::{drop_oldest, touch};

/// Bytes of all of them: where there are more, the ones that were read longest ago go.
const KEPT_BYTES: u64 = 1 << 30;
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
        drop_oldest(&self.path(digest), &[SUFFIX], self.most_bytes)
    }
}

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
        assert_eq!(left, 2);
        assert!(kept.get(&digests[4]).is_some());
    }
}
