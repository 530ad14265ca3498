//! What a checkpoint stores of a followed file.

use crate::paths::{FileId, FileName};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, SplitState};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at a file's beginning that identify it, as far as it has so many.
const HEAD_BYTES: u64 = 4096;

/// A followed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FollowedSpec {
    /// The name that it was last seen under, relative to the job file's folder where the job file's path is.
    pub path: FileName,
    #[serde(flatten)]
    pub id: FileId,
    /// How many bytes at its beginning are known.
    pub head_bytes: u64,
    /// XXH3-64 of the bytes that are known, as 16 hexadecimal digits.
    pub head: String,
    /// Offset of the first row.
    pub start: u64,
    /// The file's header row (csv).
    pub header: Option<String>,
    /// Whether cells may hold line breaks (csv).
    pub multiline: bool,
    /// Bytes that it had when it was last looked at.
    pub seen: u64,
    /// Of a split that is finished the offset up to which it was read: a file that was away and comes back goes on there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_to: Option<u64>,
}

impl FollowedSpec {
    /// The split with this spec of which nothing has been read. `generation` is the number of others that this device and inode has had.
    pub(super) fn unread(&self, generation: usize) -> SplitState {
        let generation = if generation == 0 { String::new() } else { format!("#{generation}") };
        let id = format!("{}@{}{generation}", self.path, self.id);
        SplitState { id, spec: self.to_json(), progress: SplitProgress::Unread }
    }

    /// The same, of a split that is finished.
    pub(super) fn finished(self, position: u64) -> Self {
        Self { read_to: Some(position), ..self }
    }

    /// Where `file`, which has this one's device and inode, goes on; `None`: it is another file by now, or nobody knows.
    pub(super) fn goes_on_at(&self, file: &File) -> io::Result<Option<u64>> {
        let Some(position) = self.read_to else { return Ok(None) };
        Ok(self.replaced(file, position)?.is_none().then_some(position))
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("texts and numbers become JSON")
    }

    /// The spec of a split, and the offset of its next row (`None`: finished).
    pub(super) fn parse(split: &SplitState) -> Result<(Self, Option<u64>), EngineError> {
        let broken = |why: String| EngineError::new(ErrorKind::Corrupt, format!("read the split {:?} of a followed file: {why}", split.id));
        let spec: Self = Self::deserialize(&split.spec).map_err(|e| broken(e.to_string()))?;
        let position = match &split.progress {
            SplitProgress::Unread => Some(spec.start),
            SplitProgress::At(position) => match position.as_u64().filter(|&offset| offset >= spec.start) {
                Some(offset) => Some(offset),
                None => return Err(broken(format!("the position {position} lies in front of its first row"))),
            },
            SplitProgress::Finished => None,
        };
        Ok((spec, position))
    }

    /// Makes what is known of the file's beginning as long as it can be, of a file that has `size` bytes.
    pub(super) fn know_head(&mut self, file: &File, size: u64) -> io::Result<()> {
        let bytes = HEAD_BYTES.min(size);
        if bytes > self.head_bytes {
            (self.head_bytes, self.head) = (bytes, head_of(file, bytes)?);
        }
        Ok(())
    }

    /// How a file of this device and inode is another than this one, of which `position` bytes have been read; `None`: it is the same.
    pub(super) fn replaced(&self, file: &File, position: u64) -> io::Result<Option<String>> {
        let size = file.metadata()?.len();
        if size < position.max(self.head_bytes) {
            return Ok(Some(format!("it has {size} bytes now and had {} at least", position.max(self.head_bytes))));
        }
        Ok((head_of(file, self.head_bytes)? != self.head).then(|| "its first bytes are others".to_owned()))
    }
}

/// The hash of the first `bytes` bytes, which the file has to have.
pub(super) fn head_of(file: &File, bytes: u64) -> io::Result<String> {
    let mut head = vec![0; bytes as usize];
    file.read_exact_at(&mut head, 0)?;
    Ok(format!("{:016x}", xxh3_64(&head)))
}
