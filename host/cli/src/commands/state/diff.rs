//! `weir state diff`: what differs between two checkpoints, counted with examples, or row by row.

use super::super::Context;
use super::super::checkpoint::{OpenLog, with_log};
use super::output::RowsOut;
use super::select::raw;
use super::{explained, load, no_operator, rows_asked_for, state_of};
use crate::args::FormArgs;
use crate::documents::{OperatorDiffDocument, SCHEMA, StateDiffDocument, StateDiffRow, StateDifferencesDocument};
use crate::failure::Failure;
use crate::figures::grouped;
use crate::value_text::{Shown, StateText, key_text};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use weir_engine::checkpoint::CheckpointMetadata;
use weir_engine::element::CheckpointId;
use weir_engine::inspect::{Change, Difference, OperatorState, StateChanges, StoredPayload, diff as compare};
use weir_engine::state::StateKind;

/// Differences of a state that are shown unless told.
const EXAMPLES: u64 = 5;
/// Characters of a value that are shown to people.
const SHOWN_CHARS: usize = 100;
/// Of what two long values have in common in front of their difference, so many characters are shown.
const COMMON_CHARS: usize = 20;

/// Compares two checkpoints of a job.
pub(super) fn diff(
    context: &Context,
    job: &Path,
    (before, after): (CheckpointId, CheckpointId),
    operator: Option<&str>,
    limit: Option<u64>,
    form: &FormArgs,
) -> Result<u8, Failure> {
    let (job, asked) = (context.job(job)?, rows_asked_for(context, form)?);
    with_log(&job, |log| async move {
        let (before, after) = (load(&log, Some(before)).await?, load(&log, Some(after)).await?);
        let pairs = pairs(&log, &before, &after, operator)?;
        let Some(form) = asked else {
            let operators = match documents(&pairs, limit.unwrap_or(EXAMPLES)).await {
                Ok(operators) => operators,
                Err(failure) => return Err(explained_of_both(&log, &before, &after, failure).await),
            };
            let (was, is) = (before.checkpoint_id.0, after.checkpoint_id.0);
            let document = StateDiffDocument { schema: SCHEMA, job: after.job.clone(), before: was, after: is, operators };
            context.print(&document, || text(&document));
            return Ok(0);
        };
        let mut out = RowsOut::new(form, limit);
        let read = match write_rows(&pairs, &mut out).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(explained_of_both(&log, &before, &after, failure).await),
        };
        out.finish(context, read)
    })
}

async fn explained_of_both(log: &OpenLog, before: &CheckpointMetadata, after: &CheckpointMetadata, failure: Failure) -> Failure {
    let failure = explained(log, before, failure).await;
    explained(log, after, failure).await
}

/// An operator before and after; one of the two is there.
struct Pair<'a> {
    id: &'a str,
    before: Option<OperatorState<'a>>,
    after: Option<OperatorState<'a>>,
}

/// The operators that are compared: those of the later checkpoint in their order, then those that only the earlier one has.
fn pairs<'a>(
    log: &'a OpenLog,
    before: &'a CheckpointMetadata,
    after: &'a CheckpointMetadata,
    wanted: Option<&str>,
) -> Result<Vec<Pair<'a>>, Failure> {
    let (was, is) = (state_of(log, before), state_of(log, after));
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
        let mut each = |difference: &Difference<'_>| {
            written = out.write(&row(pair.id, difference));
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
        let mut each = |difference: &Difference<'_>| {
            let rows = rows.entry(difference.state.to_owned()).or_default();
            if (rows.len() as u64) < examples {
                rows.push(row(pair.id, difference));
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

fn row(operator: &str, difference: &Difference<'_>) -> StateDiffRow {
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
    let key = broadcast.is_none().then(|| key_text(difference.key));
    StateDiffRow { operator: operator.to_owned(), state: difference.state.to_owned(), change, key, entry, before, after, problem }
}

fn text(document: &StateDiffDocument) -> String {
    let StateDiffDocument { schema: _, job, before, after, operators } = document;
    let mut text = format!("state of {job} from checkpoint {before} to {after}\n");
    for operator in operators.iter().filter(|operator| !operator.states.is_empty()) {
        text.push_str(&format!("  {}\n", operator.id));
        for StateDifferencesDocument { name, added, removed, changed, unchanged, examples } in &operator.states {
            let [all_added, all_removed, all_changed, same] = [added, removed, changed, unchanged].map(|count| grouped(*count));
            text.push_str(&format!("    {name}: {all_added} added, {all_removed} removed, {all_changed} changed, {same} unchanged\n"));
            examples.iter().for_each(|row| text.push_str(&format!("      {}\n", example(row))));
            let more = (added + removed + changed).saturating_sub(examples.len() as u64);
            if more > 0 && !examples.is_empty() {
                text.push_str(&format!("      and {} more\n", grouped(more)));
            }
        }
    }
    text
}

/// `+` a key with what it has, `-` one with what it had, or `~` one with both.
fn example(row: &StateDiffRow) -> String {
    let key = row.key.as_deref().or(row.entry.as_deref().map(|entry| entry.get())).unwrap_or_default();
    let problem = row.problem.as_ref().map(|what| format!("  ({what})")).unwrap_or_default();
    match (row.before.as_deref().map(RawValue::get), row.after.as_deref().map(RawValue::get)) {
        (Some(was), Some(is)) => {
            let skipped = common_to_skip(was, is);
            format!("~ {key}  {} → {}{problem}", shortened(was, skipped), shortened(is, skipped))
        }
        (Some(was), None) => format!("- {key}  {}{problem}", shortened(was, 0)),
        (None, is) => format!("+ {key}  {}{problem}", shortened(is.unwrap_or_default(), 0)),
    }
}

/// How many characters of what two values have in common at their beginnings are left out: of long values all but the last.
fn common_to_skip(was: &str, is: &str) -> usize {
    let is_long = |text: &str| text.chars().nth(SHOWN_CHARS).is_some();
    let common = was.chars().zip(is.chars()).take_while(|(was, is)| was == is).count();
    if is_long(was) || is_long(is) { common.saturating_sub(COMMON_CHARS) } else { 0 }
}

/// The text behind its first `skipped` characters, as far as it is shown.
fn shortened(text: &str, skipped: usize) -> String {
    let shown: String = text.chars().skip(skipped).take(SHOWN_CHARS).collect();
    let has_more = text.chars().nth(skipped + SHOWN_CHARS).is_some();
    format!("{}{shown}{}", if skipped > 0 { "…" } else { "" }, if has_more { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: Option<&str>, after: Option<&str>, expect: &str) {
        let json = |json: &str| raw(json.to_owned());
        let (before, after) = (before.map(json), after.map(json));
        let (operator, state, key) = ("op".to_owned(), "s".to_owned(), Some("k".to_owned()));
        assert_eq!(example(&StateDiffRow { operator, state, change: "", key, entry: None, before, after, problem: None }), expect);
    }

    #[test]
    fn an_example_shows_where_values_differ() {
        check(None, Some("1"), "+ k  1");
        check(Some("1"), None, "- k  1");
        check(Some("1"), Some("[2]"), "~ k  1 → [2]");
        let digits = |count| "9".repeat(count);
        check(None, Some(&digits(101)), &format!("+ k  {}…", digits(100)));
        check(Some(&digits(99)), Some(&digits(100)), &format!("~ k  {} → {}", digits(99), digits(100)));
        let (was, is) = (format!("{}1", digits(200)), format!("{}12", digits(200)));
        check(Some(&was), Some(&is), &format!("~ k  …{0}1 → …{0}12", digits(19)));
    }

    #[test]
    fn a_broadcast_entry_stands_in_the_place_of_a_key() {
        let (operator, state, entry) = ("op".to_owned(), "s".to_owned(), Some(raw("\"on\"".into())));
        let row = StateDiffRow {
            operator,
            state,
            change: "added",
            key: None,
            entry,
            before: None,
            after: Some(raw("7".into())),
            problem: Some("why".into()),
        };
        assert_eq!(example(&row), "+ \"on\"  7  (why)");
    }
}
