//! What a checkpoint stores of a file's range, and how it tells whether the file is still the same.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, SplitState};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at a file's beginning whose hash identifies it.
const HEAD_BYTES: u64 = 4096;

/// A range of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitSpec {
    /// Relative to the job file's folder where the job file's path is.
    pub path: String,
    /// What the file was when it was found.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
    /// Offset of the first row, uncompressed.
    pub start: u64,
    /// Where the last row ends; `None`: at the file's end, wherever that is (compressed files).
    pub end: Option<u64>,
    /// The file's header row (csv).
    pub header: Option<String>,
    /// Whether cells may hold line breaks (csv).
    pub multiline: bool,
}

/// What tells a file from another one of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// Bytes on disk.
    pub size: u64,
    /// XXH3-64 of the first 4 KiB on disk, as 16 hexadecimal digits.
    pub head: String,
}

impl Fingerprint {
    /// Of the file as it is now.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        Ok(Self { size, head: format!("{:016x}", xxh3_64(&head)) })
    }

    /// How `now` differs, in words.
    pub(super) fn difference(&self, now: &Self) -> Option<String> {
        match (self.size == now.size, self.head == now.head) {
            (true, true) => None,
            (false, _) => Some(format!("it has {} bytes now and had {}", now.size, self.size)),
            (true, false) => Some("its first bytes are others".into()),
        }
    }
}

impl SplitSpec {
    /// The split at its beginning.
    pub(super) fn unread(&self) -> SplitState {
        let spec = serde_json::to_value(self).expect("texts and numbers become JSON");
        SplitState { id: format!("{}@{}", self.path, self.start), spec, progress: SplitProgress::Unread }
    }

    /// The spec of a split, and the offset of its next row (`None`: finished).
    pub(super) fn parse(split: &SplitState) -> Result<(Self, Option<u64>), EngineError> {
        let broken = |why: String| EngineError::new(ErrorKind::Corrupt, format!("read the file split {:?}: {why}", split.id));
        let spec: Self = SplitSpec::deserialize(&split.spec).map_err(|e| broken(e.to_string()))?;
        let range = spec.start..=spec.end.unwrap_or(u64::MAX);
        let position = match &split.progress {
            SplitProgress::Unread => Some(spec.start),
            SplitProgress::At(position) => match position.as_u64().filter(|offset| range.contains(offset)) {
                Some(offset) => Some(offset),
                None => return Err(broken(format!("the position {position} lies outside of {range:?}"))),
            },
            SplitProgress::Finished => None,
        };
        Ok((spec, position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_position_outside_the_range_is_corrupt() {
        let fingerprint = Fingerprint { size: 9, head: String::new() };
        let spec = SplitSpec { path: "a".into(), fingerprint, start: 2, end: Some(9), header: None, multiline: false };
        let at = |position| SplitSpec::parse(&SplitState { progress: SplitProgress::At(position), ..spec.unread() });
        assert_eq!(at(json!(9)).unwrap(), (spec.clone(), Some(9)));
        for position in [json!(1), json!(10), json!("2"), json!(-3)] {
            assert_eq!(at(position).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}
