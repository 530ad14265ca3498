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
use super::spec::FollowedSpec;
use crate::paths::FileId;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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
    Over,
}

/// The file.
pub(super) struct OpenFile {
    pub spec: FollowedSpec,
    file: Arc<File>,
    rows: AnyRows,
    window: Window,
    pub bad_rows: BadRows,
    /// It has been read to its end, and is looked at again from this time on.
    pub idle_until: Option<Monotonic>,
    ends: Arc<AtomicBool>,
    /// It had no name any more when it was last looked at, and as many bytes.
    nameless_at: Option<u64>,
}

impl OpenFile {
    /// Opens the file of `spec` to be read from `position` on; `None`: nothing more will come of it.
    pub(super) fn open(
        options: &Arc<FileOptions>,
        source: &str,
        mut spec: FollowedSpec,
        position: u64,
    ) -> Result<Option<Self>, EngineError> {
        let Some((path, file)) = find(options, &spec)? else {
            return gone(&spec, position).map_or(Ok(None), Err);
        };
        let failed = |e| file_error("follow", &spec.path, e);
        let file = Arc::new(file);
        if let Some(how) = spec.replaced(&file, position).map_err(failed)? {
            warn_of_another(&spec, &how);
            return Ok(None);
        }
        spec.path = name_of(options, &path);
        let before = if position == spec.start { Before::Nothing } else { Before::Rows };
        let rows = AnyRows::new(options, spec.header.as_deref(), spec.multiline, before)?;
        let ends = Arc::<AtomicBool>::default();
        let blocks = Blocks::new(Box::new(Growing::new(file.clone(), position, ends.clone())), position);
        let mut bad_rows = BadRows::new(options.clone(), source);
        bad_rows.begin_file(&spec.path, position);
        let window = Window::of_live(blocks, options.multiline == Some(false));
        Ok(Some(Self { spec, file, rows, window, bad_rows, idle_until: None, ends, nameless_at: None }))
    }

    /// The offset of the first row that has not been handed on.
    pub(super) fn position(&self) -> u64 {
        self.window.position()
    }

    /// How far it has been read, rows or not.
    fn read_to(&self) -> u64 {
        self.window.blocks.offset() + self.window.blocks.bytes().len() as u64
    }

    /// Its spec as of now, for a checkpoint.
    pub(super) fn spec_now(&self) -> FollowedSpec {
        // Of one that is being read nobody has looked how long it is.
        let size = if self.idle_until.is_some() { 0 } else { self.file.metadata().map_or(u64::MAX, |metadata| metadata.len()) };
        FollowedSpec { seen: size.max(self.read_to()), ..self.spec.clone() }
    }

    /// Appends rows that have come.
    pub(super) fn read(&mut self, now: Monotonic, max_records: usize, out: &mut BatchBuilder) -> Result<Came, EngineError> {
        if let Some(until) = self.idle_until {
            if now < until {
                return Ok(Came::Nothing);
            }
            if self.is_another()? {
                return Ok(Came::Over);
            }
        }
        let progress = self.window.read_any(&mut self.rows, max_records, out, &mut self.bad_rows)?;
        self.idle_until = match progress {
            Progress::More => None,
            Progress::Waiting => Some(now + LOOK_AGAIN),
            Progress::Ended => return Ok(Came::Over),
        };
        if progress == Progress::More {
            return Ok(Came::Rows);
        }
        let read_to = self.read_to();
        // What has taken its place since would be taken for its beginning.
        if let Some(how) = self.spec.replaced(&self.file, read_to).map_err(|e| file_error("follow", &self.spec.path, e))? {
            warn_of_another(&self.spec, &how);
            return Ok(Came::Over);
        }
        self.spec.know_head(&self.file, read_to).map_err(|e| file_error("follow", &self.spec.path, e))?;
        Ok(Came::Nothing)
    }

    /// Looks at a file that has been read to its end. True where it is another by now. One that has no name any more, and has not grown from one look
    /// to the next, ends there.
    fn is_another(&mut self) -> Result<bool, EngineError> {
        let failed = |e| file_error("follow", &self.spec.path, e);
        let metadata = self.file.metadata().map_err(failed)?;
        if metadata.len() != self.read_to()
            && let Some(how) = self.spec.replaced(&self.file, self.read_to()).map_err(failed)?
        {
            warn_of_another(&self.spec, &how);
            return Ok(true);
        }
        let nameless = (metadata.nlink() == 0).then_some(metadata.len());
        if nameless.is_some() && nameless == self.nameless_at {
            self.ends.store(true, Relaxed);
        }
        self.nameless_at = nameless;
        Ok(false)
    }
}

/// The file of `spec`, opened; `None`: it is gone. It may be renamed between the look and the opening: then it is looked for again.
fn find(options: &FileOptions, spec: &FollowedSpec) -> Result<Option<(PathBuf, File)>, EngineError> {
    let failed = |e| file_error("follow", &spec.path, e);
    for _ in 0..LOOKS_MAX {
        let Some(path) = locate(options, spec)? else { return Ok(None) };
        match open_regular(&path) {
            Ok(file) if FileId::of(&file.metadata().map_err(failed)?) == spec.id => return Ok(Some((path, file))),
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
