//! The job's log: the one sequence that decides which attempts begin and which checkpoints are complete.
//!
//! Entries are objects `log/<seq>.json`, dense from 1, written by create-if-absent. A process appends at last + 1; where another attempt's
//! entry is there it has been fenced and stops. A create whose outcome is unknown is resolved by reading the entry back.
//!
//! Invariant: no process changes a log that is not the one it has read. Before and behind every append it sees by content that the last entry is
//! still the one that it knows (`format.rs` says how entries are chained); where another log has begun in the same place it is fenced.

#[cfg(any(test, feature = "testing"))]
mod built;
mod entry;
pub(super) mod format;

use super::paths;
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::storage::{Created, Store, TRIES, back_off, retry};
use bytes::Bytes;
pub use entry::{LineageRoot, LogEntry, Override, Pinned, Replaced};
use format::{EntryDigest, Link, StoredEntry, open_entry, seal_entry};
use futures_util::{StreamExt, stream};
use std::sync::Arc;

/// Entries read at once when a log is opened.
const READS: usize = 32;
/// What an append came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Append {
    /// The entry is in the log.
    Done,
    /// Another process's entry has taken the place.
    Taken,
}

/// A job's log as far as this process has read and written it. A clone is a reader of its own.
#[derive(Clone)]
pub struct JobLog {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entries: Vec<LogEntry>,
    /// Drawn when the log began; of a log that began in format 1 its first attempt's.
    nonce: Option<String>,
    /// Digests of the first and the last entry.
    ends: Option<(EntryDigest, EntryDigest)>,
    /// True once an entry carries the digest of the one before: all that follow do.
    chained: bool,
}

impl JobLog {
    /// Reads the whole log. One that is gone, while what it decides on is still there, is refused.
    pub async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let mut log = Self { store, clock, entries: Vec::new(), nonce: None, ends: None, chained: false };
        log.read_on().await?;
        if log.entries.is_empty() {
            log.refuse_left_over().await?;
        }
        Ok(log)
    }

    /// All entries so far.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// What tells this log from every other, also one of the same job in the same place; `None` before its first entry.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Names a log that has no entry yet: `draw` gives a nonce that no other log has.
    pub fn begin(&mut self, draw: impl FnOnce() -> String) {
        self.nonce.get_or_insert_with(draw);
    }

    /// True where another process has gone on meanwhile, and may have deleted the checkpoint that was the newest until then. An error where nobody can
    /// tell, and where the log is another's.
    pub(crate) async fn has_grown(&mut self) -> Result<bool, EngineError> {
        let known = self.entries.len();
        self.read_on().await?;
        Ok(self.entries.len() > known)
    }

    /// Reads entries that others have added, behind those that are still this process's own. A list may lag behind and is only the hint that
    /// lets them be read side by side: the end of the log is where no entry is.
    pub async fn read_on(&mut self) -> Result<(), EngineError> {
        self.check_still_ours("read").await?;
        let paths = retry(&*self.clock, || self.store.list(paths::LOG)).await?;
        let last_listed = paths.iter().filter_map(|path| paths::log_seq(path)).max().unwrap_or(0);
        let known = self.entries.len() as u64;
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let mut listed = stream::iter(known + 1..=last_listed).map(|seq| read_entry(&*store, &*clock, seq)).buffered(READS);
        while let Some(entry) = listed.next().await {
            let seq = self.entries.len() as u64 + 1;
            let entry = entry?.ok_or_else(|| missing(&paths::log_entry(seq), &self.store.location()))?;
            if !self.follow(entry).await? {
                break;
            }
        }
        drop(listed);
        while let Some(entry) = read_entry(&*self.store, &*self.clock, self.entries.len() as u64 + 1).await? {
            if !self.follow(entry).await? {
                break;
            }
        }
        Ok(())
    }

    /// Takes the next entry. One that does not follow may be of a process that is about to see that this is not its log, and to take it back:
    /// false where it did.
    async fn follow(&mut self, entry: StoredEntry) -> Result<bool, EngineError> {
        let seq = self.entries.len() as u64 + 1;
        let mut entry = entry;
        for attempt in 0..TRIES {
            let Some(why) = self.why_not_next(&entry) else {
                self.push(entry);
                return Ok(true);
            };
            if attempt + 1 == TRIES {
                return Err(self.broken(seq, &why));
            }
            back_off(&*self.clock, attempt).await;
            match read_entry(&*self.store, &*self.clock, seq).await? {
                Some(now) => entry = now,
                None => return Ok(false),
            }
        }
        unreachable!("the last try returns")
    }

    /// Why an entry cannot be the next one; `None`: it can.
    fn why_not_next(&self, entry: &StoredEntry) -> Option<String> {
        let seq = self.entries.len() as u64;
        let last = self.ends.map(|(_, last)| last.to_string());
        match &entry.link {
            None if self.chained => Some(format!("it is of format 1, behind {} of format 2", paths::log_entry(seq))),
            None => None,
            Some(link) if self.nonce.as_ref().is_some_and(|nonce| *nonce != link.log) && seq > 0 => {
                Some("it is an entry of another log".to_owned())
            }
            Some(link) if link.before != last => Some(match seq {
                0 => "it is not the first entry of a log, as it says itself".to_owned(),
                _ => format!("it does not follow {}; one of the two was changed or exchanged", paths::log_entry(seq)),
            }),
            Some(_) => None,
        }
    }

    fn push(&mut self, stored: StoredEntry) {
        let StoredEntry { entry, link, digest } = stored;
        self.ends = Some((self.ends.map_or(digest, |(first, _)| first), digest));
        if self.entries.is_empty() {
            // Whoever came first has named it.
            self.nonce = Some(link.as_ref().map_or_else(|| entry.nonce().to_owned(), |link| link.log.clone()));
        }
        self.chained |= link.is_some();
        self.entries.push(entry);
    }

    /// Appends `entry` at last + 1. An error leaves open whether it is in the log; the caller then gives up.
    pub async fn append(&mut self, entry: LogEntry) -> Result<Append, EngineError> {
        let seq = self.entries.len() as u64 + 1;
        let path = paths::log_entry(seq);
        self.begin(|| entry.nonce().to_owned());
        let (log, before) = (self.nonce.clone().unwrap_or_default(), self.ends.map(|(_, last)| last));
        let sealed = seal_entry(seq, &log, before, &entry);
        self.check_still_ours("append to").await?;
        for attempt in 0..TRIES {
            let last_try = attempt + 1 == TRIES;
            match self.store.create(&path, sealed.clone()).await {
                Ok(Created::New) => return self.appended(&path, entry, &sealed).await,
                // Ours where an earlier try of this very call got through without our hearing of it.
                Ok(Created::Exists) => match self.whose(seq, &sealed).await? {
                    Whose::Ours => return self.appended(&path, entry, &sealed).await,
                    Whose::Another => return Ok(Append::Taken),
                    Whose::Stray(why) if last_try => return Err(self.broken(seq, &why)),
                    Whose::Stray(_) => back_off(&*self.clock, attempt).await,
                },
                Err(error) if error.kind() == ErrorKind::Retry && !last_try => back_off(&*self.clock, attempt).await,
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last try returns")
    }

    /// The entry is there, behind the one that was the last. Where that is another by now, the storage was replaced between the two calls, and
    /// this entry is taken back: nobody's log may go on with it.
    async fn appended(&mut self, path: &str, entry: LogEntry, sealed: &Bytes) -> Result<Append, EngineError> {
        if let Err(error) = self.check_still_ours("append to").await {
            if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Corrupt)
                && retry(&*self.clock, || self.store.get(path)).await?.as_ref() == Some(sealed)
            {
                retry(&*self.clock, || self.store.delete(path)).await?;
            }
            return Err(error);
        }
        let link = Link { log: self.nonce.clone().unwrap_or_default(), before: None };
        self.push(StoredEntry { entry, link: Some(link), digest: EntryDigest::of(sealed) });
        Ok(Append::Done)
    }

    /// Sees by its content that the last entry in the store is the one that this process has read or written: the storage may have been moved
    /// away, emptied or replaced under it while it slept.
    pub(crate) async fn check_still_ours(&self, attempted: &str) -> Result<(), EngineError> {
        let Some((first, last)) = self.ends else { return Ok(()) };
        let seq = self.entries.len() as u64;
        if self.is_at(seq, last, attempted).await? {
            return Ok(());
        }
        // Where another log has begun, that is what there is to say.
        self.is_at(1, first, attempted).await?;
        Err(missing(&paths::log_entry(seq), &self.store.location()))
    }

    /// Sees besides that nobody has written behind that entry: whoever has is this process's successor.
    pub(crate) async fn check_still_last(&self, attempted: &str) -> Result<(), EngineError> {
        self.check_still_ours(attempted).await?;
        let path = paths::log_entry(self.entries.len() as u64 + 1);
        if retry(&*self.clock, || self.store.get(&path)).await?.is_none() {
            return Ok(());
        }
        let message = format!("{attempted} the log in {}: {path} is another process's entry", self.store.location());
        Err(EngineError::new(ErrorKind::Fenced, message).with_hint("this process stops; the other goes on"))
    }

    /// False where no entry is at `seq`. Another than the one with this digest is an error.
    async fn is_at(&self, seq: u64, digest: EntryDigest, attempted: &str) -> Result<bool, EngineError> {
        let path = paths::log_entry(seq);
        let Some(bytes) = retry(&*self.clock, || self.store.get(&path)).await? else { return Ok(false) };
        if EntryDigest::of(&bytes) == digest {
            return Ok(true);
        }
        let location = self.store.location();
        let found = open_entry(&format!("{location}/{path}"), seq, &bytes)?;
        if found.link.is_some_and(|link| Some(link.log) == self.nonce) {
            return Err(self.broken(seq, "it was changed since this process read or wrote it"));
        }
        let message = format!(
            "{attempted} the log in {location}: {path} is an entry of another log: the storage was replaced under this process, and another run has begun there"
        );
        Err(EngineError::new(ErrorKind::Fenced, message).with_hint("this process stops, and leaves the other's log alone"))
    }

    async fn whose(&self, seq: u64, sealed: &Bytes) -> Result<Whose, EngineError> {
        let path = paths::log_entry(seq);
        match retry(&*self.clock, || self.store.get(&path)).await? {
            Some(bytes) if bytes == *sealed => Ok(Whose::Ours),
            Some(bytes) => {
                let found = open_entry(&format!("{}/{path}", self.store.location()), seq, &bytes)?;
                Ok(self.why_not_next(&found).map_or(Whose::Another, Whose::Stray))
            }
            None => Ok(Whose::Stray("it comes and goes".to_owned())),
        }
    }

    fn broken(&self, seq: u64, why: &str) -> EngineError {
        let message = format!("read the log in {}: {}: {why}", self.store.location(), paths::log_entry(seq));
        EngineError::new(ErrorKind::Corrupt, message).with_hint(
            "put it back as it was; where it is the last entry and of another log, move it away; or move the whole folder away, and the job starts over beside its committed output",
        )
    }

    /// An attempt's entry comes before everything that it writes. So where there is no entry, but something of a checkpoint, the log is gone; and
    /// a job that began anew here would commit its output a second time.
    async fn refuse_left_over(&mut self) -> Result<(), EngineError> {
        for folder in [paths::CHECKPOINTS, paths::STATE] {
            let listed = retry(&*self.clock, || self.store.list(folder)).await?;
            let Some(found) = listed.iter().find(|path| paths::owner_of(path).is_some()) else { continue };
            // Another process may have begun the log meanwhile.
            self.read_on().await?;
            if !self.entries.is_empty() {
                return Ok(());
            }
            let message = format!("read the log in {}: it has no entry, but {found} is there: the log is gone", self.store.location());
            return Err(EngineError::new(ErrorKind::Corrupt, message).with_hint(
                "put the folder `log` back; or move the whole folder away, and the job starts over beside its committed output",
            ));
        }
        Ok(())
    }
}

/// Whose entry is at the place where this process wanted to append.
enum Whose {
    /// This process's own.
    Ours,
    /// A successor's.
    Another,
    /// One that belongs to no process of this log, and why.
    Stray(String),
}

/// The hint of every entry that is missing or damaged.
const PUT_BACK: &str = "put it back as it was; or move the whole folder away, and the job starts over beside its committed output";

fn missing(path: &str, location: &str) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("read the log in {location}: {path} is missing")).with_hint(PUT_BACK)
}

async fn read_entry(store: &dyn Store, clock: &dyn Clock, seq: u64) -> Result<Option<StoredEntry>, EngineError> {
    let path = paths::log_entry(seq);
    let Some(bytes) = retry(clock, || store.get(&path)).await? else { return Ok(None) };
    let opened = open_entry(&format!("{}/{path}", store.location()), seq, &bytes);
    opened.map(Some).map_err(|error| if error.hint().is_none() { error.with_hint(PUT_BACK) } else { error })
}

#[cfg(test)]
mod tests;
