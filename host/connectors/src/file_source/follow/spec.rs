//! What a checkpoint stores of a followed file.

use super::watch::{Content, LAST_DIFFERS};
use crate::paths::{FileId, FileName};
use serde::{Deserialize, Serialize};
use std::io;
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, SplitState};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at a file's beginning that identify it, and in front of where it is read on, as far as it has so many.
pub(super) const KNOWN_BYTES: u64 = 4096;

/// What is stored as the bytes of a file of which nobody could look how many it has: however much was read of it, there may be more.
pub(super) const SIZE_UNKNOWN: u64 = u64::MAX;

/// A file's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// How many bytes of it are known.
    #[serde(rename = "head-bytes")]
    pub bytes: u64,
    /// The XXH3-64 of those bytes, as 16 hexadecimal digits.
    #[serde(rename = "head")]
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl Head {
    /// Of a file that begins with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, hash: hash_of(bytes) }
    }

    /// How a file begins otherwise; `None`: it does not.
    pub(super) fn difference(&self, file: &dyn Content) -> io::Result<Option<String>> {
        let same = file.bytes_at(0, self.bytes)?.is_some_and(|bytes| hash_of(&bytes) == self.hash);
        Ok((!same).then(|| "its first bytes are others".to_owned()))
    }
}

/// What is stored of bytes that a file is known by.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// A followed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FollowedSpec {
    /// The name that it was last seen under, relative to the job file's folder where the job file's path is.
    pub path: FileName,
    #[serde(flatten)]
    pub id: FileId,
    #[serde(flatten)]
    pub head: Head,
    /// Offset of the first row.
    pub start: u64,
    /// The file's header row (csv).
    pub header: Option<String>,
    /// Whether cells may hold line breaks (csv).
    pub multiline: bool,
    /// Bytes that it had when it was last looked at, or [`SIZE_UNKNOWN`].
    pub seen: u64,
    /// Of a split that is finished the offset up to which it was read: a file that was away and comes back goes on there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_to: Option<u64>,
    /// XXH3-64 of the last 4 KiB in front of the split's position, or of as many as there are; checkpoints of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

impl FollowedSpec {
    /// The split with this spec of which nothing has been read. `generation`: the next behind those that this device and inode has had.
    pub(super) fn unread(&self, generation: usize) -> SplitState {
        let generation = if generation == 0 { String::new() } else { format!("#{generation}") };
        let id = format!("{}@{}{generation}", self.path, self.id);
        SplitState::unread(id, self.to_json())
    }

    /// The same, of a split that is finished.
    pub(super) fn finished(self, position: u64) -> Self {
        Self { read_to: Some(position), ..self }
    }

    /// Where `file`, which has this one's device and inode, goes on; `None`: it is another file by now, or nobody knows.
    pub(super) fn goes_on_at(&self, file: &dyn Content) -> io::Result<Option<u64>> {
        let Some(position) = self.read_to else { return Ok(None) };
        Ok(self.replaced(file, position)?.is_none().then_some(position))
    }

    /// Bytes that it had behind `position` when it was last looked at; `None`: nobody could look.
    pub(super) fn left(&self, position: u64) -> Option<u64> {
        (self.seen != SIZE_UNKNOWN).then(|| self.seen.saturating_sub(position))
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

    /// How a file of this device and inode is another than this one, of which `position` bytes have been read; `None`: it is the same.
    pub(super) fn replaced(&self, file: &dyn Content, position: u64) -> io::Result<Option<String>> {
        let (size, least) = (file.stamp()?.size, position.max(self.head.bytes));
        if size < least {
            return Ok(Some(format!("it has {size} bytes now and had {least} at least")));
        }
        if let Some(how) = self.head.difference(file)? {
            return Ok(Some(how));
        }
        let Some(tail) = &self.tail else { return Ok(None) };
        let count = KNOWN_BYTES.min(position);
        let same = file.bytes_at(position - count, count)?.is_some_and(|bytes| hash_of(&bytes) == *tail);
        Ok((!same).then(|| LAST_DIFFERS.to_owned()))
    }
}
/// The generation in the id of a split; see [`FollowedSpec::unread`].
pub(super) fn generation_of(id: &str) -> usize {
    id.rsplit_once('#').and_then(|(_, generation)| generation.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_told_by_the_id_whatever_the_path_looks_like() {
        assert_eq!(["a@5-7", "a@5-7#1", "a#9@5-7", "a#9@5-7#12", "a@5-7#x"].map(generation_of), [0, 1, 0, 12, 0]);
    }
}
