//! What a checkpoint stores of a file, or of a range of it.

use super::fingerprint::Fingerprint;
use super::header::BYTE_ORDER_MARK;
use super::rows::Before;
use crate::paths::FileName;
use serde::{Deserialize, Serialize};
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, SplitState};

/// A file, or a range of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitSpec {
    /// Relative to the job file's folder where the job file's path is.
    pub path: FileName,
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

impl SplitSpec {
    /// The split at its beginning.
    pub(super) fn unread(&self) -> SplitState {
        let spec = serde_json::to_value(self).expect("texts and numbers become JSON");
        SplitState::unread(format!("{}@{}", self.path, self.start), spec)
    }

    /// True where it is a part of a file.
    pub(super) fn is_range(&self) -> bool {
        !self.is_first() || self.end.is_some_and(|end| end < self.fingerprint.size)
    }

    /// Bytes behind `position`. What is compressed unpacks to nobody knows how much: then it is not known.
    pub(super) fn left(&self, position: u64) -> Option<u64> {
        Some(self.end?.saturating_sub(position))
    }

    /// Bytes of a split that have not been read, as far as it says so. There may be very many splits, so the rest of their specs is not parsed for it.
    pub(super) fn left_of(split: &SplitState) -> Option<u64> {
        let position = match &split.progress {
            SplitProgress::Unread => split.spec.get("start")?.as_u64()?,
            SplitProgress::At(position) => position.as_u64()?,
            SplitProgress::Finished => return Some(0),
        };
        Some(split.spec.get("end")?.as_u64()?.saturating_sub(position))
    }

    /// What stands in front of the row at `position`.
    pub(super) fn before(&self, position: u64) -> Before {
        if self.is_first() && position == self.start { Before::Nothing } else { Before::Rows }
    }

    /// True where the file's first row is in it. No range but a file's first begins as near as that behind the header: ranges are
    /// longer than half of [`super::ranges::RANGE_BYTES_MIN`].
    fn is_first(&self) -> bool {
        let header = self.header.as_ref().map_or(0, String::len) + BYTE_ORDER_MARK.len() + "\r\n".len();
        self.start <= header as u64
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
    fn a_split_of_an_earlier_version_is_read() {
        let spec = json!({ "path": "a", "size": 9, "head": "0a", "start": 2, "end": 9, "header": null, "multiline": false });
        let split = SplitState::unread("a@2".into(), spec);
        let (read, position) = SplitSpec::parse(&split).unwrap();
        assert_eq!((read.fingerprint.tail.as_ref(), position, read.unread().spec), (None, Some(2), split.spec));
    }

    #[test]
    fn what_is_left_of_a_split_is_told_by_its_offsets_alone() {
        let of = |end: serde_json::Value, progress| {
            SplitSpec::left_of(&SplitState { progress, ..SplitState::unread("a@2".into(), json!({ "start": 2, "end": end })) })
        };
        assert_eq!(of(json!(9), SplitProgress::Unread), Some(7));
        assert_eq!(of(json!(9), SplitProgress::At(json!(5))), Some(4));
        assert_eq!((of(json!(9), SplitProgress::Finished), of(json!(null), SplitProgress::Finished)), (Some(0), Some(0)));
        assert_eq!((of(json!(null), SplitProgress::Unread), of(json!(9), SplitProgress::At(json!("x")))), (None, None));
    }

    #[test]
    fn a_position_outside_the_range_is_corrupt() {
        let fingerprint = Fingerprint { size: 9, head: String::new(), tail: None };
        let spec = SplitSpec { path: "a".into(), fingerprint, start: 2, end: Some(9), header: None, multiline: false };
        let at = |position| SplitSpec::parse(&SplitState { progress: SplitProgress::At(position), ..spec.unread() });
        assert_eq!(at(json!(9)).unwrap(), (spec.clone(), Some(9)));
        for position in [json!(1), json!(10), json!("2"), json!(-3)] {
            assert_eq!(at(position).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}
