//! `weir state diff`: what differs between two checkpoints or savepoints, counted with examples, or row by row.

use super::diff_text::{heading, text};
use super::opened::{Opened, look_into, no_operator};
use super::output::RowsOut;
use super::rows::Form;
use super::rows_asked_for;
use super::select::raw;
use super::target::Target;
use crate::args::DiffArgs;
use crate::context::Context;
use crate::documents::{OperatorDiffDocument, SCHEMA, StateDiffDocument, StateDiffRow, StateDifferencesDocument};
use crate::failure::Failure;
use crate::storage::with_stores;
use crate::value_text::{KeyForm, KeyShown, Shown, StateText};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use weir_engine::inspect::{Change, KeyDifference, OperatorState, StateChanges, StoredPayload, diff as compare};
use weir_engine::state::StateKind;

/// Differences of a state that are shown unless told.
const EXAMPLES: u64 = 5;

/// Compares two checkpoints or savepoints, also of different jobs.
pub(super) fn diff(context: &Context, args: &DiffArgs) -> Result<u8, Failure> {
    let asked = rows_asked_for(context, &args.form)?;
    let (before, after) = (Target::side(context, &args.before)?, Target::side(context, &args.after)?);
    with_stores(async |stores| {
        let both = async |was: &Opened, is: &Opened| compared(context, args, (was, is), asked.clone()).await;
        look_into(stores, &before, async |was| look_into(stores, &after, async |is| both(was, is).await).await).await
    })
}

/// Compares what is open, and writes the outcome. The exit code.
async fn compared(context: &Context, args: &DiffArgs, (was, is): (&Opened, &Opened), asked: Option<Form>) -> Result<u8, Failure> {
    let pairs = pairs(was, is, args.operator.as_deref())?;
    let (before, after) = (was.looked_into(), is.looked_into());
    let Some(form) = asked else {
        let operators = documents(&pairs, args.limit.unwrap_or(EXAMPLES)).await?;
        let document = StateDiffDocument { schema: SCHEMA, before, after, operators };
        context.print(&document, || text(&document))?;
        return Ok(0);
    };
    context.screen.notice(&heading(&before, &after));
    let mut out = RowsOut::new(form, args.limit);
    let read = match write_rows(&pairs, &mut out).await {
        Ok(()) => Ok(()),
        Err(failure) => Err(was.explained(is.explained(failure).await).await),
    };
    out.finish(context, read)
}

/// An operator before and after; one of the two is there.
struct Pair<'a> {
    id: &'a str,
    before: Option<OperatorState<'a>>,
    after: Option<OperatorState<'a>>,
}

impl Pair<'_> {
    /// How a difference's key is shown: as the side has it that the key is of, which is the later one where it is of both.
    fn form_of(&self, change: &Change<'_>) -> KeyForm {
        let side = match change {
            Change::Removed(_) => self.before,
            Change::Added(_) | Change::Changed(..) => self.after,
        };
        KeyForm::of(side.iter().flat_map(OperatorState::declared))
    }
}

/// The operators that are compared, by their ids: those of the later side in their order, then those that only the earlier one has.
fn pairs<'a>(before: &'a Opened, after: &'a Opened, wanted: Option<&str>) -> Result<Vec<Pair<'a>>, Failure> {
    let (was, is) = (before.state(), after.state());
    let gone = was.operators().filter(|operator| is.operator(operator.id()).is_none());
    let ids: Vec<&str> = is.operators().chain(gone).map(|operator| operator.id()).collect();
    if let Some(id) = wanted.filter(|id| !ids.contains(id)) {
        return Err(no_operator(id, &[before, after], ids.into_iter()));
    }
    let ids = ids.into_iter().filter(|id| wanted.is_none_or(|wanted| wanted == *id));
    Ok(ids.map(|id| Pair { id, before: was.operator(id), after: is.operator(id) }).collect())
}

/// Writes a row for every difference.
async fn write_rows(pairs: &[Pair<'_>], out: &mut RowsOut<StateDiffRow>) -> Result<(), Failure> {
    for pair in pairs {
        let mut written = Ok(ControlFlow::Continue(()));
        let mut each = |difference: &KeyDifference<'_>| {
            written = out.write(&row(pair, difference));
            if matches!(written, Ok(ControlFlow::Continue(()))) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        compare(pair.before, pair.after, &mut each).await?;
        if written?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Counts of every state, each with its first differences.
async fn documents(pairs: &[Pair<'_>], examples: u64) -> Result<Vec<OperatorDiffDocument>, Failure> {
    let mut operators = Vec::new();
    for pair in pairs {
        let mut rows = BTreeMap::<String, Vec<StateDiffRow>>::new();
        let mut each = |difference: &KeyDifference<'_>| {
            let rows = rows.entry(difference.state.to_owned()).or_default();
            if (rows.len() as u64) < examples {
                rows.push(row(pair, difference));
            }
            ControlFlow::Continue(())
        };
        let counts = compare(pair.before, pair.after, &mut each).await?;
        let states = counts.into_iter().map(|(name, counts)| {
            let StateChanges { added, removed, changed, unchanged } = counts;
            StateDifferencesDocument { added, removed, changed, unchanged, examples: rows.remove(&name).unwrap_or_default(), name }
        });
        operators.push(OperatorDiffDocument { id: pair.id.to_owned(), states: states.collect() });
    }
    Ok(operators)
}

fn row(pair: &Pair<'_>, difference: &KeyDifference<'_>) -> StateDiffRow {
    let (change, before, after) = match difference.change {
        Change::Added(is) => ("added", None, Some(is)),
        Change::Removed(was) => ("removed", Some(was), None),
        Change::Changed(was, is) => ("changed", Some(was), Some(is)),
    };
    let mut problem = None;
    let mut shown = |shown: Shown| {
        problem = problem.take().or(shown.problem);
        raw(shown.json)
    };
    let text = |stored: &StoredPayload<'_>| StateText::of(stored.state).payload(stored.version, &stored.payload);
    // Both sides of a broadcast state's entry describe it alike, or it is shown as the later one does.
    let broadcast = after.or(before).filter(|stored| stored.state.kind == StateKind::Broadcast);
    let entry = broadcast.map(|stored| shown(StateText::of(stored.state).entry(stored.version, difference.key)));
    let (before, after) = (before.map(|was| shown(text(was))), after.map(|is| shown(text(is))));
    let key = broadcast.is_none().then(|| pair.form_of(&difference.change).shown(difference.key));
    let (key, window) = key.map_or((None, None), |KeyShown { key, window }| (Some(key), window.map(raw)));
    let (operator, state) = (pair.id.to_owned(), difference.state.to_owned());
    StateDiffRow { operator, state, change, key, window, entry, before, after, problem }
}
