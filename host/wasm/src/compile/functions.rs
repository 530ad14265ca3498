//! Compiled functions between two compilations of one plugin, so that its author who saves a changed line waits for that line alone: of an interpreter with a
//! script in it nothing but the script is new.
//!
//! One file for each plugin, written by the process that compiles it and read by the next one that does. That is no more trust than the two have already: what
//! such a process answers is run. Only jobs under development keep such files; for others they would be another thing to go wrong. What cannot be read, is of
//! another compiler or is damaged is as good as none: everything is compiled.

use super::cache::{KeyHasher, PARTS, temporary_name};
use super::private_dir::is_private;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::hash::Hash;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wasmtime::CacheStore;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const MAGIC: &[u8; 8] = b"weirfunc";
/// Magic, the compiler's name and the checksum of what follows.
const HEAD_BYTES: usize = 8 + 32 + 8;
/// A larger file is not read, nor written.
const FILE_BYTES: u64 = 512 << 20;

/// What one plugin's functions were compiled to.
pub(crate) struct FunctionCache {
    path: PathBuf,
    /// The compiler and its settings.
    compiler: [u8; 32],
    /// What an earlier compilation left, and where each function lies in it.
    bytes: Vec<u8>,
    found: HashMap<Vec<u8>, Range<usize>>,
    /// What this one has asked for.
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    found: HashSet<Vec<u8>>,
    new: HashMap<Vec<u8>, Vec<u8>>,
}

impl std::fmt::Debug for FunctionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionCache").field("path", &self.path).field("found", &self.found.len()).finish_non_exhaustive()
    }
}

impl FunctionCache {
    /// What lies at `path` for an engine that is configured like `engine`, where it has `most` bytes at most.
    pub(crate) fn open(path: &Path, engine: &wasmtime::Engine, most: u64) -> Self {
        let mut compiler = KeyHasher::new();
        PARTS.hash(&mut compiler);
        engine.precompile_compatibility_hash().hash(&mut compiler);
        let compiler = compiler.digest();
        let bytes = read(path, &compiler, most.min(FILE_BYTES)).unwrap_or_default();
        let found = places(&bytes).unwrap_or_default();
        Self { path: path.to_owned(), compiler, bytes, found, asked: Mutex::default() }
    }

    /// Keeps what this compilation has asked for, and nothing that only earlier ones had.
    pub(crate) fn keep(&self) -> io::Result<()> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.new.is_empty() && asked.found.len() == self.found.len() {
            return Ok(());
        }
        let found = asked.found.iter().filter_map(|key| Some((key, &self.bytes[self.found.get(key)?.clone()])));
        let functions: Vec<(&Vec<u8>, &[u8])> = found.chain(asked.new.iter().map(|(key, value)| (key, value.as_slice()))).collect();
        if functions.iter().map(|(key, value)| (8 + key.len() + value.len()) as u64).sum::<u64>() > FILE_BYTES {
            return Ok(());
        }
        let temporary = self.path.with_file_name(temporary_name());
        let written = self.write(&temporary, &functions).and_then(|()| std::fs::rename(&temporary, &self.path));
        if written.is_err() {
            _ = std::fs::remove_file(&temporary);
        }
        written
    }

    fn write(&self, path: &Path, functions: &[(&Vec<u8>, &[u8])]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut sum = Xxh3::new();
        let lengths = |key: &[u8], value: &[u8]| [(key.len() as u32).to_le_bytes(), (value.len() as u32).to_le_bytes()].concat();
        for (key, value) in functions {
            [&lengths(key, value), key.as_slice(), value].iter().for_each(|part| sum.update(part));
        }
        let mut out = BufWriter::with_capacity(1 << 20, options.open(path)?);
        out.write_all(&[MAGIC, &self.compiler[..], &sum.digest().to_le_bytes()].concat())?;
        for (key, value) in functions {
            [&lengths(key, value), key.as_slice(), value].iter().try_for_each(|part| out.write_all(part))?;
        }
        out.flush()
    }
}

#[cfg(test)]
impl FunctionCache {
    /// How many functions were found, and how many compiled.
    pub(crate) fn counts(&self) -> [usize; 2] {
        let asked = self.asked.lock().unwrap();
        [asked.found.len(), asked.new.len()]
    }
}

impl CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let place = self.found.get(key)?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).found.insert(key.to_vec());
        Some(Cow::Borrowed(&self.bytes[place.clone()]))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).new.insert(key.to_vec(), value);
        true
    }
}

/// The functions in the file; `None`: there is none, it is another's, of another compiler, or damaged.
fn read(path: &Path, compiler: &[u8; 32], most: u64) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !is_private(&metadata) || metadata.len() > most.saturating_add(HEAD_BYTES as u64) {
        return None;
    }
    let mut head = [0; HEAD_BYTES];
    (&file).read_exact(&mut head).ok()?;
    if head[..8] != MAGIC[..] || head[8..40] != compiler[..] {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    (&file).take(most).read_to_end(&mut bytes).ok()?;
    (head[40..] == xxh3_64(&bytes).to_le_bytes()).then_some(bytes)
}

/// Where each function's code is; `None`: what is there is no list of them.
fn places(bytes: &[u8]) -> Option<HashMap<Vec<u8>, Range<usize>>> {
    let (mut places, mut at) = (HashMap::new(), 0);
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    while at < bytes.len() {
        let (key, value) = (number(at)?, number(at + 4)?);
        let key_at = at + 8;
        let value_at = key_at.checked_add(key)?;
        at = value_at.checked_add(value)?;
        bytes.get(value_at..at)?;
        places.insert(bytes[key_at..value_at].to_vec(), value_at..at);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineMode, WasmEngine};

    fn engine() -> wasmtime::Engine {
        wasmtime::Engine::new(&wasmtime::Config::new()).unwrap()
    }

    fn got(cache: &FunctionCache, key: &[u8]) -> Option<Vec<u8>> {
        cache.get(key).map(Cow::into_owned)
    }

    #[test]
    fn what_a_compilation_asked_for_is_there_for_the_next_one_and_what_it_did_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, engine) = (folder.path().join("a.functions"), engine());
        let first = FunctionCache::open(&path, &engine, FILE_BYTES);
        assert_eq!(got(&first, b"one"), None);
        for (key, value) in [(b"one", &b"code of one"[..]), (b"two", b"")] {
            assert!(first.insert(key, value.to_vec()));
        }
        first.keep().unwrap();
        let second = FunctionCache::open(&path, &engine, FILE_BYTES);
        assert_eq!(got(&second, b"one").as_deref(), Some(&b"code of one"[..]));
        assert!(second.insert(b"new", vec![7; 3]));
        second.keep().unwrap();
        let third = FunctionCache::open(&path, &engine, FILE_BYTES);
        assert_eq!([got(&third, b"one").is_some(), got(&third, b"two").is_some(), got(&third, b"new").is_some()], [true, false, true]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    /// How many functions were found, and how many compiled.
    fn compiled(path: &Path, module: &str) -> [usize; 2] {
        let (engine, functions) = WasmEngine::of_compiler(EngineMode::Epoch, Some((path, FILE_BYTES))).unwrap();
        wasmtime::Module::new(&engine.engine, wat::parse_str(module).unwrap()).unwrap();
        let functions = functions.unwrap();
        functions.keep().unwrap();
        functions.counts()
    }

    #[test]
    fn a_function_that_has_not_changed_is_not_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.functions");
        let functions = |numbers: [u32; 3]| {
            let function = |number: &u32| format!("(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {number})))");
            format!("(module {})", numbers.iter().map(function).collect::<String>())
        };
        let [_, all] = compiled(&path, &functions([3, 5, 7]));
        assert!(all >= 3, "each is one: {all}");
        assert_eq!(compiled(&path, &functions([3, 5, 7])), [all, 0]);
        assert_eq!(compiled(&path, &functions([3, 6, 7])), [all - 1, 1]);
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_compiler_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.functions");
        let cache = FunctionCache::open(&path, &engine(), FILE_BYTES);
        assert!(cache.insert(b"key", b"code".to_vec()));
        cache.keep().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert_eq!(got(&FunctionCache::open(&path, &engine(), FILE_BYTES), b"key"), None, "byte {place} changed");
            std::fs::write(&path, &whole[..place]).unwrap();
            assert_eq!(got(&FunctionCache::open(&path, &engine(), FILE_BYTES), b"key"), None, "cut off at {place}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(got(&FunctionCache::open(&path, &engine(), FILE_BYTES), b"key").is_some());
        assert_eq!(got(&FunctionCache::open(&path, &engine(), 8), b"key"), None, "it is too large");
        let other = wasmtime::Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
        assert_eq!(got(&FunctionCache::open(&path, &other, FILE_BYTES), b"key"), None);
    }

    #[test]
    fn lists_whose_lengths_lie_are_none() {
        for bytes in [&[1][..], &[1, 0, 0, 0, 0, 0, 0, 0], &[0xff; 12], &[0, 0, 0, 0, 2, 0, 0, 0, 1]] {
            assert_eq!(places(bytes), None, "{bytes:?}");
        }
    }
}
