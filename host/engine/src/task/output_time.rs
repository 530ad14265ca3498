//! Watermarks of what an operator emits, in place of those that come in: for records whose time only a guest can read. A subtask's output is one split, which
//! is idle where nothing has been emitted for long enough and nothing waits to be worked off: a task that stood still has not been idle.

use super::SourceClock;
use super::source_time::{ReadSplits, SourceTime};
use crate::element::{NO_TIMESTAMP, Progress, Selection};
use crate::metrics::VertexMetrics;
use crate::runtime::Clock;
use crate::source::SplitState;
use crate::time::RestoredTime;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The time of what one subtask emits.
pub struct OutputTime(SourceTime);

/// Whether all that there is has been worked off.
struct Output {
    is_caught_up: bool,
}

impl ReadSplits for Output {
    fn is_read(&self, _split: usize) -> bool {
        false
    }

    fn is_caught_up(&self, _split: usize) -> bool {
        self.is_caught_up
    }
}

impl OutputTime {
    /// That of subtask `subtask` of `operator`, which goes on from `restored`.
    pub fn new(
        of: &SourceClock,
        restored: RestoredTime,
        (operator, subtask): (String, u32),
        metrics: Arc<VertexMetrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let RestoredTime { largest, others } = restored;
        let output = SplitState { largest_timestamp: largest, ..SplitState::unread(String::new(), serde_json::Value::Null) };
        Self(SourceTime::new(of, &[output], (operator, subtask), metrics, clock).beside(others))
    }

    /// These records have been emitted.
    pub(super) fn on_emitted(&mut self, records: &Selection) {
        let timestamps = records.batch().timestamps();
        match records.records() {
            None => self.0.on_records(0, timestamps),
            Some(places) => {
                let emitted: Vec<i64> = places.iter().map(|&place| timestamps[place as usize]).collect();
                self.0.on_records(0, &emitted);
            }
        }
    }

    /// What there is to tell those behind of what has been emitted, where it is time for that. There may be more to work off.
    pub(super) fn look(&mut self) -> Option<Progress> {
        self.0.look_at_records()
    }

    /// The task waits. Ready with what there is to tell those behind, once it is time. `is_caught_up`: there is nothing that it could work off, and not just for now.
    pub(super) fn poll(&mut self, is_caught_up: bool, cx: &mut Context<'_>) -> Poll<Progress> {
        self.0.poll_waiting(&Output { is_caught_up }, cx)
    }

    /// Nothing more will be emitted. The other subtasks' time may go on by the clock without this one's.
    pub(super) fn end(&self) {
        self.0.end();
    }

    /// The largest timestamp that has been emitted.
    pub(super) fn largest(&self) -> Option<i64> {
        let mut output = [SplitState::unread(String::new(), serde_json::Value::Null)];
        self.0.note(&mut output);
        output[0].largest_timestamp.filter(|largest| *largest > NO_TIMESTAMP)
    }
}
