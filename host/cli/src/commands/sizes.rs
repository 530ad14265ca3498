//! How much each of an operator's states holds, as documents and as lines.

use crate::documents::StateSizeDocument;
use crate::figures::{bytes_text, grouped, padded};
use crate::job_file::duration_text;
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::inspect::{OperatorState, StateSize};
use weir_engine::state::{StateDescriptor, StateKind, WINDOW_STATE, WindowKind};

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
    let schema = schema_text(name, schema);
    format!("    {}  {held}, {}  {schema} (version {version})\n", padded(name, width), bytes_text(*bytes))
}

/// The description of a state; that of windows as a job file has it, and not in ms.
fn schema_text(name: &str, schema: &str) -> String {
    let kind = WindowKind::of_described(schema).filter(|_| name == WINDOW_STATE);
    let by = schema.split_once(", ").map(|(_, time)| format!(", {time}")).unwrap_or_default();
    let duration = |ms: i64| duration_text(Duration::from_millis(ms.unsigned_abs()));
    let moved = |offset: i64| if offset == 0 { String::new() } else { format!(", offset {}", duration(offset)) };
    match kind {
        Some(WindowKind::Tumbling { size, offset }) => format!("tumbling {}{}{by}", duration(size), moved(offset)),
        Some(WindowKind::Hopping { size, every, offset }) => {
            format!("hopping {} every {}{}{by}", duration(size), duration(every), moved(offset))
        }
        Some(WindowKind::Session { gap }) => format!("session {}{by}", duration(gap)),
        Some(WindowKind::Count { .. } | WindowKind::Global) | None => schema.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::state::WindowSettings;

    #[test]
    fn windows_are_described_as_a_job_file_does() {
        let hour = 3_600_000;
        for (kind, expect) in [
            (WindowKind::Tumbling { size: hour, offset: 0 }, "tumbling 1h, event time"),
            (WindowKind::Hopping { size: hour, every: 600_000, offset: 60_000 }, "hopping 1h every 10m, offset 1m, event time"),
            (WindowKind::Session { gap: 1_500 }, "session 1s 500ms, event time"),
            (WindowKind::Count { records: 5 }, "count 5"),
            (WindowKind::Global, "global"),
        ] {
            assert_eq!(schema_text(WINDOW_STATE, &WindowSettings::new(kind).described()), expect);
        }
        assert_eq!(schema_text("mine", "session 1500 ms, event time"), "session 1500 ms, event time");
    }
}
