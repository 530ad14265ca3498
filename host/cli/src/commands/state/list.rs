//! `weir state list`: which states there are, and how much each holds.

use super::super::Context;
use super::super::checkpoint::with_log;
use super::{explained, load, operator_of, state_of};
use crate::args::AtArgs;
use crate::documents::{OperatorStatesDocument, SCHEMA, StateListDocument, StateSizeDocument};
use crate::failure::Failure;
use crate::figures::{bytes_text, grouped};
use std::path::Path;
use weir_engine::element::CheckpointId;
use weir_engine::inspect::{OperatorState, StateSize};
use weir_engine::state::{StateDescriptor, StateKind};

/// Lists the states of all operators, or of one.
pub(super) fn list(context: &Context, job: &Path, operator: Option<&str>, at: &AtArgs) -> Result<u8, Failure> {
    let job = context.job(job)?;
    let (checkpoint, operators) = with_log(&job, |log| async move {
        let metadata = load(&log, at.at.map(CheckpointId)).await?;
        let wanted = match operator {
            Some(id) => vec![operator_of(&log, &metadata, id)?],
            None => state_of(&log, &metadata).operators().collect(),
        };
        let mut operators = Vec::new();
        for operator in wanted {
            match document(operator).await {
                Ok(document) => operators.push(document),
                Err(failure) => return Err(explained(&log, &metadata, failure).await),
            }
        }
        Ok((metadata.checkpoint_id.0, operators))
    })?;
    let document = StateListDocument { schema: SCHEMA, job: job.name, checkpoint, operators };
    context.print(&document, || text(&document));
    Ok(0)
}

async fn document(operator: OperatorState<'_>) -> Result<OperatorStatesDocument, Failure> {
    let sizes = operator.sizes().await?;
    let states = operator.declared().iter().zip(sizes).map(|(state, size)| state_document(state, size)).collect();
    Ok(OperatorStatesDocument { id: operator.id().to_owned(), states })
}

fn state_document(state: &StateDescriptor, size: StateSize) -> StateSizeDocument {
    let StateDescriptor { name, kind, schema, version, ttl_ms: _ } = state.clone();
    let StateSize { keys, entries, bytes } = size;
    StateSizeDocument { name, kind, schema, version, keys, entries, bytes }
}

fn text(document: &StateListDocument) -> String {
    let mut text = format!("state of {} in checkpoint {}\n", document.job, document.checkpoint);
    let states = || document.operators.iter().flat_map(|operator| &operator.states);
    let width = states().map(|state| state.name.len()).max().unwrap_or(0);
    for operator in &document.operators {
        text.push_str(&format!("  {}{}\n", operator.id, if operator.states.is_empty() { ": no state" } else { "" }));
        operator.states.iter().for_each(|state| text.push_str(&state_line(state, width)));
    }
    text
}

fn state_line(state: &StateSizeDocument, width: usize) -> String {
    let StateSizeDocument { name, kind, schema, version, keys, entries, bytes } = state;
    let (keys, entries) = (grouped(*keys), grouped(*entries));
    let held = match kind {
        StateKind::Value => format!("value      {keys} keys"),
        StateKind::List => format!("list       {keys} keys, {entries} items"),
        StateKind::Map => format!("map        {keys} keys, {entries} entries"),
        StateKind::Broadcast => format!("broadcast  {entries} entries"),
    };
    format!("    {name:width$}  {held}, {}  {schema} (version {version})\n", bytes_text(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_what_each_kind_of_state_holds() {
        let state = |name: &str, kind| StateSizeDocument {
            name: name.into(),
            kind,
            schema: "u64".into(),
            version: 2,
            keys: 1_000,
            entries: 2_000,
            bytes: 2_048,
        };
        let states =
            vec![state("v", StateKind::Value), state("l", StateKind::List), state("map", StateKind::Map), state("b", StateKind::Broadcast)];
        let operators =
            vec![OperatorStatesDocument { id: "op".into(), states }, OperatorStatesDocument { id: "split".into(), states: Vec::new() }];
        let document = StateListDocument { schema: SCHEMA, job: "j".into(), checkpoint: 7, operators };
        let expect = "state of j in checkpoint 7
  op
    v    value      1,000 keys, 2.0 KiB  u64 (version 2)
    l    list       1,000 keys, 2,000 items, 2.0 KiB  u64 (version 2)
    map  map        1,000 keys, 2,000 entries, 2.0 KiB  u64 (version 2)
    b    broadcast  2,000 entries, 2.0 KiB  u64 (version 2)
  split: no state
";
        assert_eq!(text(&document), expect);
    }
}
