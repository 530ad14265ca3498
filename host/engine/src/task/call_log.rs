//! What an operator with `record = true` has been called with, kept until the checkpoint behind it is complete.
//!
//! Calls are kept stretch by stretch: from one barrier to the next. A snapshot is given every stretch since the newest checkpoint that was
//! complete at its trigger, so a checkpoint that fails takes no call with it, and one that completes while the next is under way leaves that
//! one more than it needs. Invariants: stretches are in the order of their barriers, and only the last one grows; what is kept is
//! [`CALL_LOG_BYTES`] at most.

use crate::checkpoint::{OperatorCall, SectionKind, StateObjectWriter, Stretch, write_calls};
use crate::element::CheckpointId;
use std::sync::Arc;

/// What one subtask keeps at most. A stretch for which there is no more room is cut off, and says so: the job is worth more than its call log.
/// While they are written, calls are held once more.
pub const CALL_LOG_BYTES: usize = 256 << 20;

/// The calls of one subtask that no complete checkpoint has.
pub struct CallLog {
    /// Behind each of these a barrier has been taken.
    closed: Vec<Arc<Stretch>>,
    open: Stretch,
    bytes: usize,
    bytes_max: usize,
}

impl CallLog {
    /// Of an attempt that goes on from the checkpoint `restored`.
    pub fn since(restored: Option<CheckpointId>) -> Self {
        Self::bounded(restored, CALL_LOG_BYTES)
    }

    fn bounded(restored: Option<CheckpointId>, bytes_max: usize) -> Self {
        Self { closed: Vec::new(), open: Stretch::behind(restored), bytes: 0, bytes_max }
    }

    /// A call is about to be made.
    pub fn note(&mut self, call: OperatorCall) {
        let bytes = self.bytes + call.byte_len();
        // Behind a gap nothing can be replayed.
        self.open.header.cut_off |= bytes > self.bytes_max;
        if !self.open.header.cut_off {
            self.bytes = bytes;
            self.open.calls.push(call);
        }
    }

    /// The barrier of `checkpoint_id` is here: all stretches since `base`, the newest checkpoint that was complete at its trigger.
    pub(crate) fn at_barrier(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Vec<Arc<Stretch>> {
        base.into_iter().for_each(|base| self.on_completed(base));
        let ended = std::mem::replace(&mut self.open, Stretch::behind(Some(checkpoint_id)));
        self.closed.push(Arc::new(ended));
        self.closed.clone()
    }

    /// A checkpoint is complete: it, and those before it, have the stretches that begin in front of its barrier.
    pub fn on_completed(&mut self, checkpoint_id: CheckpointId) {
        self.closed.retain(|stretch| {
            let needed = stretch.header.behind >= Some(checkpoint_id);
            self.bytes -= if needed { 0 } else { stretch.byte_len() };
            needed
        });
    }
}

/// The object that holds `stretches` of subtask `index` of `operator`.
pub(super) fn call_log_object(operator: &str, index: u32, stretches: &[Arc<Stretch>]) -> StateObjectWriter {
    let mut object = StateObjectWriter::new();
    for payload in stretches.iter().flat_map(|stretch| write_calls(stretch)) {
        object.section(SectionKind::CallLog, operator, index, &payload);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::CallKind;
    use crate::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch};

    /// Room for so many of [`call`]'s calls.
    fn call_log(calls: usize) -> CallLog {
        CallLog::bounded(Some(CheckpointId(7)), calls * call("a").byte_len())
    }

    fn call(word: &str) -> OperatorCall {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"k"), word.as_bytes(), None);
        let kind = CallKind::Batch { input: 0, keyed: true, batch: Arc::new(builder.finish()) };
        OperatorCall { watermark: NO_TIMESTAMP, processing_time: 0, kind }
    }

    fn words(stretch: &Stretch) -> String {
        let of = |batch: &RecordBatch| String::from_utf8_lossy(batch.values().get(0)).into_owned();
        let of_call = |call: &OperatorCall| match &call.kind {
            CallKind::Batch { batch, .. } => of(batch),
            CallKind::Timers(_) | CallKind::Watermark => panic!("{call:?}"),
        };
        let words = stretch.calls.iter().map(of_call).collect::<String>();
        let behind = stretch.header.behind.map_or("start".to_owned(), |id| id.to_string());
        format!("{behind}:{words}{}", if stretch.header.cut_off { "…" } else { "" })
    }

    /// `a` is a call, `b8` the barrier of checkpoint 8 whose base has not moved, `b9/8` that of 9 on 8, `c8` the completion of 8. Expects what each
    /// barrier gives.
    #[track_caller]
    fn check(room: usize, events: &str, expect: &[&str]) {
        let mut call_log = call_log(room);
        let mut given = Vec::new();
        let id = |text: &str| CheckpointId(text.parse().expect("an id"));
        for event in events.split_whitespace() {
            match (event.strip_prefix('b'), event.strip_prefix('c')) {
                (Some(barrier), _) if !barrier.is_empty() => {
                    let (checkpoint, base) = barrier.split_once('/').map_or((barrier, None), |(at, base)| (at, Some(id(base))));
                    let stretches = call_log.at_barrier(id(checkpoint), base);
                    given.push(stretches.iter().map(|stretch| words(stretch)).collect::<Vec<_>>().join(" "));
                }
                (_, Some(completed)) if !completed.is_empty() => call_log.on_completed(id(completed)),
                _ => call_log.note(call(event)),
            }
        }
        assert_eq!(given, expect, "{events}");
        let kept: usize = call_log.closed.iter().map(|stretch| stretch.byte_len()).sum();
        assert_eq!(call_log.bytes, kept + call_log.open.byte_len(), "{events}");
    }

    #[test]
    fn a_checkpoint_has_the_calls_since_the_one_before() {
        check(9, "x y b8 c8 z b9/8 c9 b10/9", &["7:xy", "8:z", "9:"]);
    }

    #[test]
    fn calls_of_a_checkpoint_that_fails_are_in_the_next() {
        check(9, "x b8 y b9 c9 z b10/9", &["7:x", "7:x 8:y", "9:z"]);
    }

    #[test]
    fn of_checkpoints_in_flight_together_each_has_all_since_its_base() {
        check(9, "x b8 y b9 z b10 c8 u b11/8 c10 b12/10", &["7:x", "7:x 8:y", "7:x 8:y 9:z", "8:y 9:z 10:u", "10:u 11:"]);
    }

    #[test]
    fn what_does_not_fit_is_cut_off_until_there_is_room_again() {
        check(2, "x y z u b8 c8 v b9/8", &["7:xy…", "8:v"]);
        check(2, "x y b8 z b9 c8 u b10/8", &["7:xy", "7:xy 8:…", "8:… 9:u"]);
    }
}
