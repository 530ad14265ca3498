//! One subtask of a recorded operator, which is called again as it was called then.
//!
//! Two operators stand for it. One is given each call as a whole: what it does is what was done. The other is given the same record by record, timer by timer
//! and window by window, to show what came of which; an operator that does as it promises does not tell the difference, and where one does, what the first did
//! is shown with the last of the call.

use super::contents::{Taken, numbered_anew};
use super::effects::{FiringEffects, OutputRecord, changes, effects_of, firing_effects, outputs};
use super::isolated::one_by_one;
use super::{EmittedRecord, IsolatedOperator, RecordEffects, ReplayInput, ReplayPoint, StateChange};
use crate::error::{EngineError, ErrorKind};
use crate::job::JobGraph;
use crate::operator::{CallKind, OperatorCall};
use std::collections::BTreeMap;

/// A subtask as it was at a checkpoint, and goes on.
pub struct LoggedSubtask {
    operator: String,
    whole: IsolatedOperator,
    cut: IsolatedOperator,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct CallEffects {
    /// Of each record, up to the one that the operator failed on.
    pub records: Vec<RecordEffects>,
    /// Of each timer or window of a call that has no records, or of its watermark, as far as there is something to tell of it.
    pub firings: Vec<FiringEffects>,
    /// What the operator did in the call is not what it does with its records, timers or windows one by one: it all stands with the last of them.
    pub undivided: bool,
    /// What is no record's doing, but a watermark's or that of timers that were due: in such a call there is no record.
    pub recordless: RecordlessEffects,
}

/// What came of a call that has no records.
#[derive(Clone, Debug, Default)]
pub struct RecordlessEffects {
    /// What was emitted.
    pub outputs: Vec<OutputRecord>,
    /// What changed in the states of the timers' keys.
    pub changes: Vec<StateChange>,
}

impl RecordlessEffects {
    /// True where nothing came of it.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.changes.is_empty()
    }
}

impl CallEffects {
    fn of_records(records: Vec<RecordEffects>, undivided: bool) -> Self {
        Self { records, firings: Vec::new(), undivided, recordless: RecordlessEffects::default() }
    }

    fn of_firings(mut firings: Vec<FiringEffects>, undivided: bool, whole: &FiringEffects) -> Self {
        firings.retain(|firing| !firing.is_empty());
        let recordless = RecordlessEffects { outputs: whole.outputs.clone(), changes: whole.changes.clone() };
        Self { records: Vec::new(), firings, undivided, recordless }
    }
}

impl LoggedSubtask {
    /// Subtask `index` of `parallelism` of the operator at `vertex` of `graph`, with the state that it began with behind `point`.
    pub async fn restore(graph: &JobGraph, vertex: usize, subtask: (u32, u32), point: &ReplayPoint) -> Result<Self, EngineError> {
        let whole = IsolatedOperator::restore_subtask(graph, vertex, subtask, point).await?;
        let cut = IsolatedOperator::restore_subtask(graph, vertex, subtask, point).await?;
        Ok(Self { operator: graph.vertices[vertex].id.clone(), whole, cut })
    }

    /// Makes a call again. `number` is the batch's. After a call without records that fails it is of no more use.
    pub async fn effects_of(&mut self, number: u64, call: &OperatorCall) -> Result<CallEffects, EngineError> {
        for operator in [&mut self.whole, &mut self.cut] {
            operator.set_times(call.watermark, call.processing_time);
        }
        let (edge, batch) = match &call.kind {
            CallKind::Batch { input, keyed, batch } => (self.edge_of(*input, *keyed)?, batch.clone()),
            CallKind::Watermark | CallKind::Timers(_) | CallKind::Windows(_) => return self.fire(call).await,
        };
        let input = ReplayInput { number, edge, batch };
        let before = self.whole.contents_of(input.edge, &input.batch).await?;
        let called = self.whole.try_process(input.edge, &input.batch, &before).await?;
        let records = self.one_by_one(&input).await?;
        match called {
            Ok(emitted) => self.attribute(&input, outputs(&self.whole, &emitted), &before, records).await,
            Err(error) => Ok(failed(error, records)),
        }
    }

    /// Makes a call of what was due. An operator that serves no timers refuses them here as it does anywhere.
    async fn fire(&mut self, call: &OperatorCall) -> Result<CallEffects, EngineError> {
        let whole = firing_effects(&mut self.whole, call).await?;
        let firings = self.fire_one_by_one(call, &whole).await?;
        if whole.error.is_some() {
            return Ok(failed_to_fire(whole, firings));
        }
        let after = self.whole.of_call(call).await?;
        let all_fine = firings.iter().all(|firing| firing.error.is_none());
        let in_parts = firings.iter().flat_map(|firing| &firing.outputs);
        if all_fine && by_output(whole.outputs.iter()) == by_output(in_parts) && self.cut.of_call(call).await?.held == after.held {
            return Ok(CallEffects::of_firings(firings, false, &whole));
        }
        self.cut.put_call_back(call, &after).await?;
        let fired: Vec<_> =
            whole.fired.iter().map(|fired| FiringEffects { fired: vec![fired.clone()], ..whole.without_effects() }).collect();
        let mut firings = if fired.is_empty() { vec![whole.without_effects()] } else { fired };
        if let Some(last) = firings.last_mut() {
            (last.outputs, last.changes) = (whole.outputs.clone(), whole.changes.clone());
        }
        Ok(CallEffects::of_firings(firings, true, &whole))
    }

    /// Up to the first that fails, behind which another operator goes on.
    async fn fire_one_by_one(&mut self, call: &OperatorCall, whole: &FiringEffects) -> Result<Vec<FiringEffects>, EngineError> {
        let mut firings = Vec::new();
        for part in one_by_one(call).into_iter().filter(|part| has_happened(part, whole)) {
            let firing = firing_effects(&mut self.cut, &part).await?;
            let failed = firing.error.is_some();
            firings.push(firing);
            if failed {
                self.cut.set_aside(&part).await?;
                break;
            }
        }
        Ok(firings)
    }

    fn edge_of(&self, input: u32, keyed: bool) -> Result<usize, EngineError> {
        self.whole.edge_to(input, keyed).ok_or_else(|| {
            let keyed = if keyed { "with" } else { "without" };
            let message = format!("{}: a recorded batch {keyed} keys for its input {input}, which has no such edge", self.operator);
            EngineError::new(ErrorKind::FixInput, message).with_hint("undo what has changed in the job file")
        })
    }

    async fn one_by_one(&mut self, input: &ReplayInput) -> Result<Vec<RecordEffects>, EngineError> {
        let mut records = Vec::with_capacity(input.batch.len());
        for record in 0..input.batch.len() {
            let effects = effects_of(&mut self.cut, input, record).await?;
            let failed = effects.error.is_some();
            records.push(effects);
            if failed {
                break;
            }
        }
        Ok(records)
    }

    /// Which record what was emitted comes from.
    async fn attribute(
        &mut self,
        input: &ReplayInput,
        emitted: Vec<OutputRecord>,
        before: &Taken,
        records: Vec<RecordEffects>,
    ) -> Result<CallEffects, EngineError> {
        let after = self.whole.contents_of(input.edge, &input.batch).await?;
        let all_fine = records.iter().all(|record| record.error.is_none());
        let one_by_one = records.iter().flat_map(|record| &record.outputs);
        let in_parts = self.cut.contents_of(input.edge, &input.batch).await?.held;
        if in_parts != after.held {
            // From here on it goes by the numbers that counts have had in the job, too.
            self.cut.put_back(input.edge, &input.batch, &after).await?;
        }
        let is_same = numbered_anew(&in_parts, self.cut.states()) == numbered_anew(&after.held, self.cut.states());
        if all_fine && is_same && by_output(emitted.iter()) == by_output(one_by_one) {
            return Ok(CallEffects::of_records(records, false));
        }
        let mut records: Vec<_> = (0..input.batch.len()).map(|record| RecordEffects::none(&self.whole, input, record)).collect();
        if let Some(last) = records.last_mut() {
            (last.outputs, last.changes) = (emitted, changes(&self.whole, &before.held, &after.held));
        }
        Ok(CallEffects::of_records(records, true))
    }
}

/// Whether a window has fired, or is closed, in a call of several. One that has become longer since it was put where it is due has not, and those behind it wait
/// for it. Of a call that failed nothing has changed: which of them it failed on is found out one by one.
fn has_happened(part: &OperatorCall, whole: &FiringEffects) -> bool {
    match &part.kind {
        CallKind::Windows(_) if whole.error.is_some() => true,
        CallKind::Windows(due) => due.keys().iter().any(|unit| whole.changes.iter().any(|change| change.key == unit)),
        CallKind::Timers(_) | CallKind::Watermark | CallKind::Batch { .. } => true,
    }
}

/// The call failed, though it did not when it was recorded.
fn failed(error: EngineError, mut records: Vec<RecordEffects>) -> CallEffects {
    let undivided = records.last().is_none_or(|last| last.error.is_none());
    if let Some(last) = records.last_mut().filter(|_| undivided) {
        last.error = Some(error);
    }
    CallEffects::of_records(records, undivided)
}

/// As [`failed`], of a call without records.
fn failed_to_fire(whole: FiringEffects, mut firings: Vec<FiringEffects>) -> CallEffects {
    let undivided = firings.last().is_none_or(|last| last.error.is_none());
    match firings.last_mut().filter(|_| undivided) {
        Some(last) => last.error.clone_from(&whole.error),
        None if undivided => firings.push(whole.clone()),
        None => {}
    }
    CallEffects::of_firings(firings, undivided, &whole)
}

/// Emitted records with their keys, by the name of their output.
type ByOutput<'a> = BTreeMap<&'a str, Vec<(Option<&'a [u8]>, &'a EmittedRecord)>>;

/// How outputs follow each other does not matter.
fn by_output<'a>(outputs: impl Iterator<Item = &'a OutputRecord>) -> ByOutput<'a> {
    let mut by_output = ByOutput::new();
    outputs.for_each(|one| by_output.entry(one.output.as_str()).or_default().push((one.key.as_deref(), &one.record)));
    by_output
}
