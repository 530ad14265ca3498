//! A source of numbered records in a few splits.

use serde_json::json;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::operator::Subtask;
use weir_engine::{BatchBuilder, EngineError, ReadStatus, Source, SourceReader, SplitProgress, SplitState};

/// Records `0..count`, dealt out to `splits` splits; record n has key `n % keys`, as text, and time n.
#[derive(Clone)]
pub struct NumberSource {
    /// Number of records.
    pub count: u64,
    /// Number of keys.
    pub keys: u64,
    /// Number of splits.
    pub splits: u64,
    /// The value of record n.
    pub value: Arc<dyn Fn(u64) -> String + Send + Sync>,
}

struct NumberReader {
    source: NumberSource,
    splits: Vec<SplitState>,
    current: usize,
}

impl Source for NumberSource {
    fn connector(&self) -> &'static str {
        "numbers"
    }

    fn identity(&self) -> serde_json::Value {
        json!({"count": self.count, "keys": self.keys, "splits": self.splits})
    }

    fn discover(&self, _parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        let split = |number| SplitState { id: format!("{number}"), spec: json!(number), progress: SplitProgress::Unread };
        Ok((0..self.splits).map(split).collect())
    }

    fn verify(&self, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
        assert_eq!(splits.len() as u64, self.splits, "a checkpoint holds every split once");
        Ok(Vec::new())
    }

    fn reader(&self, _subtask: &Subtask, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(NumberReader { source: self.clone(), splits, current: 0 }))
    }
}

impl SourceReader for NumberReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut BatchBuilder) -> Poll<Result<ReadStatus, EngineError>> {
        // Small reads: many interleavings in few records.
        let mut room = max_records.min(5);
        while let Some(split) = self.splits.get_mut(self.current) {
            let mut next = match &split.progress {
                SplitProgress::Unread => split.spec.as_u64().expect("a split is a number"),
                SplitProgress::At(position) => position.as_u64().expect("a position is a number"),
                SplitProgress::Finished => {
                    self.current += 1;
                    continue;
                }
            };
            while room > 0 && next < self.source.count {
                let key = (next % self.source.keys).to_string();
                out.push(Some(key.as_bytes()), (self.source.value)(next).as_bytes(), Some(next as i64));
                next += self.source.splits;
                room -= 1;
            }
            let ended = next >= self.source.count;
            split.progress = if ended { SplitProgress::Finished } else { SplitProgress::At(json!(next)) };
            if room == 0 {
                return Poll::Ready(Ok(ReadStatus::More));
            }
        }
        Poll::Ready(Ok(ReadStatus::End))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }
}
