//! What a checkpoint stores of a part: enough for any process to commit it, also when its sink has left the job.

use super::CONNECTOR;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use weir_engine::{Committable, EngineError, ErrorKind};

/// A durable part file that is not visible yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileCommittable {
    /// Where it becomes visible; absolute.
    pub target: PathBuf,
    /// Where it lies until then; absolute, on the same file system.
    pub pending: PathBuf,
    /// Its length in bytes; never 0.
    pub size: u64,
    /// CRC-32C of its bytes.
    pub crc32c: u32,
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
        if !part.target.is_absolute() || !part.pending.is_absolute() {
            return Err(broken(format!("{} and {} must be absolute", part.target.display(), part.pending.display())));
        }
        Ok(part)
    }
}
