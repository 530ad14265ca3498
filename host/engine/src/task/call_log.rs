//! What an operator with `record = true` has been called with, kept until the checkpoint behind it is complete.
//!
//! Calls are kept stretch by stretch: from one barrier to the next. A snapshot is given every stretch since the newest checkpoint that was
//! complete at its trigger, so a checkpoint that fails takes no call with it, and one that completes while the next is under way leaves that
//! one more than it needs. Invariants: stretches are in the order of their barriers, and only the last one grows; what all subtasks of an attempt
//! keep, and what snapshots have of it that are not written yet, is what their [`CallLogBudget`] allows at most.

use crate::checkpoint::{OperatorCall, SectionKind, StateObjectWriter, Stretch, write_calls};
use crate::element::CheckpointId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bounds the bytes of calls that all subtasks of an attempt keep at a time. A stretch for which there is no more room is cut off, and says so: the
/// job is worth more than its call log. While they are written, calls are held once more.
#[derive(Clone, Debug)]
pub struct CallLogBudget {
    used: Arc<AtomicU64>,
    limit: u64,
}

impl CallLogBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// Takes room for so many bytes. False where there is not as much: nothing is taken then.
    fn take(&self, bytes: u64) -> bool {
        let within = |used: u64| used.checked_add(bytes).filter(|&used| used <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

/// A stretch that is kept. Its calls count against the budget until the last that holds it lets go of it.
#[derive(Debug)]
pub struct KeptStretch {
    stretch: Stretch,
    bytes: u64,
    budget: CallLogBudget,
}

impl KeptStretch {
    /// One that begins behind the barrier of a checkpoint, or where the attempt does; without any call.
    pub(super) fn behind(behind: Option<CheckpointId>, budget: CallLogBudget) -> Self {
        Self { stretch: Stretch::behind(behind), bytes: 0, budget }
    }

    /// Keeps a call, unless there is no room for it or was none for one before: behind a gap nothing can be replayed.
    fn note(&mut self, call: OperatorCall) {
        let bytes = call.byte_len() as u64;
        let header = &mut self.stretch.header;
        header.cut_off = header.cut_off || !self.budget.take(bytes);
        if !header.cut_off {
            self.bytes += bytes;
            self.stretch.calls.push(call);
        }
    }
}

impl Drop for KeptStretch {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// The calls of one subtask that no complete checkpoint has.
pub struct CallLog {
    /// Behind each of these a barrier has been taken.
    closed: Vec<Arc<KeptStretch>>,
    open: KeptStretch,
}

impl CallLog {
    /// Of a subtask of an attempt that goes on from the checkpoint `restored`, within the attempt's budget.
    pub fn since(restored: Option<CheckpointId>, budget: CallLogBudget) -> Self {
        Self { closed: Vec::new(), open: KeptStretch::behind(restored, budget) }
    }

    /// A call is about to be made.
    pub fn note(&mut self, call: OperatorCall) {
        self.open.note(call);
    }

    /// The barrier of `checkpoint_id` is here: all stretches since `base`, the newest checkpoint that was complete at its trigger.
    pub(crate) fn at_barrier(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Vec<Arc<KeptStretch>> {
        base.into_iter().for_each(|base| self.on_completed(base));
        let next = KeptStretch::behind(Some(checkpoint_id), self.open.budget.clone());
        self.closed.push(Arc::new(std::mem::replace(&mut self.open, next)));
        self.closed.clone()
    }

    /// A checkpoint is complete: it, and those before it, have the stretches that begin in front of its barrier.
    pub fn on_completed(&mut self, checkpoint_id: CheckpointId) {
        self.closed.retain(|kept| kept.stretch.header.behind >= Some(checkpoint_id));
    }
}

/// The object that holds `stretches` of subtask `index` of `operator`.
pub(super) fn call_log_object(operator: &str, index: u32, stretches: &[Arc<KeptStretch>]) -> StateObjectWriter {
    let mut object = StateObjectWriter::new();
    for payload in stretches.iter().flat_map(|kept| write_calls(&kept.stretch)) {
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
    fn room_for(calls: usize) -> CallLogBudget {
        CallLogBudget::new((calls * call("a").byte_len()) as u64)
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
            CallKind::Timers(_) | CallKind::Windows(_) | CallKind::Watermark => panic!("{call:?}"),
        };
        let words = stretch.calls.iter().map(of_call).collect::<String>();
        let behind = stretch.header.behind.map_or("start".to_owned(), |id| id.to_string());
        format!("{behind}:{words}{}", if stretch.header.cut_off { "…" } else { "" })
    }

    /// `a` is a call, `b8` the barrier of checkpoint 8 whose base has not moved, `b9/8` that of 9 on 8, `c8` the completion of 8, `w` that all that was
    /// given so far has been written; behind `|` another subtask begins, beside which the ones before keep what they have. Expects what each barrier
    /// gives.
    #[track_caller]
    fn check(room: usize, events: &str, expect: &[&str]) {
        let budget = room_for(room);
        let mut call_log = CallLog::since(Some(CheckpointId(7)), budget.clone());
        let (mut beside, mut unwritten, mut given) = (Vec::new(), Vec::new(), Vec::new());
        let id = |text: &str| CheckpointId(text.parse().expect("an id"));
        for event in events.split_whitespace() {
            match (event.split_at(1), event.len()) {
                (("w", _), 1) => unwritten.clear(),
                (("|", _), 1) => beside.push(std::mem::replace(&mut call_log, CallLog::since(Some(CheckpointId(7)), budget.clone()))),
                (_, 1) => call_log.note(call(event)),
                (("b", barrier), _) => {
                    let (checkpoint, base) = barrier.split_once('/').map_or((barrier, None), |(at, base)| (at, Some(id(base))));
                    let stretches = call_log.at_barrier(id(checkpoint), base);
                    given.push(stretches.iter().map(|kept| words(&kept.stretch)).collect::<Vec<_>>().join(" "));
                    unwritten.push(stretches);
                }
                ((_, completed), _) => call_log.on_completed(id(completed)),
            }
        }
        assert_eq!(given, expect, "{events}");
        drop((call_log, beside, unwritten));
        assert_eq!(budget.used.load(Relaxed), 0, "{events}: nobody keeps anything");
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
        check(2, "x y z u b8 w c8 v b9/8", &["7:xy…", "8:v"]);
        check(2, "x y b8 z b9 w c8 u b10/8", &["7:xy", "7:xy 8:…", "8:… 9:u"]);
    }

    #[test]
    fn however_many_checkpoints_fail_what_the_next_one_holds_is_within_the_budget() {
        check(3, "x b8 w y b9 w z b10 w u b11 w v b12", &["7:x", "7:x 8:y", "7:x 8:y 9:z", "7:x 8:y 9:z 10:…", "7:x 8:y 9:z 10:… 11:…"]);
    }

    #[test]
    fn what_waits_to_be_written_counts_until_it_is() {
        check(2, "x y b8 c8 u b9/8 w v b10/8", &["7:xy", "8:…", "8:… 9:v"]);
    }

    #[test]
    fn all_subtasks_have_one_budget() {
        check(3, "x y | z u b8 | v b8", &["7:z…", "7:…"]);
        check(3, "x y b8 | z u b8 c8 w v b9/8", &["7:xy", "7:z…", "8:v"]);
    }
}
