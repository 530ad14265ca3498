//! State as of one moment, to be written in the background: by key group in the engine's form, or as files in the backend's own.
//!
//! Blocks and deltas are written anew into an object of each checkpoint; everything that looks into a checkpoint reads them. Files are uploaded as they
//! are, once: a checkpoint refers to the files of its base by their names, and uploads those that the base has not. Only a backend of the same format
//! reads them again.

use crate::error::EngineError;
use bytes::Bytes;

/// State as of one moment.
pub enum StateSnapshot {
    /// In the engine's form.
    Blocks(Box<dyn BlockSnapshot>),
    /// As files that together are the whole state, whatever the base.
    Files(FileSnapshot),
}

impl StateSnapshot {
    /// Number of keys of the whole state.
    pub fn keys(&self) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks.keys(),
            Self::Files(files) => files.keys,
        }
    }
}

/// State that is written by key group.
pub trait BlockSnapshot: Send {
    /// Number of keys of the whole state.
    fn keys(&self) -> u64;
    /// Calls `write` with the block of each key group that has keys, or with the delta of each that has changed since the base, in ascending
    /// order. Memory for one at a time. Returns the bytes of the whole state's blocks, which is right where the backend's snapshots are written
    /// in the order in which they were taken, from the base on at least.
    fn write(&mut self, write: &mut dyn FnMut(u32, &[u8])) -> Result<u64, EngineError>;
}

/// Files that hold a state. While this is alive they can be read, whatever is written to the state meanwhile.
pub struct FileSnapshot {
    /// The word for what the files are, by which a restore tells whose they are.
    pub format: &'static str,
    /// Number of keys of the whole state.
    pub keys: u64,
    /// Bytes of the whole state.
    pub state_bytes: u64,
    /// The files, in any order, each name once.
    pub files: Vec<Box<dyn SnapshotFile>>,
}

/// One file of a snapshot.
pub trait SnapshotFile: Send {
    /// Its name: letters, digits and hyphens. Of one subtask two files of an attempt that have the same name have the same contents.
    fn name(&self) -> &str;
    /// All of it, in parts that follow each other. It may block: it is called on a thread of its own. Called only where it has to be uploaded; it is in memory
    /// until it has been, so files should have some tens of MiB at most.
    fn read(&self) -> Result<Vec<Bytes>, EngineError>;
}

/// A file as it was stored.
#[derive(Clone, Debug)]
pub struct StoredFile<'a> {
    /// The subtask that stored it: names are one subtask's own.
    pub subtask: u32,
    /// Its name.
    pub name: &'a str,
    /// Its contents, whose checksum is right.
    pub contents: Bytes,
}
