//! Which record of a batch it was that a guest ran out of stack at. An interpreter has no chance to say so: its own functions are what the host stops.
//!
//! Asked only where the task fails for it: the shortest front part of the call that fails so ends with that record. Nothing of these calls takes effect.

use super::{Called, WasmOperator};
use crate::guest::CallFailure;
use crate::guest_batch::Cut;
use crate::narrow::budget;
use crate::work::Work;
use std::ops::Range;
use weir_engine::EngineError;
use weir_engine::operator::OperatorContext;
use weir_engine::state::KeyedState;

impl WasmOperator {
    /// The record of a call with the records `range`, which ran out of stack, that it does so at; `None` where that does not come out.
    pub(super) fn culprit(
        &mut self,
        work: Work<'_>,
        range: &Range<usize>,
        context: &mut OperatorContext<'_>,
    ) -> Result<Option<usize>, EngineError> {
        let (since, within) = (self.guest.now(), budget(self.guest.limits().time_per_batch));
        // What is in front of `sound` works, what is in front of `failing` does not.
        let (mut sound, mut failing) = (range.start, range.end);
        let mut tries = 0;
        while failing - sound > 1 {
            tries += 1;
            let middle = sound + (failing - sound) / 2;
            match self.runs_out_of_stack(work, range.start..middle, tries, context)? {
                Some(true) => failing = middle,
                Some(false) => sound = middle,
                None => return Ok(None),
            }
            if self.guest.now().saturating_sub(since) > within {
                return Ok(None);
            }
        }
        Ok(Some(sound))
    }

    /// Whether a call with these records does; `None`: it fails otherwise, or cannot be made.
    fn runs_out_of_stack(
        &mut self,
        work: Work<'_>,
        range: Range<usize>,
        attempt: u32,
        context: &mut OperatorContext<'_>,
    ) -> Result<Option<bool>, EngineError> {
        let (deadline, most) = (self.guest.limits().time_per_batch, self.guest.limits().batch_bytes());
        let cut = self.batch.cut(work, range.clone(), context.state.as_deref_mut(), most);
        let fuel_for = range.len();
        let is_whole = matches!(cut.map_err(|error| self.guest.maker.cut_error(error, work.records))?, Cut::Call(cut) if cut == range);
        let answer = is_whole.then(|| self.call(Called { work, range, deadline, fuel_for, attempt }, context).effects);
        // It knows of records now that it has not had.
        self.guest.discard();
        context.state.as_deref_mut().map_or(Ok(()), KeyedState::reject)?;
        match answer {
            Some(Ok(_)) => Ok(Some(false)),
            Some(Err(CallFailure::Guest(fault))) => Ok(fault.is_out_of_stack().then_some(true)),
            Some(Err(CallFailure::Operator(error))) => Err(error),
            None => Ok(None),
        }
    }
}
