//! How an entry of the job's log is written: what happened, and where in which log that stands.
//!
//! Format 1 has an entry's place alone: two that have been exchanged are told by it. Format 2 also has the log's nonce and the digest of the
//! entry before it, as that is stored. So an entry of another log, one that was edited and one that was taken out of a copy do not fit between
//! their neighbours, and a process tells by one read whether the log that it finds is still its own. A log may begin in format 1 and go on in 2.
//!
//! The digest is XXH3-128: it has to tell accidents from each other, and 128 bits of it do. Against somebody who means harm no digest in here
//! would help, SHA-256 neither: whoever can write one entry can write all that follow.

use super::LogEntry;
use crate::checkpoint::format::envelope::{open_up_to, seal_as};
use crate::checkpoint::paths::NUMBERS_END;
use crate::error::{EngineError, ErrorKind};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

const MAGIC: &str = "weir-log";
const NEWEST: u32 = 2;

/// The digest of an entry as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct EntryDigest(u128);

impl EntryDigest {
    pub fn of(sealed: &[u8]) -> Self {
        Self(xxh3_128(sealed))
    }
}

impl fmt::Display for EntryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Where an entry stands, as format 2 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct Link {
    /// The nonce of its log.
    pub log: String,
    /// The digest of the entry before it, in words; the first has none.
    pub before: Option<String>,
}

/// An entry as it was read.
#[derive(Debug)]
pub(in crate::checkpoint) struct StoredEntry {
    pub entry: LogEntry,
    /// `None`: it is of format 1.
    pub link: Option<Link>,
    pub digest: EntryDigest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format1<E> {
    seq: u64,
    entry: E,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format2<E> {
    seq: u64,
    log: String,
    before: Option<String>,
    entry: E,
}

/// An entry of either format, and where it says that it stands.
struct PlacedEntry {
    seq: u64,
    entry: LogEntry,
    link: Option<Link>,
}

/// `entry` as the object at place `seq` of the log with the nonce `log`, behind the entry that has the digest `before`.
pub(in crate::checkpoint) fn seal_entry(seq: u64, log: &str, before: Option<EntryDigest>, entry: &LogEntry) -> Bytes {
    let before = before.map(|digest| digest.to_string());
    seal_as(MAGIC, NEWEST, &Format2 { seq, log: log.to_owned(), before, entry })
}

/// The entry in the object at place `seq`.
pub(in crate::checkpoint) fn open_entry(object: &str, seq: u64, bytes: &[u8]) -> Result<StoredEntry, EngineError> {
    let opened = open_up_to(object, MAGIC, NEWEST, bytes)?;
    let PlacedEntry { seq: found, entry, link } = match opened.format {
        1 => {
            let Format1 { seq, entry } = opened.read()?;
            PlacedEntry { seq, entry, link: None }
        }
        _ => {
            let Format2 { seq, log, before, entry } = opened.read()?;
            PlacedEntry { seq, entry, link: Some(Link { log, before }) }
        }
    };
    if found != seq {
        return Err(EngineError::new(ErrorKind::Corrupt, format!("read {object}: it is entry {found} of the log, in another's place")));
    }
    if let Some(number) = entry.numbers().into_iter().find(|number| *number >= NUMBERS_END) {
        return Err(EngineError::new(ErrorKind::Corrupt, format!("read {object}: no attempt and no checkpoint has the number {number}")));
    }
    Ok(StoredEntry { entry, link, digest: EntryDigest::of(bytes) })
}

/// `entry` as format 1 had it.
#[cfg(test)]
pub(in crate::checkpoint) fn seal_entry_of_format_1(seq: u64, entry: &LogEntry) -> Bytes {
    seal_as(MAGIC, 1, &Format1 { seq, entry })
}
