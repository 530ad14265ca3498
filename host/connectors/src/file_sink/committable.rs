//! What a checkpoint stores of a part: enough for any process to commit it, also when its sink has left the job.

use super::CONNECTOR;
use crate::paths::FileName;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use weir_engine::{Committable, EngineError, ErrorKind};

/// A durable part file that is not visible yet. Its paths are relative to the job file's folder where the job file gives the sink's folder so: a
/// project that is moved or copied commits what is in its own folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileCommittable {
    /// Where it becomes visible.
    pub target: PathBuf,
    /// Where it lies until then, on the same file system.
    pub pending: PathBuf,
    /// Its length in bytes; never 0.
    pub size: u64,
    /// CRC-32C of its bytes.
    pub crc32c: u32,
    /// Where the job file's folder was when the part was written, absolutely, where paths are relative to it. Nothing is committed there: it is where
    /// a file that is missing may have stayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_in: Option<PathBuf>,
    /// It lies in a folder of its own inside the sink's, which the commit makes. A weir that makes none refuses it by this name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partitioned: bool,
}

impl FileCommittable {
    /// The part with the paths that it has where the job file's folder is `base`.
    pub fn at(&self, base: &Path) -> Self {
        Self { target: base.join(&self.target), pending: base.join(&self.pending), ..self.clone() }
    }

    /// Where else the part's files may be, seen from `base`: where the folder was before it was moved; or, where the paths are absolute, where they
    /// would lie in `base` if that had been moved with them.
    pub fn elsewhere(&self, base: &Path) -> Vec<PathBuf> {
        let both = [&self.target, &self.pending];
        match self.written_in.as_deref().filter(|_| self.target.is_relative()) {
            Some(was) if was == base => Vec::new(),
            Some(was) => both.iter().map(|path| was.join(path)).collect(),
            None if self.target.is_relative() => Vec::new(),
            None => both.iter().flat_map(|path| ends_of(path).map(|end| base.join(end)).filter(move |other| other != *path)).collect(),
        }
    }
}

/// The ends of an absolute path, the longest first.
fn ends_of(path: &Path) -> impl Iterator<Item = PathBuf> {
    let parts: Vec<_> = path.components().skip(1).collect();
    (0..parts.len()).map(move |from| parts[from..].iter().collect())
}

impl From<FileCommittable> for Committable {
    fn from(part: FileCommittable) -> Self {
        let payload = serde_json::to_value(part).expect("its paths were checked to be UTF-8 when the sink was built");
        Self { connector: CONNECTOR.into(), payload }
    }
}

impl TryFrom<&Committable> for FileCommittable {
    type Error = EngineError;

    fn try_from(committable: &Committable) -> Result<Self, EngineError> {
        let broken = |why: String| {
            EngineError::new(ErrorKind::Corrupt, format!("read a committable of connector `{}`: {why}", committable.connector))
        };
        if committable.connector != CONNECTOR {
            return Err(broken("it is not one of the file sink".into()));
        }
        let part: Self = FileCommittable::deserialize(&committable.payload).map_err(|e| broken(e.to_string()))?;
        if part.target.is_absolute() != part.pending.is_absolute() {
            let message =
                format!("{} and {} must both be relative, or neither", FileName::whole(&part.target), FileName::whole(&part.pending));
            return Err(broken(message));
        }
        Ok(part)
    }
}
