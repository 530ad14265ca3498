//! The sink `file`: a folder of part files that appear only when the checkpoint that covers them is complete.
//!
//! A subtask writes into the hidden folder `.pending/` beside the output. With each barrier its part is made durable and handed over
//! as a committable; the committer renames it to `part-…` once the checkpoint is complete. With `partition-by` there is a part for each folder that fields of
//! the records name ([`partition`]); the folders are made when the first of their parts is committed.
//!
//! Invariants: a `part-…` file never changes and is never empty; a pending file is deleted only by a later attempt of the same job
//! (its nonce is in the job's log) whose restored checkpoint does not name it; nothing else in the folder is touched.

mod committable;
mod committer;
pub(crate) mod encoding;
mod part;
mod partition;
#[cfg(test)]
mod partition_tests;
mod parts;

pub(crate) use committer::FileCommitter;

use crate::paths::{FileName, NamePart, Output};
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use committable::FileCommittable;
use encoding::Encoding;
use futures_util::future::BoxFuture;
use part::{Part, StoredFolder};
use partition::{FIELDS_MAX, PartitionBy};
use parts::Parts;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use weir_engine::element::CheckpointId;
use weir_engine::sink::{Delivery, SinkAttempt, VisibleOutput, WriterContext};
use weir_engine::{Committable, EngineError, ErrorKind, RecordBatch, Sink, SinkWriter};

/// The connector's name in job files and committables.
const CONNECTOR: &str = "file";
/// The folder, inside the output folder, of what is not committed.
const PENDING_DIR: &str = ".pending";
/// How the names of committed part files begin. They end in the checkpoint and the attempt's nonce, for [`VisibleOutput::of_part`].
const PART_PREFIX: &str = "part-";

/// The settings of the sink `file`.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "path",
        Kind::Path,
        Fallback::Required("\"out\""),
        "The folder of the part files, relative to the job file. It is made where it is missing.",
    ),
    Setting::new(
        "format",
        Kind::Choice(&["lines", "jsonl"]),
        Fallback::Value("lines"),
        "How a record is written: its value as a line, or key, value and time as a line of JSON.",
    ),
    Setting::new(
        "partition-by",
        Kind::Texts,
        Fallback::Value("[]"),
        "Fields of values that are JSON objects. Their values name folders that the part files lie in, one in the other: `[\"dt\", \"hm\"]` gives `dt=2013-01-01/hm=10:00/`. Records stay whole.",
    ),
];

/// Writes records into the part files of one folder.
pub(crate) struct FileSink {
    /// Absolute.
    folder: PathBuf,
    stored: StoredFolder,
    encoding: Encoding,
    partition_by: PartitionBy,
}

impl FileSink {
    /// Reads the settings of the table.
    pub(crate) fn new(settings: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_sink("file", SETTINGS, settings);
        let path = settings.path("path")?;
        let encoding = settings.choice("format", &[("lines", Encoding::Lines), ("jsonl", Encoding::JsonLines)])?;
        let partition_by = PartitionBy::new(settings.texts("partition-by")?)?;
        let shown = settings.finish()?;
        let absolute =
            |folder: &Path| std::path::absolute(folder).map_err(|e| SettingsError::at("path", format!("`path = {path:?}`: {e}")));
        let (base, folder) = (absolute(base_dir)?, absolute(&base_dir.join(&path))?);
        if folder.exists() && !folder.is_dir() {
            return Err(SettingsError::at(
                "path",
                format!("`path` of the sink `file` must be a folder; {} is a file", FileName::whole(&folder)),
            )
            .with_hint("name a folder; it is made where it is missing"));
        }
        if folder.to_str().is_none() {
            return Err(SettingsError::at(
                "path",
                format!("the path {} is not UTF-8 and cannot be stored in a checkpoint", FileName::whole(&folder)),
            ));
        }
        let stored = StoredFolder::new(Path::new(&path), &base, &folder);
        Ok((Self { folder, stored, encoding, partition_by }, shown))
    }

    /// The names that it gives to files.
    pub(crate) fn output(&self) -> Output {
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let nonce = |c: char| c.is_ascii_alphanumeric();
        let (text, some) = (NamePart::Text, NamePart::Some);
        let part = vec![text("part-"), some(of_name), text("-"), some(nonce), text(self.encoding.suffix())];
        let pending = vec![some(nonce), text("."), some(of_name)];
        let partition = || vec![some(|_| true), text("="), some(|_| true)];
        let visible = (0..self.partition_by.depth()).map(|_| partition()).chain([part]).collect();
        Output::new(&self.folder, vec![visible, vec![vec![text(PENDING_DIR)], pending]])
    }

    /// The newest checkpoints of these attempts, by the names of the folder's files and of those in partitions, whatever they are by now.
    fn look_for_newest(&self, nonces: &[String]) -> Result<Vec<VisibleOutput>, EngineError> {
        let (mut visible, mut left) = (Vec::new(), vec![(self.folder.clone(), FIELDS_MAX)]);
        while let Some((folder, depth)) = left.pop() {
            let on_folder = |e| io_error(ErrorKind::FixInput, "look into", &folder, e);
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(on_folder(error)),
            };
            for entry in entries {
                let entry = entry.map_err(on_folder)?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                // A partition may be a link to a folder elsewhere.
                if name.contains('=') && depth > 0 && entry.path().is_dir() {
                    left.push((entry.path(), depth - 1));
                } else if name.starts_with(PART_PREFIX) {
                    visible.extend(VisibleOutput::of_part(name));
                }
            }
        }
        Ok(VisibleOutput::newest(visible, nonces))
    }

    /// Deletes the pending files of older attempts that this one's checkpoint does not name.
    fn clear_away(&self, attempt: &SinkAttempt) -> Result<(), EngineError> {
        let pending_dir = self.pending_dir();
        let on_folder = |e| io_error(ErrorKind::FixInput, "make the sink's folder", &pending_dir, e);
        std::fs::create_dir_all(&pending_dir).map_err(on_folder)?;
        let kept = pending_names(&attempt.restored)?;
        let prefixes: Vec<String> =
            attempt.older_nonces.iter().filter(|nonce| !nonce.is_empty()).map(|nonce| part::pending_prefix(nonce)).collect();
        for entry in std::fs::read_dir(&pending_dir).map_err(on_folder)? {
            let entry = entry.map_err(on_folder)?;
            let name = entry.file_name();
            let ours = name.to_str().is_some_and(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
            if ours && !kept.contains(&name) {
                remove_if_there(&entry.path())?;
            }
        }
        sync_dir(&pending_dir)?;
        sync_dir(&self.folder)
    }

    fn pending_dir(&self) -> PathBuf {
        self.folder.join(PENDING_DIR)
    }
}

impl Sink for FileSink {
    fn connector(&self) -> &'static str {
        CONNECTOR
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare_attempt<'a>(&'a self, attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { self.clear_away(attempt) })
    }

    fn newest_visible<'a>(&'a self, nonces: &'a [String]) -> BoxFuture<'a, Result<Vec<VisibleOutput>, EngineError>> {
        Box::pin(async { self.look_for_newest(nonces) })
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let WriterContext { subtask, nonce, .. } = context;
        check_name("vertex", &subtask.vertex, b"-_.")?;
        check_name("nonce", nonce, b"")?;
        Ok(Box::new(FileWriter {
            folder: self.folder.clone(),
            stored: self.stored.clone(),
            encoding: self.encoding,
            partition_by: self.partition_by.clone(),
            vertex: subtask.vertex.clone(),
            subtask: subtask.index,
            nonce: nonce.to_string(),
            parts_begun: 0,
            parts: Parts::default(),
        }))
    }
}

/// One subtask's writer. Its parts are those that the next barrier closes: one, or one for each folder.
struct FileWriter {
    folder: PathBuf,
    stored: StoredFolder,
    encoding: Encoding,
    partition_by: PartitionBy,
    vertex: String,
    subtask: u32,
    nonce: String,
    parts_begun: u64,
    parts: Parts,
}

impl FileWriter {
    /// Appends records to the part in a folder.
    fn append(&mut self, folder: &str, records: &RecordBatch) -> Result<(), EngineError> {
        let Self { folder: sinks, parts_begun, nonce, vertex, subtask, parts, encoding, .. } = self;
        let begin = || {
            *parts_begun += 1;
            let name = format!("{}{vertex}-{subtask}-{parts_begun}", part::pending_prefix(nonce));
            Part::begin(sinks.join(PENDING_DIR).join(name))
        };
        parts.of(folder, begin)?.append(|bytes| encoding.encode(records, bytes))
    }

    /// Appends each run of records of one folder to the part there.
    fn append_by_folder(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        let (mut first, mut of_run, mut folder) = (0, String::new(), String::new());
        for record in 0..batch.len() {
            self.partition_by.folder(batch.value(record), &mut folder)?;
            if folder != of_run && record > first {
                self.append(&of_run, &batch.slice(first..record))?;
                first = record;
            }
            std::mem::swap(&mut folder, &mut of_run);
        }
        self.append(&of_run, &batch.slice(first..batch.len()))
    }
}

impl FileWriter {
    /// Says which fields of `partition-by` no record has had, where some have come: their folders tell nothing apart.
    fn warn_of_unmet_fields(&self) {
        let unmet = self.partition_by.take_unmet();
        if !unmet.is_empty() {
            let fields = unmet.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(" and ");
            let folder = partition::DEFAULT_PARTITION;
            tracing::warn!(sink = self.vertex, "no record so far has {fields}, which `partition-by` names: all of them lie in {folder}");
        }
    }
}

impl SinkWriter for FileWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        match (batch.is_empty(), self.partition_by.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => self.append("", batch),
            (false, false) => self.append_by_folder(batch),
        }
    }

    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let parts = self.parts.take();
        if parts.is_empty() {
            return Ok(Box::pin(async { Ok(Vec::new()) }));
        }
        self.warn_of_unmet_fields();
        let begins = format!("{PART_PREFIX}{}-{}", self.vertex, self.subtask);
        let ends = format!("{checkpoint_id}-{}{}", self.nonce, self.encoding.suffix());
        let (stored, pending_dir) = (self.stored.clone(), self.folder.join(PENDING_DIR));
        Ok(Box::pin(async move {
            let mut finished = Vec::with_capacity(parts.len());
            for (number, (folder, part)) in parts.into_iter().enumerate() {
                // Two folders may be one where the file system takes their names for the same.
                let name = if folder.is_empty() { format!("{begins}-{ends}") } else { format!("{begins}-{number}-{ends}") };
                finished.push(part.finish(&stored, &folder, &name)?.into());
                // Each waits for the disk, and there may be very many: others on this thread come in between.
                tokio::task::yield_now().await;
            }
            sync_dir(&pending_dir)?;
            Ok(finished)
        }))
    }
}

/// Part files are named after these: nothing in them may lead to another folder or make two names meet.
fn check_name(what: &str, name: &str, signs: &[u8]) -> Result<(), EngineError> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || signs.contains(&b)) {
        return Err(EngineError::new(ErrorKind::Bug, format!("name part files: the {what} {name:?} does not fit a file name")));
    }
    Ok(())
}

/// The names of the pending files that `restored` names. Names are unique by their nonce, so the folder does not matter.
fn pending_names(restored: &[Committable]) -> Result<HashSet<OsString>, EngineError> {
    let mut names = HashSet::new();
    for committable in restored.iter().filter(|committable| committable.connector == CONNECTOR) {
        let pending = FileCommittable::try_from(committable)?.pending;
        names.extend(pending.file_name().map(OsString::from));
    }
    Ok(names)
}

fn io_error(kind: ErrorKind, attempted: &str, path: &Path, error: std::io::Error) -> EngineError {
    EngineError::new(kind, format!("{attempted} {}: {error}", FileName::whole(path)))
}

fn remove_if_there(path: &Path) -> Result<(), EngineError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error(ErrorKind::Retry, "remove", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the names in a folder durable.
fn sync_dir(folder: &Path) -> Result<(), EngineError> {
    let sync = || std::fs::File::open(folder)?.sync_all();
    sync().map_err(|e| io_error(ErrorKind::Retry, "make durable", folder, e))
}

#[cfg(test)]
mod tests;
