//! The sink `file`: a folder of part files that appear only when the checkpoint that covers them is complete.
//!
//! A subtask writes into the hidden folder `.pending/` beside the output. With each barrier its part is made durable and handed over
//! as a committable; the committer renames it to `part-…` once the checkpoint is complete.
//!
//! Invariants: a `part-…` file never changes and is never empty; a pending file is deleted only by a later attempt of the same job
//! (its nonce is in the job's log) whose restored checkpoint does not name it; nothing else in the folder is touched.

mod committable;
mod committer;
pub(crate) mod encoding;
mod part;

pub(crate) use committer::FileCommitter;

use crate::paths::{FileName, NamePart, Output};
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use committable::FileCommittable;
use encoding::Encoding;
use futures_util::future::BoxFuture;
use part::{Part, StoredFolder};
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
];

/// Writes records into the part files of one folder.
pub(crate) struct FileSink {
    /// Absolute.
    folder: PathBuf,
    stored: StoredFolder,
    encoding: Encoding,
}

impl FileSink {
    /// Reads `path` and `format`.
    pub(crate) fn new(settings: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_sink("file", SETTINGS, settings);
        let path = settings.path("path")?;
        let encoding = settings.choice("format", &[("lines", Encoding::Lines), ("jsonl", Encoding::JsonLines)])?;
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
        Ok((Self { folder, stored, encoding }, shown))
    }

    /// The names that it gives to files.
    pub(crate) fn output(&self) -> Output {
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let nonce = |c: char| c.is_ascii_alphanumeric();
        let (text, some) = (NamePart::Text, NamePart::Some);
        let part = vec![text("part-"), some(of_name), text("-"), some(nonce), text(self.encoding.suffix())];
        let pending = vec![some(nonce), text("."), some(of_name)];
        Output::new(&self.folder, vec![vec![part], vec![vec![text(PENDING_DIR)], pending]])
    }

    /// The newest checkpoints of these attempts, by the names of the folder's files.
    fn look_for_newest(&self, nonces: &[String]) -> Result<Vec<VisibleOutput>, EngineError> {
        let on_folder = |e| io_error(ErrorKind::FixInput, "look into", &self.folder, e);
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(on_folder(error)),
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>().map_err(on_folder)?;
        let parts = names.iter().filter_map(|name| name.to_str()).filter(|name| name.starts_with(PART_PREFIX));
        Ok(VisibleOutput::newest(parts.filter_map(VisibleOutput::of_part), nonces))
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
            vertex: subtask.vertex.clone(),
            subtask: subtask.index,
            nonce: nonce.to_string(),
            parts_begun: 0,
            part: None,
        }))
    }
}

/// One subtask's writer. At most one part is open: the one that the next barrier closes.
struct FileWriter {
    folder: PathBuf,
    stored: StoredFolder,
    encoding: Encoding,
    vertex: String,
    subtask: u32,
    nonce: String,
    parts_begun: u64,
    part: Option<Part>,
}

impl SinkWriter for FileWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        if batch.is_empty() {
            return Ok(());
        }
        let part = match &mut self.part {
            Some(part) => part,
            None => {
                self.parts_begun += 1;
                let name = format!("{}{}-{}-{}", part::pending_prefix(&self.nonce), self.vertex, self.subtask, self.parts_begun);
                self.part.insert(Part::begin(self.folder.join(PENDING_DIR).join(name))?)
            }
        };
        part.append(|bytes| self.encoding.encode(batch, bytes))
    }

    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let Some(part) = self.part.take() else {
            return Ok(Box::pin(async { Ok(Vec::new()) }));
        };
        let suffix = self.encoding.suffix();
        let name = format!("{PART_PREFIX}{}-{}-{checkpoint_id}-{}{suffix}", self.vertex, self.subtask, self.nonce);
        let folder = self.stored.clone();
        Ok(Box::pin(async move { Ok(vec![part.finish(&folder, &name)?.into()]) }))
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
