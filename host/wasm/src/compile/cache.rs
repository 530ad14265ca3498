//! Compiled code between runs: one file for each plugin and way to compile it, in a folder that is this user's alone.
//!
//! What lies there is run as it is read, so the folder is used only if it belongs to this user and nobody else may write to it, and an entry only if the
//! same holds for its file. An entry carries its own key and a checksum of its bytes, and is unpacked within a bound. Trouble of any kind costs
//! time, never the run: the plugin is compiled again.

use super::private_dir::{is_private, private_dir};
use super::wire::{Answer, Examined};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const MAGIC: &[u8; 8] = b"weircode";
/// Changes whenever the same file would be examined or packed otherwise, or this format does.
const VERSION: &str = "1";
/// All entries together; the oldest go first.
const CACHE_BYTES: u64 = 1 << 30;
/// Magic, key, length and checksum of what is packed.
const HEAD_BYTES: usize = 8 + 32 + 8 + 8;
const SUFFIX: &str = ".code";
/// Code is read far more often than it is written, and takes as long to read at every level.
const LEVEL: i32 = 1;

/// Names one plugin under one configuration of the compiler.
pub(crate) type Key = [u8; 32];

/// The folder.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    most_bytes: u64,
}

impl CodeCache {
    /// The cache in `folder`, which is made where it is missing; why it cannot be used.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: private_dir(folder)?, most_bytes: CACHE_BYTES })
    }

    /// The key of a file's bytes for an engine that is configured like `engine`.
    pub(crate) fn key(bytes: &[u8], engine: &wasmtime::Engine) -> Key {
        let mut key = KeyHasher(Sha256::new());
        for part in [VERSION, env!("CARGO_PKG_VERSION"), crate::world::WIT] {
            part.hash(&mut key);
        }
        engine.precompile_compatibility_hash().hash(&mut key);
        key.0.update(Sha256::digest(bytes));
        key.0.finalize().into()
    }

    /// What is kept under `key`, in at most `most` bytes.
    pub(crate) fn get(&self, key: &Key, most: u64) -> Option<Examined> {
        let file = File::open(self.path(key)).ok()?;
        let packed_most = most.saturating_add(HEAD_BYTES as u64);
        if !is_private(&file.metadata().ok()?) {
            return None;
        }
        let mut entry = Vec::new();
        (&file).take(packed_most).read_to_end(&mut entry).ok()?;
        let found = unpack(&entry, key, most)?;
        // Read is as good as new: the oldest are dropped first.
        touch(&file);
        Some(found)
    }

    /// Keeps `examined` under `key`, and drops the oldest entries where all together are too large.
    pub(crate) fn put(&self, key: &Key, examined: &Examined) {
        let kept = pack(key, examined).and_then(|entry| self.write(key, &entry)).and_then(|()| self.drop_oldest());
        if let Err(error) = kept {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled code cannot be kept");
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}{SUFFIX}", crate::plugin::hex(key)))
    }

    /// Under another name first, so that nobody reads half of it.
    fn write(&self, key: &Key, entry: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!(".{}-{}{SUFFIX}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let temporary = self.folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&temporary).and_then(|mut file| file.write_all(entry));
        let kept = written.and_then(|()| std::fs::rename(&temporary, self.path(key)));
        if kept.is_err() {
            _ = std::fs::remove_file(&temporary);
        }
        kept
    }

    fn drop_oldest(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() && entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                entries.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        entries.sort();
        let mut all: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in entries {
            if all <= self.most_bytes {
                break;
            }
            // Another process may have been quicker.
            _ = std::fs::remove_file(path);
            all -= bytes;
        }
        Ok(())
    }
}

/// Feeds a key with whatever can be hashed.
struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
    }
}

fn pack(key: &Key, examined: &Examined) -> io::Result<Vec<u8>> {
    let answer = examined.encode();
    let packed = zstd::bulk::compress(&answer, LEVEL)?;
    let mut entry = Vec::with_capacity(HEAD_BYTES + packed.len());
    entry.extend_from_slice(MAGIC);
    entry.extend_from_slice(key);
    entry.extend_from_slice(&(answer.len() as u64).to_le_bytes());
    entry.extend_from_slice(&checksum(key, answer.len() as u64, &packed).to_le_bytes());
    entry.extend_from_slice(&packed);
    Ok(entry)
}

fn unpack(entry: &[u8], key: &Key, most: u64) -> Option<Examined> {
    let (head, packed) = entry.split_at_checked(HEAD_BYTES)?;
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let length = number(40);
    let whole = head.starts_with(MAGIC) && head[8..40] == key[..] && length <= most && number(48) == checksum(key, length, packed);
    if !whole {
        return None;
    }
    let answer = zstd::bulk::decompress(packed, usize::try_from(length).ok()?).ok()?;
    match Answer::decode(&answer)? {
        Answer::Fits(examined) if answer.len() as u64 == length => Some(examined),
        Answer::Fits(_) | Answer::Refused(_) | Answer::OutOfMemory => None,
    }
}

/// Of all that an entry holds.
fn checksum(key: &Key, length: u64, packed: &[u8]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(key);
    hasher.update(&length.to_le_bytes());
    hasher.update(packed);
    hasher.digest()
}

#[cfg(unix)]
fn touch(file: &File) {
    use nix::sys::stat::futimens;
    use nix::sys::time::TimeSpec;
    _ = futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
}

#[cfg(not(unix))]
fn touch(_: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];
    const MOST: u64 = 1 << 20;

    fn examined(code: &[u8]) -> Examined {
        Examined { imports: vec!["weir:operator/logging@0.1.0".into()], component: None, code: code.to_vec() }
    }

    /// Bytes that do not get smaller.
    fn noise(bytes: usize, seed: u8) -> Vec<u8> {
        let mut state = u64::from(seed) + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn what_was_kept_is_found_and_only_under_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(&folder.path().join("a/b")).unwrap();
        assert_eq!(cache.get(&KEY, MOST), None);
        cache.put(&KEY, &examined(b"code"));
        assert_eq!(cache.get(&KEY, MOST), Some(examined(b"code")));
        std::fs::rename(cache.path(&KEY), cache.path(&[8; 32])).unwrap();
        assert_eq!(cache.get(&[8; 32], MOST), None);
    }

    #[test]
    fn an_entry_with_any_byte_changed_or_cut_off_is_none() {
        let entry = pack(&KEY, &examined(b"code")).unwrap();
        assert_eq!(unpack(&entry, &KEY, MOST), Some(examined(b"code")));
        for at in 0..entry.len() {
            let mut changed = entry.clone();
            changed[at] ^= 1;
            assert_eq!(unpack(&changed, &KEY, MOST), None, "byte {at}");
            assert_eq!(unpack(&entry[..at], &KEY, MOST), None, "cut at {at}");
        }
    }

    #[test]
    fn an_entry_that_would_grow_beyond_the_bound_is_not_unpacked() {
        let bomb = examined(&vec![0; 10 << 20]);
        let entry = pack(&KEY, &bomb).unwrap();
        assert!(entry.len() < 100_000);
        assert_eq!(unpack(&entry, &KEY, MOST), None);
        // A length that lies is found out by its checksum, and by what comes out where that lies too.
        let mut lying = entry.clone();
        lying[40..48].copy_from_slice(&100_u64.to_le_bytes());
        let sum = checksum(&KEY, 100, &entry[HEAD_BYTES..]);
        lying[48..56].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(unpack(&lying, &KEY, MOST), None);
    }

    #[test]
    fn the_oldest_entries_go_where_all_are_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache { most_bytes: 250_000, ..CodeCache::open(folder.path()).unwrap() };
        for number in 0..4 {
            cache.put(&[number; 32], &examined(&noise(100_000, number)));
        }
        let kept = (0..4).filter(|number| cache.get(&[*number; 32], MOST).is_some()).count();
        assert_eq!(kept, 2);
        assert!(cache.get(&[3; 32], MOST).is_some(), "the newest is kept");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn an_entry_that_others_may_write_is_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path()).unwrap();
        cache.put(&KEY, &examined(b"code"));
        std::fs::set_permissions(cache.path(&KEY), PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(cache.get(&KEY, MOST), None);
    }
}
