//! Compiled code between runs: one file for each plugin and way to compile it, in a folder that is this user's alone.
//!
//! What lies there is run as it is read, so the folder is used only if it belongs to this user and nobody else may write to it, and an entry only if the
//! same holds for its file. An entry carries its own key and a checksum of its bytes, and is unpacked within a bound. Trouble of any kind costs
//! time, never the run: the plugin is compiled again.

use super::private_dir::{is_private, private_dir};
use super::wire::{Answer, Examined};
use crate::kept_files::{drop_oldest, touch};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8; 8] = b"weircode";
/// Changes whenever the same file would be examined or packed otherwise, or this format does. The world and the adapter, which packing puts into a
/// component, are part of the key by themselves.
const VERSION: &str = "1";
/// What a key is made of beside the compiler and the file.
pub(super) const PARTS: [&str; 5] =
    [VERSION, env!("CARGO_PKG_VERSION"), crate::world::WIT, crate::pack::ADAPTER[0], crate::pack::ADAPTER[1]];
/// All entries together; the oldest go first.
const CACHE_BYTES: u64 = 1 << 30;
/// Magic, key, length and checksum of what is packed.
const HEAD_BYTES: usize = 8 + 32 + 8 + 8;
const SUFFIX: &str = ".code";
/// Of files with compiled functions, which lie beside the entries.
pub(super) const FUNCTIONS_SUFFIX: &str = ".functions";
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
        key_of(&PARTS, bytes, engine)
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
        let found = unpack(entry, key, most)?;
        // Read is as good as new: the oldest are dropped first.
        touch(&file);
        Some(found)
    }

    /// Keeps `examined` under `key`, and drops the oldest entries where all together are too large.
    pub(crate) fn put(&self, key: &Key, examined: &Examined) {
        let kept = self.write(key, examined).and_then(|()| drop_oldest(&self.path(key), &[SUFFIX, FUNCTIONS_SUFFIX], self.most_bytes));
        if let Err(error) = kept {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled code cannot be kept");
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}{SUFFIX}", crate::plugin::hex(key)))
    }

    /// Under another name first, so that nobody reads half of it.
    fn write(&self, key: &Key, examined: &Examined) -> io::Result<()> {
        let temporary = self.folder.join(temporary_name());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // One that is there already is another's.
        let file = options.open(&temporary)?;
        let kept = pack(key, examined, file).and_then(|_| std::fs::rename(&temporary, self.path(key)));
        if kept.is_err() {
            _ = std::fs::remove_file(&temporary);
        }
        kept
    }
}

fn key_of(parts: &[&str], bytes: &[u8], engine: &wasmtime::Engine) -> Key {
    let mut key = KeyHasher::new();
    parts.iter().for_each(|part| part.hash(&mut key));
    engine.precompile_compatibility_hash().hash(&mut key);
    key.0.update(Sha256::digest(bytes));
    key.digest()
}

/// Feeds a key with whatever can be hashed.
pub(super) struct KeyHasher(Sha256);

impl KeyHasher {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(super) fn digest(self) -> Key {
        self.0.finalize().into()
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
    }
}

/// A name that no other process uses, nor one of the same number in another container that shares the folder.
pub(super) fn temporary_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Every one of these has keys of its own, by chance.
    let chance = std::hash::RandomState::new().hash_one(NUMBER.load(Relaxed));
    format!(".{}-{}-{chance:016x}{SUFFIX}", std::process::id(), NUMBER.fetch_add(1, Relaxed))
}

/// Writes an entry, piece by piece: code is large, and a job may be running beside this. What the head says of the rest is known last.
fn pack<W: Write + Seek>(key: &Key, examined: &Examined, mut out: W) -> io::Result<W> {
    let parts = examined.parts();
    let length = parts.iter().map(|part| part.len() as u64).sum();
    out.write_all(&[0; HEAD_BYTES])?;
    let summed = Summed { out, sum: begin_checksum(key, length) };
    let mut encoder = zstd::stream::write::Encoder::new(summed, LEVEL)?;
    encoder.set_pledged_src_size(Some(length))?;
    parts.iter().try_for_each(|part| encoder.write_all(part))?;
    let Summed { mut out, sum } = encoder.finish()?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(key);
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&sum.digest().to_le_bytes());
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&head)?;
    Ok(out)
}

/// Adds up what is written.
struct Summed<W> {
    out: W,
    sum: Xxh3,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn unpack(entry: Vec<u8>, key: &Key, most: u64) -> Option<Examined> {
    let (head, packed) = entry.as_slice().split_at_checked(HEAD_BYTES)?;
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let length = number(40);
    let whole = head.starts_with(MAGIC) && head[8..40] == key[..] && length <= most && number(48) == checksum(key, length, packed);
    if !whole {
        return None;
    }
    let answer = zstd::bulk::decompress(packed, usize::try_from(length).ok()?).ok()?;
    drop(entry);
    if answer.len() as u64 != length {
        return None;
    }
    match Answer::decode(answer)? {
        Answer::Fits(examined) => Some(examined),
        Answer::Refused(_) | Answer::OutOfMemory => None,
    }
}

/// Of all that an entry holds.
fn checksum(key: &Key, length: u64, packed: &[u8]) -> u64 {
    let mut sum = begin_checksum(key, length);
    sum.update(packed);
    sum.digest()
}

fn begin_checksum(key: &Key, length: u64) -> Xxh3 {
    let mut sum = Xxh3::new();
    sum.update(key);
    sum.update(&length.to_le_bytes());
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];
    const MOST: u64 = 1 << 20;

    fn examined(code: &[u8]) -> Examined {
        Examined { imports: vec!["weir:operator/logging@0.2.0".into()], component: None, code: code.to_vec() }
    }

    fn packed(examined: &Examined) -> Vec<u8> {
        pack(&KEY, examined, io::Cursor::new(Vec::new())).unwrap().into_inner()
    }

    #[test]
    fn an_entry_is_written_in_pieces_and_reads_as_it_was() {
        /// Notes the largest piece.
        struct Pieces(io::Cursor<Vec<u8>>, usize);
        impl Write for Pieces {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 = self.1.max(bytes.len());
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Seek for Pieces {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }
        let large = Examined { component: Some(noise(100_000, 3)), ..examined(&noise(10 << 20, 1)) };
        let Pieces(entry, largest) = pack(&KEY, &large, Pieces(io::Cursor::new(Vec::new()), 0)).unwrap();
        assert!(largest <= 1 << 20, "{largest} bytes at once");
        assert_eq!(unpack(entry.into_inner(), &KEY, 1 << 30), Some(large));
    }

    #[test]
    fn a_half_written_entry_of_another_is_left_alone() {
        let names: std::collections::BTreeSet<String> = (0..100).map(|_| temporary_name()).collect();
        let chances: std::collections::BTreeSet<&str> = names.iter().filter_map(|name| name.split('-').nth(2)).collect();
        assert_eq!(chances.len(), 100, "not told apart by number alone");
        assert!(names.iter().all(|name| name.starts_with('.') && name.ends_with(SUFFIX)));
    }

    #[test]
    fn the_key_changes_with_the_adapter() {
        let engine = wasmtime::Engine::default();
        let key = |parts: &[&str]| key_of(parts, b"\0asm", &engine);
        let [adapter, adapter_type] = crate::pack::ADAPTER;
        assert_eq!(CodeCache::key(b"\0asm", &engine), key(&PARTS));
        assert!(PARTS.contains(&adapter) && PARTS.contains(&adapter_type));
        for number in 0..PARTS.len() {
            let mut other = PARTS;
            other[number] = "another";
            assert_ne!(key(&other), key(&PARTS), "part {number}");
        }
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
        let entry = packed(&examined(b"code"));
        assert_eq!(unpack(entry.clone(), &KEY, MOST), Some(examined(b"code")));
        for at in 0..entry.len() {
            let mut changed = entry.clone();
            changed[at] ^= 1;
            assert_eq!(unpack(changed, &KEY, MOST), None, "byte {at}");
            assert_eq!(unpack(entry[..at].to_vec(), &KEY, MOST), None, "cut at {at}");
        }
    }

    #[test]
    fn an_entry_that_would_grow_beyond_the_bound_is_not_unpacked() {
        let bomb = examined(&vec![0; 10 << 20]);
        let entry = packed(&bomb);
        assert!(entry.len() < 100_000);
        assert_eq!(unpack(entry.clone(), &KEY, MOST), None);
        // A length that lies is found out by its checksum, and by what comes out where that lies too.
        let mut lying = entry.clone();
        lying[40..48].copy_from_slice(&100_u64.to_le_bytes());
        let sum = checksum(&KEY, 100, &entry[HEAD_BYTES..]);
        lying[48..56].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(unpack(lying, &KEY, MOST), None);
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
