//! A followed file that is open: its rows as they come, and what becomes of it.

use super::super::bad_rows::BadRows;
use super::super::blocks::Blocks;
use super::super::discovery::file_error;
use super::super::fingerprint::open_regular;
use super::super::options::FileOptions;
use super::super::rows::{AnyRows, Before};
use super::super::window::{Progress, Window};
use super::LOOK_AGAIN;
use super::growing::Growing;
use super::look::{gone, locate, name_of};
use super::spec::{FollowedSpec, KNOWN_BYTES, SIZE_UNKNOWN, hash_of};
use super::watch::{Content, SharedWatch, Watch};
use crate::paths::FileId;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use weir_engine::runtime::Monotonic;
use weir_engine::{BatchBuilder, EngineError, ErrorKind};

/// How often a file that is renamed while it is looked for is looked for again.
const LOOKS_MAX: usize = 5;

/// What a read has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Rows, or there may be some at once.
    Rows,
    /// Nothing yet.
    Nothing,
    /// Nothing, and no more will come.
    Over(Over),
}

/// Why nothing more comes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// It was not found, and had been read to its end: it may come back, and goes on then.
    Away,
    /// It has no name any more: nobody finds it again.
    Deleted,
    /// It is another one by now, and what it was is gone.
    Replaced,
}

/// What has come of opening a file.
pub(super) enum Opened {
    File(Box<OpenFile>),
    Over(Over),
}

/// The file.
pub(super) struct OpenFile {
    spec: FollowedSpec,
    watch: SharedWatch,
    rows: AnyRows,
    window: Window,
    pub bad_rows: BadRows,
    /// It has been read to its end, and is looked at again from this time on.
    pub idle_until: Option<Monotonic>,
    /// It had no name any more when it was last looked at, and as many bytes.
    nameless_at: Option<u64>,
}

impl OpenFile {
    /// Opens the file of `spec` to be read from `position` on.
    pub(super) fn open(options: &Arc<FileOptions>, source: &str, mut spec: FollowedSpec, position: u64) -> Result<Opened, EngineError> {
        let Some(found) = find(options, &spec)? else {
            return gone(&spec, position).map_or(Ok(Opened::Over(Over::Away)), Err);
        };
        spec.path = name_of(options, &found.path);
        Self::read_from(options, source, spec, position, Arc::new(found.file))
    }

    /// Reads on what is expected to be the file of `spec`.
    fn read_from(
        options: &Arc<FileOptions>,
        source: &str,
        mut spec: FollowedSpec,
        position: u64,
        content: Arc<dyn Content>,
    ) -> Result<Opened, EngineError> {
        let count = KNOWN_BYTES.min(position);
        let looked = content.bytes_at(position - count, count).and_then(|last| Ok((last, spec.replaced(&*content, position)?)));
        let (last, replaced) = looked.map_err(|e| file_error("follow", &spec.path, e))?;
        let last = match (last, replaced) {
            (Some(last), None) => last,
            (_, how) => {
                warn_of_another(&spec, how.as_deref().unwrap_or("it has become shorter"));
                return Ok(Opened::Over(Over::Replaced));
            }
        };
        spec.tail = None;
        let before = if position == spec.start { Before::Nothing } else { Before::Rows };
        let rows = AnyRows::new(options, spec.header.as_deref(), spec.multiline, before)?;
        let watch = SharedWatch::new(Watch::new(content, spec.head.clone(), last.clone(), position));
        let blocks = Blocks::keeping(Box::new(Growing(watch.clone())), position, &last, KNOWN_BYTES as usize);
        let window = Window::of_live(blocks, options.multiline == Some(false));
        let mut bad_rows = BadRows::new(options.clone(), source);
        bad_rows.begin_file(&spec.path, position);
        Ok(Opened::File(Box::new(Self { spec, watch, rows, window, bad_rows, idle_until: None, nameless_at: None })))
    }

    /// The offset of the first row that has not been handed on.
    pub(super) fn position(&self) -> u64 {
        self.window.position()
    }

    /// Bytes that it has now and that have not been handed on as rows; `None`: nobody can look. Of one that is another by now only what was read counts.
    pub(super) fn lag(&self) -> Option<u64> {
        let watch = self.watch.lock();
        let size = watch.stamp().ok()?.size;
        Some(size.max(watch.read_to()).saturating_sub(self.position()))
    }

    /// Its spec as of now, for a checkpoint.
    pub(super) fn spec_now(&self) -> FollowedSpec {
        let watch = self.watch.lock();
        // Of one that is being read nobody has looked how long it is.
        let size = if self.idle_until.is_some() { 0 } else { watch.stamp().map_or(SIZE_UNKNOWN, |stamp| stamp.size) };
        // In front of a row that is being passed over there may be more than is in memory.
        let is_known = self.window.position() == self.window.blocks.offset();
        let tail = is_known.then(|| hash_of(self.window.blocks.behind()));
        FollowedSpec { seen: size.max(watch.read_to()), head: watch.head().clone(), tail, ..self.spec.clone() }
    }

    /// Appends rows that have come.
    pub(super) fn read(&mut self, now: Monotonic, max_records: usize, out: &mut BatchBuilder) -> Result<Came, EngineError> {
        self.watch.lock().set_now(now);
        if let Some(until) = self.idle_until {
            if now < until {
                return Ok(Came::Nothing);
            }
            self.look().map_err(|e| file_error("follow", &self.spec.path, e))?;
        }
        let progress = self.window.read_any(&mut self.rows, max_records, out, &mut self.bad_rows)?;
        match progress {
            Progress::More => {
                self.idle_until = None;
                return Ok(Came::Rows);
            }
            Progress::Waiting => self.idle_until = Some(now + LOOK_AGAIN),
            Progress::Ended => return Ok(Came::Over(Over::Deleted)),
        }
        let mut watch = self.watch.lock();
        if let Some(how) = watch.replaced() {
            warn_of_another(&self.spec, how);
            return Ok(Came::Over(Over::Replaced));
        }
        if watch.take_written_in_place() {
            tracing::warn!(file = %self.spec.path, "a followed file was written to and has not grown: what was written into it is not read");
        }
        Ok(Came::Nothing)
    }

    /// Looks at a file that has been read to its end. One that has no name any more, and has not grown from one look to the next, ends there.
    fn look(&mut self) -> io::Result<()> {
        let mut watch = self.watch.lock();
        let stamp = watch.stamp()?;
        let nameless = (stamp.names == 0).then_some(stamp.size);
        watch.ends |= watch.is_same()? && nameless.is_some() && nameless == self.nameless_at;
        self.nameless_at = nameless;
        Ok(())
    }
}

/// A file that has been found and opened.
pub(super) struct FoundFile {
    pub path: PathBuf,
    pub file: File,
}

/// The file of `spec`, opened; `None`: it is gone.
pub(super) fn find(options: &FileOptions, spec: &FollowedSpec) -> Result<Option<FoundFile>, EngineError> {
    find_by(spec, || locate(options, spec))
}

/// The file that `locate` finds, opened. It may be renamed between the look and the opening: then it is looked for again.
fn find_by(
    spec: &FollowedSpec,
    mut locate: impl FnMut() -> Result<Option<PathBuf>, EngineError>,
) -> Result<Option<FoundFile>, EngineError> {
    let failed = |e| file_error("follow", &spec.path, e);
    for _ in 0..LOOKS_MAX {
        let Some(path) = locate()? else { return Ok(None) };
        match open_regular(&path) {
            Ok(file) if FileId::of(&file.metadata().map_err(failed)?) == spec.id => return Ok(Some(FoundFile { path, file })),
            Ok(_other) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let message = format!("follow {}: it is renamed again and again while it is looked for", spec.path);
    Err(EngineError::new(ErrorKind::Restart, message))
}

fn warn_of_another(spec: &FollowedSpec, how: &str) {
    tracing::warn!(file = %spec.path, how, "a followed file is another by now and is read from its beginning");
}

#[cfg(test)]
#[path = "open_file_tests.rs"]
mod tests;
