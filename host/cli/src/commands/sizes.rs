//! How much each of an operator's states holds, as documents and as lines.

use crate::documents::StateSizeDocument;
use crate::figures::{bytes_text, grouped, padded};
use weir_engine::EngineError;
use weir_engine::inspect::{OperatorState, StateSize};
use weir_engine::state::{StateDescriptor, StateKind};

/// The states of an operator in the order of their declaration. Reads all of them.
pub(in crate::commands) async fn state_sizes(operator: OperatorState<'_>) -> Result<Vec<StateSizeDocument>, EngineError> {
    let sizes = operator.sizes().await?;
    Ok(operator.declared().iter().zip(sizes).map(|(state, size)| state_document(state, size)).collect())
}

fn state_document(state: &StateDescriptor, size: StateSize) -> StateSizeDocument {
    let StateDescriptor { name, kind, schema, version, ttl: _ } = state.clone();
    let StateSize { keys, entries, bytes } = size;
    StateSizeDocument { name, kind, schema, version, keys, entries, bytes }
}

/// A line for each state of an operator, with names as wide as those of `all`.
pub(in crate::commands) fn state_lines<'a>(states: &[StateSizeDocument], all: impl IntoIterator<Item = &'a StateSizeDocument>) -> String {
    let width = all.into_iter().map(|state| state.name.len()).max().unwrap_or(0);
    states.iter().map(|state| state_line(state, width)).collect()
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
    format!("    {}  {held}, {}  {schema} (version {version})\n", padded(name, width), bytes_text(*bytes))
}
