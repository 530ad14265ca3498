//! A windowed operator in its instance: windows that fire, windows that become one, and what neither call may do.
//!
//! Invariant: `process` gives no output and `on_windows` changes no state. So wherever a batch is cut, the state and what fires of it are the same.

use super::{Instance, no_records};
use crate::bindings::weir::operator::types::{self, Batch, Column, Effects, Failure, WindowBatch};
use crate::columns::{item, push_s64, push_u32, u32_at, u32_count};
use crate::context::{Context, NO_TIMESTAMP};
use crate::operator::Operator;
use crate::state::{BatchInput, States};
use crate::windows::{FiredWindow, Window, WindowReason, replaced_by};

impl<O: Operator> Instance<O> {
    /// Works windows off that fire. They are laid out as a batch of records, each with a key of its own and the time of what is emitted, and without values.
    pub fn on_windows(&mut self, call: types::Context, fired: WindowBatch) -> Result<Effects, Failure> {
        if !O::WINDOWED {
            return Err(Failure { cause: None, message: format!("{} is not windowed", O::NAME) });
        }
        let WindowBatch { keys, windows, reasons, revisions, replaces, states } = fired;
        let count = u32_count(&keys.ends);
        let (mut key_of, mut timestamps) = (Vec::with_capacity(4 * count), Vec::with_capacity(8 * count));
        for index in 0..count {
            push_u32(&mut key_of, index as u32);
            push_s64(&mut timestamps, Window::at(&windows, index).map_or(NO_TIMESTAMP, Window::last_ms));
        }
        let batch = Batch { keys, key_of, timestamps, states, windows: Some(windows), ..no_records() };
        let firings = Firings { reasons, revisions, replaces };
        let effects =
            self.call(call, BatchInput::Keyed { keys: count }, batch, count, |operator, context| fire(operator, context, &firings))?;
        unchanged::<O>(effects)
    }

    /// Makes one value of each pair of values of a state, `earlier` being of the window that starts first.
    pub fn merge(state: u32, earlier: &Column, later: &Column) -> Result<Column, String> {
        match O::States::merge(state, earlier, later) {
            Some(merged) => merged.map_err(|error| error.to_string()),
            None => Err(format!("{} has no way to make one value of two of state {state}: `#[state(merge = …)]` gives one", O::NAME)),
        }
    }
}

/// What is said of each window that fires, beside its key and its bounds.
struct Firings {
    reasons: Vec<u8>,
    revisions: Vec<u8>,
    replaces: types::KeyedColumn,
}

/// Works the windows off one by one. The failing one is named.
fn fire<O: Operator>(operator: &mut O, context: &mut Context<'_, O>, firings: &Firings) -> Result<(), Failure> {
    let batch = context.batch;
    let mut replaces = 0..0;
    for (index, &number) in firings.reasons.iter().enumerate() {
        let failure = |message: String| Failure { cause: Some(index as u32), message };
        let Some(reason) = WindowReason::of(number) else {
            return Err(failure(format!("a window fires for reason {number}, which {} does not know", O::NAME)));
        };
        context.record = index as u32;
        context.states.select(index as u32);
        replaces = replaced_by(&firings.replaces, index as u32, replaces.end);
        let firing = FiredWindow {
            key: item(&batch.keys, index),
            window: context.window(),
            reason,
            revision: u32_at(&firings.revisions, index),
            replaced: &firings.replaces,
            replaces: replaces.clone(),
        };
        if let Err(error) = operator.on_window(firing, context) {
            return Err(failure(error.to_string()));
        }
    }
    Ok(())
}

/// The effects of records in windows, if they have no output; else the first record that has some is named.
pub(super) fn without_output<O: Operator>(effects: Effects) -> Result<Effects, Failure> {
    if effects.outputs.is_empty() {
        return Ok(effects);
    }
    let cause = effects.outputs.iter().flat_map(|output| first_passed(&output.passes).into_iter().chain(first(&output.cause))).min();
    let message =
        format!("{} is windowed and emits in `process`: it may change state there and nothing else, and emits in `on_window`", O::NAME);
    Err(Failure { cause, message })
}

/// The effects of windows that fire, if they change no state; else a window whose state they would change is named.
fn unchanged<O: Operator>(effects: Effects) -> Result<Effects, Failure> {
    let any = |named: &[&[u8]]| named.iter().find_map(|keys| first(keys));
    let values = effects.values.iter().map(|update| (update.state, any(&[&update.cleared, &update.set.keys])));
    let lists = effects
        .lists
        .iter()
        .map(|update| (update.state, any(&[&update.cleared, &update.popped.keys, &update.truncated.keys, &update.append.keys])));
    let maps = effects.maps.iter().map(|update| (update.state, any(&[&update.cleared, &update.removed.keys, &update.put.keys])));
    let Some((state, cause)) = values.chain(lists).chain(maps).next() else { return Ok(effects) };
    let name = &O::States::declarations()[state as usize].name;
    let message = format!("{} changes state `{name}` in `on_window`, which may read it alone: `process` changes it", O::NAME);
    Err(Failure { cause, message })
}

/// The first number of a `u32s`.
fn first(numbers: &[u8]) -> Option<u32> {
    numbers.first_chunk().map(|number| u32::from_le_bytes(*number))
}

/// The first record that passes.
fn first_passed(passes: &[u8]) -> Option<u32> {
    let byte = passes.iter().position(|&byte| byte != 0)?;
    Some(byte as u32 * 8 + passes[byte].trailing_zeros())
}
