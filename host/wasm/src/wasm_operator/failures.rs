//! What becomes of a call that has come to nothing: it is narrowed down, what fails alone is set aside, or the task fails.

use super::{Attempt, Failed, WasmOperator};
use crate::fault::GuestFault;
use crate::guest_maker::window_text;
use crate::guest_text::printable;
use crate::limits::{OnFailure, QuarantineLimit};
use crate::narrow::{Next, Part, budget, next};
use crate::quarantine::{FailedIn, firing_report, report, timer_report};
use crate::work::{Work, WorkOf};
use serde_json::{Value, json};
use std::ops::Range;
use weir_engine::element::{NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::{OperatorContext, QUARANTINE_OUTPUT, report_of_record};
use weir_engine::shown_text::{bytes_as_json, printable_key};
use weir_engine::{EngineError, ErrorKind};

/// Bytes of a record that an error brings along.
const SHOWN_MAX: usize = 16 << 10;

/// A record as a quarantine would report it; of a long one what it is long of is left out.
fn shown_record(operator: &str, batch: &RecordBatch, at: usize) -> Value {
    let short = |bytes: Option<&[u8]>| bytes.filter(|bytes| bytes.len() <= SHOWN_MAX).map(bytes_as_json);
    let (key, value) = (batch.key(at), batch.value(at));
    let headers: usize = batch.headers_of(at).map(|(name, value)| name.len() + value.len()).sum();
    if key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers <= SHOWN_MAX {
        return report_of_record(operator, batch, at);
    }
    let timestamp = Some(batch.timestamps()[at]).filter(|timestamp| *timestamp != NO_TIMESTAMP);
    let bytes = value.map(<[u8]>::len);
    json!({ "operator": operator, "key": short(key), "value": short(value), "timestamp": timestamp, "value_bytes": bytes })
}

impl WasmOperator {
    /// A record that the guest cannot be called with is set aside, or fails the task.
    pub(super) fn refuse(
        &mut self,
        work: Work<'_>,
        record: usize,
        fault: GuestFault,
        context: &mut OperatorContext<'_>,
    ) -> Result<Attempt, EngineError> {
        let Some(limit) = self.quarantine_limit() else { return Err(self.failed(work, &(record..record + 1), fault)) };
        self.set_aside(work, record, &fault, limit, context)?;
        Ok(Attempt::SetAside(record))
    }

    /// How much may be set aside, where anything may.
    fn quarantine_limit(&self) -> Option<QuarantineLimit> {
        match self.guest.maker.settings.on_failure {
            OnFailure::Quarantine { limit } if !self.on_probation => Some(limit),
            OnFailure::Quarantine { .. } | OnFailure::Fail => None,
        }
    }

    /// The error that fails the task where nothing is set aside.
    fn failed(&self, work: Work<'_>, range: &Range<usize>, fault: GuestFault) -> EngineError {
        let place = self.guest.maker.place_of(&fault, work, range);
        let culprit = match &fault {
            GuestFault::Failure { record: Some(record), .. } => Some(range.start + *record as usize),
            _ if range.len() == 1 => Some(range.start),
            _ => None,
        };
        let error = self.about(work, culprit, fault.into_error(place, self.guest.maker.plugin_named()));
        if self.on_probation { error } else { error.with_hint(hint_of_quarantine(work)) }
    }

    /// As [`WasmOperator::failed`] by what stands at this place, of a call that began at `start`.
    fn failed_at(&self, work: Work<'_>, at: usize, start: usize, fault: GuestFault) -> EngineError {
        let place = self.guest.maker.place_of(&fault, work, &(at..at + 1));
        let attempted = format!("{place}, {} {} of the batch", work.one(), at - start);
        let error = fault.into_error(attempted, self.guest.maker.plugin_named());
        self.about(work, Some(at), error).with_hint(hint_of_quarantine(work))
    }

    /// With what stands at this place, where that is known and is there.
    fn about(&self, work: Work<'_>, at: Option<usize>, error: EngineError) -> EngineError {
        match at.filter(|at| *at < work.records.len()) {
            Some(at) => error.about_record(shown_record(&self.guest.maker.settings.operator, work.records, at)),
            None => error,
        }
    }

    /// What to try after a fault, or the error that fails the task.
    pub(super) fn narrow(&mut self, work: Work<'_>, failed: Failed, context: &mut OperatorContext<'_>) -> Result<Vec<Part>, EngineError> {
        let Failed { tried, fault, fresh, had_all } = failed;
        let Some(limit) = self.quarantine_limit() else {
            let culprit = if fault.is_out_of_stack() && !self.on_probation { self.culprit(work, &tried.range, context)? } else { None };
            return Err(match culprit {
                Some(at) => self.failed_at(work, at, tried.range.start, fault),
                None => self.failed(work, &tried.range, fault),
            });
        };
        let now = self.guest.now();
        match next(&tried, &fault, fresh, had_all, now) {
            // What has been found out counts, however long it took.
            Next::SetAside => {
                self.set_aside(work, tried.range.start, &fault, limit, context)?;
                Ok(Vec::new())
            }
            Next::Parts(parts) => {
                let budget = budget(self.guest.maker.settings.limits.time_per_batch);
                if tried.narrowing.is_some_and(|narrowing| now.saturating_sub(narrowing.since) > budget) {
                    let place = self.guest.maker.place();
                    let attempted = format!("{place}: gave up after {budget:?} of narrowing a batch down to its bad records");
                    return Err(fault.into_error(attempted, self.guest.maker.plugin_named()));
                }
                Ok(parts)
            }
        }
    }

    /// Reports what has failed alone. A timer has been taken out of the state before: it is gone. Of a window what is kept goes.
    fn set_aside(
        &mut self,
        Work { records, of, .. }: Work<'_>,
        at: usize,
        fault: &GuestFault,
        limit: QuarantineLimit,
        context: &mut OperatorContext<'_>,
    ) -> Result<(), EngineError> {
        let maker = &self.guest.maker;
        let operator = maker.settings.operator.as_str();
        let (plugin, subtask) = (maker.plugin_named(), maker.subtask.index);
        let failed_in = FailedIn { operator, subtask, plugin: &plugin };
        // The log has one line of it.
        let told = printable(&fault.to_string(), usize::MAX);
        let report = match of {
            WorkOf::Records => {
                tracing::warn!(operator, subtask, plugin, fault = %told, "record quarantined");
                report(failed_in, records, at, fault)
            }
            WorkOf::Timers(timers) => {
                let timer = maker.timer_name(timers[at]);
                tracing::warn!(operator, subtask, plugin, timer, fault = %told, "timer quarantined");
                timer_report(failed_in, records, at, timer, fault)
            }
            WorkOf::Windows(fired) => {
                let (key, window) = (records.key(at).map(printable_key), window_text(fired, at));
                tracing::warn!(operator, subtask, plugin, key, window, fault = %told, "window quarantined");
                if let Some(state) = context.state.as_deref_mut() {
                    state.drop_fired(at);
                }
                firing_report(failed_in, records, at, fired.firings()[at], fault)
            }
        };
        context.outputs.push((QUARANTINE_OUTPUT, report.into()));
        context.metrics.quarantined.add(1);
        self.quarantined += 1;
        self.seen += 1;
        self.check_limit(limit)
    }

    fn check_limit(&self, limit: QuarantineLimit) -> Result<(), EngineError> {
        if !limit.exceeded(self.quarantined, self.seen) {
            return Ok(());
        }
        let message = limit.exceeded_message(&self.guest.maker.place(), self.quarantined, self.seen);
        let hint = "up to the last complete checkpoint the records and their errors are in the operator's quarantine output; mend the plugin or the input";
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint).from_guest())
    }
}

fn hint_of_quarantine(work: Work<'_>) -> String {
    format!("`on-failure = \"quarantine\"` of the operator sets such a {} aside and goes on", work.one())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::element::BatchBuilder;

    #[test]
    fn a_record_that_failed_is_told_as_a_quarantine_reports_it_and_a_long_one_without_what_is_long() {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"k"), b"v", Some(7));
        builder.push(Some(b"k"), &[b'x'; SHOWN_MAX + 1], None);
        builder.push(Some(&[b'y'; SHOWN_MAX]), b"short", None);
        let batch = builder.finish();
        let told = |at| shown_record("op", &batch, at);
        assert_eq!(told(0), json!({ "operator": "op", "key": "k", "value": "v", "timestamp": 7 }));
        let long = json!({ "operator": "op", "key": "k", "value": null, "timestamp": null, "value_bytes": SHOWN_MAX + 1 });
        assert_eq!(told(1), long);
        assert!(told(2).to_string().len() < SHOWN_MAX + 200, "no more than so many bytes of either");
    }
}
